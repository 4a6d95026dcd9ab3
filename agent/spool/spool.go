// Package spool is the agent's memory: jobs that were taken and not yet done,
// and results and records that the coordinator has not yet confirmed. What a
// call stored is on disk when the call returns, so an outage or a crash at any
// instruction delays work and never loses it.
//
// It runs nothing and sends nothing: that is agent/runner and agent/link. The
// fingerprints of what was read are agent/snapshot.
//
//	link ── Accept ──► jobs ── Next ──► runner
//	                    └───── Finish ────┐
//	link ◄─ Unsent ─── results, records ◄─┴── PutRecords ── runner
//	link ── Forget ──►  (gone)
//
// The file is a bbolt database, schema 2: every value but the schema's ends
// with a checksum, which schema 1 had not. Numbers are big-endian:
//
//	meta/schema                        "2", plain ASCII, so that every release can read it
//	meta/id                            random, hexadecimal: another one means that all was lost
//	meta/systems                       link.v1.Systems, as last received
//	counts/<what>                      8 bytes; see counts
//	jobs/<system>/<255-priority><id>   not-before and not-after in ms, then link.v1.Job: byte order is the order to run
//	fences/<system>\0<object>          highest fence of a job that was finished
//	fences/<system>\0<object>\0placed  no job with this or a lower one is run that was placed ahead
//	results/<seq>                      link.v1.Result
//	done/<job id>                      seq of its result
//	told/<system>/…                    objects that results have told of; see told.go
//	records/<seq>                      link.v1.Records; its batch number is seq
//
// Results and records draw seq from one counter: what was stored first is sent
// first, and a read's result comes after its records.
//
// One goroutine writes: it takes every call that waits into one transaction, so
// that many callers share a sync of the disk. bbolt syncs twice for each.
//
// What may go wrong: another process holds the file ([ErrInUse]); a newer
// release wrote it ([ErrSchema]); it is full or the disk is ([ErrFull]: results
// still go in, a reserve beside the file is kept for them); it is damaged (set
// aside under another name and begun anew under another id: [Spool.Damage]).
package spool

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/intact"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"google.golang.org/protobuf/proto"
)

// Layouts of the file: the one that this release writes, and the oldest that it takes over.
const (
	Layout = 2
	Oldest = 1
)

const (
	schema   = "2" // Layout, as the file names it
	unsummed = "1" // the one before it
	pageSize = intact.PageSize
	newPages = 4 // bbolt begins a file with these
)

var (
	metaBucket    = []byte("meta")
	countsBucket  = []byte("counts")
	jobsBucket    = []byte("jobs")
	fencesBucket  = []byte("fences")
	resultsBucket = []byte("results")
	doneBucket    = []byte("done")
	recordsBucket = []byte("records")
	toldBucket    = []byte("told") // absent in files of releases before it

	schemaKey  = []byte("schema")
	idKey      = []byte("id")
	systemsKey = []byte("systems")
)

// Errors to test for with [errors.Is]. Any other error is a disk fault: stop.
var (
	ErrFull    = errors.New("spool full")
	ErrInUse   = errors.New("spool held by another process")
	ErrSchema  = errors.New("spool written by another agent release")
	ErrInvalid = errors.New("job cannot be stored")
	ErrNotHeld = errors.New("job not held")
	ErrDamaged = intact.ErrDamaged
	ErrClosed  = errors.New("spool closed")
)

// Options adjust a spool. The zero value is the one to use in production.
type Options struct {
	MaxJobs      int           // held unfinished; 0 means 1,000,000
	MaxRecords   int           // bytes of records that may wait while the link is down; 0 means 512 MiB
	MaxInTransit int           // bytes of records that may wait while it is up; 0 means 2 MiB
	Reserve      int           // bytes of disk kept for results when it is full; 0 means 4 MiB
	LockWait     time.Duration // for another process to let go of the file; 0 means 5 s
}

// A Spool is safe for concurrent use. It runs one goroutine, which ends in Close.
type Spool struct {
	path   string
	opt    Options
	id     string
	damage *Damage
	db     *bbolt.DB

	queue   chan *request
	closing chan struct{}
	stopped chan struct{} // the committer has ended
	damaged chan struct{} // closed once damage was met
	close   sync.Once

	reserve reserve // the committer's

	mu        sync.Mutex
	broken    error // damage was met
	counts    counts
	connected bool
	full      error                    // why no new work is taken; nil: it is
	fullness  chan struct{}            // holds one token when full has changed
	room      chan struct{}            // closed and replaced when records may have got room
	outgoing  chan struct{}            // holds one token when there may be something to send
	arrivals  map[string]chan struct{} // the same for jobs, by system
	soonest   map[string]time.Time     // no job of the system ends sooner
}

// Open opens the spool file at path, creating it if absent; the folder must
// exist. It returns [ErrInUse] if another process keeps the file, and
// [ErrSchema], changing nothing, if it does not know the file's layout. A
// damaged file is set aside and a new one begun: see [Spool.Damage].
func Open(path string, opt Options) (*Spool, error) {
	opt.MaxJobs = cmp.Or(opt.MaxJobs, 1_000_000)
	opt.MaxRecords = cmp.Or(opt.MaxRecords, 512<<20)
	opt.MaxInTransit = cmp.Or(opt.MaxInTransit, 2<<20) // the file is mapped: what it once held counts as memory
	opt.Reserve = cmp.Or(opt.Reserve, 4<<20)
	opt.LockWait = cmp.Or(opt.LockWait, 5*time.Second)

	s := &Spool{
		path: path, opt: opt, reserve: reserve{path: path + ".reserve", size: opt.Reserve},
		queue: make(chan *request, maxGroup), closing: make(chan struct{}), stopped: make(chan struct{}),
		damaged:  make(chan struct{}),
		counts:   counts{jobs: map[string]uint64{}},
		fullness: make(chan struct{}, 1),
		room:     make(chan struct{}), outgoing: make(chan struct{}, 1),
		arrivals: map[string]chan struct{}{}, soonest: map[string]time.Time{},
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open spool %s: %w", path, err)
	}
	wake(s.outgoing)
	go s.commitLoop()
	return s, nil
}

// open opens the file, or in the place of a damaged one a new one.
func (s *Spool) open() error {
	err := s.openFile()
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	kept, moveErr := setAside(s.path)
	if moveErr != nil {
		return errors.Join(err, moveErr)
	}
	s.damage = &Damage{Kept: kept, Cause: err}
	return s.openFile()
}

func (s *Spool) openFile() (err error) {
	db, err := openDB(s.path, s.opt.LockWait)
	if err != nil {
		return err
	}
	s.db = db
	if err := s.prepare(); err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

// prepare marks a new file with the schema and an id, and reads an old one's.
func (s *Spool) prepare() (err error) {
	defer intact.Recovered(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	var id string
	current := false // it is laid out as this release does
	err = s.db.View(func(tx *bbolt.Tx) (err error) {
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			if first, _ := tx.Cursor().First(); first != nil {
				return fmt.Errorf("%w: it has %q and no meta", ErrDamaged, first)
			}
			return nil // a new file
		}
		got := string(meta.Get(schemaKey))
		if got != "" && got != unsummed && got != schema {
			return fmt.Errorf("%w: schema %q, this release knows %q: install the newer release again", ErrSchema, got, schema)
		}
		if id, err = idOf(meta, got == schema); err == nil && (id == "" || got == "") { // both were written with the bucket
			err = fmt.Errorf("%w: it has no schema or no id", ErrDamaged)
		}
		current = got == schema && tx.Bucket(toldBucket) != nil
		if err != nil || !current {
			return err
		}
		return s.counts.load(tx, true)
	})
	if s.id = id; err != nil || id != "" && current {
		return err
	}
	if id != "" {
		return s.db.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucketIfNotExists(toldBucket)
			if string(tx.Bucket(metaBucket).Get(schemaKey)) == unsummed {
				err = errors.Join(err, addSums(tx))
			}
			return errors.Join(err, s.counts.load(tx, true))
		})
	}
	random := make([]byte, 16)
	rand.Read(random) // never fails: crypto/rand
	s.id = hex.EncodeToString(random)
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{metaBucket, countsBucket, jobsBucket, fencesBucket, resultsBucket, doneBucket, recordsBucket, toldBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(metaBucket)
		if err := meta.Put(idKey, intact.WithSum(idKey, []byte(s.id))); err != nil {
			return err
		}
		return meta.Put(schemaKey, []byte(schema))
	})
}

// idOf reads the id; summed is false for a file of schema 1.
func idOf(meta *bbolt.Bucket, summed bool) (string, error) {
	if !summed {
		return string(meta.Get(idKey)), nil
	}
	id, err := intact.Get(meta, idKey)
	return string(id), err
}

func openDB(path string, wait time.Duration) (*bbolt.DB, error) {
	if err := checkSuspect(path); err != nil {
		return nil, err
	}
	db, err := intact.Open(path, wait)
	if errors.Is(err, berrors.ErrTimeout) {
		err = ErrInUse
	}
	return db, err
}

// closeWait is how long Close waits for a file whose pages make no sense.
const closeWait = time.Second

// Close waits for running calls, then releases the file. It may be called again.
// After damage was met the file may stay open until the process ends: what
// bbolt was at then may have kept its locks.
func (s *Spool) Close() error {
	s.close.Do(func() { close(s.closing) })
	<-s.stopped
	if s.state() == nil {
		return s.db.Close()
	}
	closed := make(chan error, 1)
	go func() { closed <- closeDamaged(s.db) }()
	select {
	case err := <-closed:
		return err
	case <-time.After(closeWait):
		return nil
	}
}

// ID returns the random name of this file, for Hello.
func (s *Spool) ID() string { return s.id }

// Path returns where the file is.
func (s *Spool) Path() string { return s.path }

// Damage returns what was set aside when this spool was opened; nil mostly. Log it: someone must act.
func (s *Spool) Damage() *Damage { return s.damage }

// Systems returns the systems that were stored last; none at first.
func (s *Spool) Systems() (*linkv1.Systems, error) {
	systems := new(linkv1.Systems)
	err := s.view(func(tx *bbolt.Tx) error {
		value, err := intact.Get(tx.Bucket(metaBucket), systemsKey)
		if err != nil {
			return err
		}
		return proto.Unmarshal(value, systems)
	})
	if err != nil {
		return nil, fmt.Errorf("systems in spool: %w", err)
	}
	return systems, nil
}

// SetSystems stores the systems of the site, so that the agent knows them while the coordinator is away.
func (s *Spool) SetSystems(ctx context.Context, systems *linkv1.Systems) error {
	value, err := proto.Marshal(systems)
	if err != nil {
		return fmt.Errorf("systems: %w", err)
	}
	return s.do(ctx, essential, func(t *txn) error {
		if err := t.put(t.tx.Bucket(metaBucket), systemsKey, value); err != nil {
			return err
		}
		return t.keepTold(systems.GetSystems())
	})
}

// view reads. It turns a page that cannot be read into [ErrDamaged].
func (s *Spool) view(fn func(*bbolt.Tx) error) (err error) {
	if err := s.state(); err != nil {
		return err
	}
	defer s.suspect(&err)
	defer intact.Recovered(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	err = s.db.View(fn)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

func (s *Spool) state() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// wake puts the one token into ch.
func wake(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
