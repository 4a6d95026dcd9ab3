package spool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/drawbridge-id/drawbridge/agent/intact"
	berrors "go.etcd.io/bbolt/errors"
)

const (
	// maxGroup is how many calls one transaction takes at most.
	maxGroup = 1024
	// linger is how long a transaction waits for as many calls as the one before
	// it had, and for goodGroup where that had some: who was in it is likely to
	// come again, and a transaction writes some ten pages and syncs twice
	// whatever it holds. A lone call, or a few, never wait; nor does the system
	// that is written to, whose next operation is begun before.
	linger    = 10 * time.Millisecond
	goodGroup = 64
	fewCalls  = 4
)

// What a request is worth when the disk is full.
const (
	ordinary  = false // new work: refused
	essential = true  // what ends work: goes into the reserve
)

// A request is a call waiting for the committer. Its do must check before it
// writes: an error that is its own leaves the transaction to the others.
type request struct {
	do        func(*txn) error
	essential bool
	err       error
	done      chan struct{}
}

// A txn is what requests share: the transaction and what it will have changed in memory.
type txn struct {
	tx       *bbolt.Tx
	counts   counts
	systems  map[string]*bbolt.Bucket
	arrived  map[string]bool
	outgoing bool
	failed   error // a write that failed: all of the transaction is void
}

// do hands fn to the committer and waits until it is on disk. It heeds ctx only
// until the committer has it, so that the caller always learns what became of it.
func (s *Spool) do(ctx context.Context, essential bool, fn func(*txn) error) error {
	r := &request{do: fn, essential: essential, done: make(chan struct{})}
	select {
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	case s.queue <- r:
	}
	select {
	case <-r.done:
		return r.err
	case <-s.stopped: // it came after the last transaction, or in it
		select {
		case <-r.done:
			return r.err
		default:
			return ErrClosed
		}
	}
}

// commitLoop is the only writer. It ends when the spool closes, after what was waiting.
func (s *Spool) commitLoop() {
	defer close(s.stopped)
	debug.SetPanicOnFault(true) // a page that cannot be read is an error, not the end
	group := make([]*request, 0, maxGroup)
	for {
		last := len(group)
		group = group[:0]
		select {
		case r := <-s.queue:
			group = append(group, r)
		case <-s.recheck():
			s.setFull(s.noRoom())
			continue
		case <-s.closing:
			if len(s.queue) == 0 {
				return
			}
		}
		if last > fewCalls {
			last = max(last, goodGroup)
		}
		group = s.gather(group, last)
		s.commit(group)
		for _, r := range group {
			close(r.done)
		}
	}
}

// gather adds what is waiting to group, and lingers until it has want requests.
func (s *Spool) gather(group []*request, want int) []*request {
	var enough <-chan time.Time
	for len(group) < maxGroup {
		select {
		case r := <-s.queue:
			group = append(group, r)
			continue
		default:
		}
		if len(group) >= want {
			return group
		}
		if enough == nil {
			enough = time.After(linger)
		}
		select {
		case r := <-s.queue:
			group = append(group, r)
		case <-enough:
			return group
		case <-s.closing:
			return group
		}
	}
	return group
}

// commit carries out the requests of group in one transaction and leaves each its error.
func (s *Spool) commit(group []*request) {
	full := s.noRoom()
	s.setFull(full)
	if full != nil {
		group = s.refuse(group, full)
	}
	err := s.transact(group)
	if !diskFull(err) {
		return
	}
	s.reserve.release()
	s.setFull(err)
	s.transact(s.refuse(group, err)) // each request has the error
}

// refuse gives [ErrFull] to what is not essential and returns the rest.
func (s *Spool) refuse(group []*request, cause error) []*request {
	var rest []*request
	for _, r := range group {
		if r.essential {
			rest = append(rest, r)
			continue
		}
		r.err = fmt.Errorf("%w: free space on the disk of %s: %w", ErrFull, s.path, cause)
	}
	return rest
}

// transact runs one transaction. Its error, if any, is every request's.
func (s *Spool) transact(group []*request) (err error) {
	if len(group) == 0 {
		return nil
	}
	defer func() {
		if err != nil {
			for _, r := range group {
				r.err = fmt.Errorf("write spool: %w", err)
			}
		}
	}()
	if err := s.state(); err != nil {
		return err
	}
	defer s.suspect(&err)
	defer intact.Recovered(&err)

	t := &txn{systems: map[string]*bbolt.Bucket{}, arrived: map[string]bool{}}
	s.mu.Lock()
	t.counts = s.counts.clone()
	s.mu.Unlock()
	err = s.db.Update(func(tx *bbolt.Tx) error {
		t.tx = tx
		for _, r := range group {
			if r.err = r.do(t); errors.Is(r.err, ErrDamaged) {
				t.failed = r.err // it may have been met half way
			}
			if t.failed != nil {
				return t.failed
			}
		}
		return t.counts.store(tx)
	})
	for _, nonsense := range []error{berrors.ErrIncompatibleValue, berrors.ErrBucketNotFound, berrors.ErrBucketExists} {
		if errors.Is(err, nonsense) { // no call of ours is answered so while the file is whole
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	if err != nil {
		return err
	}
	s.publish(t)
	return nil
}

// publish lets readers see what t changed.
func (s *Spool) publish(t *txn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.counts.recordBytes < s.counts.recordBytes {
		s.makeRoom()
	}
	s.counts = t.counts
	for system := range t.arrived {
		wake(s.arrival(system))
	}
	if t.outgoing {
		wake(s.outgoing)
	}
}

// put writes a value with its checksum; a failure voids the transaction.
func (t *txn) put(b *bbolt.Bucket, key, value []byte) error {
	if err := b.Put(key, intact.WithSum(key, value)); err != nil {
		t.failed = err
		return err
	}
	return nil
}

// remove deletes; a failure voids the transaction.
func (t *txn) remove(b *bbolt.Bucket, key []byte) error {
	if err := b.Delete(key); err != nil {
		t.failed = err
		return err
	}
	return nil
}

// counts are kept beside what they count, because counting would read the whole file.
type counts struct {
	seq         uint64 // last number given to a result or batch of records
	results     uint64
	recordBytes uint64
	jobs        map[string]uint64 // by system
	allJobs     uint64
}

const (
	seqCount     = "seq"
	resultsCount = "results"
	bytesCount   = "record bytes"
	jobsCount    = "jobs/" // and the system
)

func (c counts) clone() counts {
	c.jobs = maps.Clone(c.jobs)
	return c
}

func (c *counts) addJobs(system string, n int) {
	c.jobs[system] += uint64(n)
	c.allJobs += uint64(n)
}

// load reads the counts of a file; summed is false for one of schema 1.
func (c *counts) load(tx *bbolt.Tx, summed bool) error {
	*c = counts{jobs: map[string]uint64{}}
	return tx.Bucket(countsBucket).ForEach(func(k, v []byte) (err error) {
		if summed {
			if v, err = intact.WithoutSum(k, v); err != nil {
				return err
			}
		}
		if len(v) != 8 {
			return fmt.Errorf("%w: count %q of %d bytes", ErrDamaged, k, len(v))
		}
		n := binary.BigEndian.Uint64(v)
		switch key := string(k); key {
		case seqCount:
			c.seq = n
		case resultsCount:
			c.results = n
		case bytesCount:
			c.recordBytes = n
		default:
			if len(key) > len(jobsCount) && key[:len(jobsCount)] == jobsCount {
				c.jobs[key[len(jobsCount):]] = n
				c.allJobs += n
			}
		}
		return nil
	})
}

func (c *counts) store(tx *bbolt.Tx) error {
	b := tx.Bucket(countsBucket)
	put := func(key string, n uint64) error {
		return b.Put([]byte(key), intact.WithSum([]byte(key), binary.BigEndian.AppendUint64(nil, n)))
	}
	err := errors.Join(put(seqCount, c.seq), put(resultsCount, c.results), put(bytesCount, c.recordBytes))
	for system, n := range c.jobs {
		err = errors.Join(err, put(jobsCount+system, n))
	}
	return err
}

// diskFull says whether err means that the file cannot grow.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) || windowsDiskFull(err)
}
