// Package store keeps everything the coordinator must not forget: in one SQLite
// file, or in a PostgreSQL database that several coordinators share. It is the
// only package that knows SQL: rows are structs named as their tables, one file
// for each, and a [Tx] has the methods that read and write them, many rows at a
// time. It decides nothing: what a row means is said where it is used, the
// states of a job in coordinator/jobs for example.
//
//	Write        alone: no other transaction writes meanwhile, in whatever coordinator
//	WriteTenant  no other writes for the tenant
//	Claim        as WriteTenant, but beside others that claim (FOR UPDATE SKIP LOCKED)
//	Take         as WriteTenant, but beside those that claim: what agents send
//	Read         on the snapshot of when it began, never in a writer's way
//
// A file has one writer, so the first four are the same there; in PostgreSQL
// they are advisory locks, taken before anything is looked at. What a
// transaction has read of its tenant therefore stays true until its commit, on
// both: names, open jobs, due people, thresholds and cycles need no other guard.
// Only who claims and who takes what agents send may not rely on which jobs are
// queued: they change these beside one another.
//
// What [Store.Write] returned nil for is there after a power cut, and a process
// killed inside it leaves nothing of it. The file is in WAL mode with pages of
// 4 KiB and synchronous=FULL; a server is what its operator makes of it.
//
// What a transaction makes interesting to others is announced after its commit
// by a [Signal], by LISTEN and NOTIFY to other coordinators; whoever waits also
// looks by himself now and then.
//
// # Statements and migrations for both
//
// Statements are written once, for SQLite, with ? for arguments and list() for
// lists; dialect.go says the few words in PostgreSQL's way. Name the key of
// every ON CONFLICT … DO UPDATE, qualify the old value in its WHERE, and give
// every subquery a name; the tests of this package run on both.
//
// The schema is migrations/*.sql and migrations/postgres/*.sql, applied by Open.
// A step has the same number and name in both; PostgreSQL's has BIGINT for
// INTEGER, TEXT COLLATE "C" for TEXT, BYTEA for BLOB, and no WITHOUT ROWID. A
// step must leave what the release before it uses: coordinators of both run
// side by side while one after the other is upgraded. Add columns with a
// default, and drop nothing that the last release reads. A store of a newer
// release is refused and left alone.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNewer says that the store was written by a later release. Test with [errors.Is].
var ErrNewer = errors.New("store written by a newer release")

// ErrInUse says that another coordinator has the file. Test with [errors.Is].
var ErrInUse = errors.New("another coordinator runs on this file: stop it, or have both share a PostgreSQL database (--store)")

// ErrNone says that a row asked for by its key is not there. Test with [errors.Is].
var ErrNone = errors.New("no such row")

// A Store is safe for concurrent use.
type Store struct {
	Due      Signal // people became due
	Jobs     Signal // jobs became queued
	Systems  Signal // systems were applied, changed or removed, or a site has more or fewer agents
	Agents   Signal // agents enrolled, came, went or were revoked
	Notices  Signal // there are notices to deliver
	Releases Signal // agents may be to have another release, or may have leave for it

	database database
	watches  watches
	server   *server // nil where the store is a file
}

// Open opens the store and brings its schema up to date. name is the address of
// a PostgreSQL database (postgres://…), or the path of a SQLite file, which is
// made if absent, readable by its owner only. It returns [ErrNewer], changing
// nothing, for a store that a later release has written, and [ErrInUse] for a
// file that another process has open.
func Open(ctx context.Context, name string) (*Store, error) {
	s := &Store{}
	if isServer(name) {
		server, err := openServer(ctx, s, name)
		if err != nil {
			return nil, fmt.Errorf("open store in PostgreSQL: %w", err)
		}
		s.database, s.server = server, server
		return s, nil
	}
	file, err := openFile(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", name, err)
	}
	s.database = file
	return s, nil
}

// Shared says whether other coordinators may have the store open, too.
func (s *Store) Shared() bool { return s.server != nil }

// Close waits for running transactions, then releases the store. It may be
// called once; after it no other method may be.
func (s *Store) Close() error { return s.database.close() }

// Write runs do in a transaction that has the store for itself and commits it.
// When do returns an error nothing of it remains and the error is returned. Once
// begun it is not interrupted by the end of ctx. What do makes interesting is
// signalled after the commit.
func (s *Store) Write(ctx context.Context, do func(*Tx) error) error {
	return s.run(ctx, whole, "", do)
}

// WriteTenant is Write for what concerns one tenant alone.
func (s *Store) WriteTenant(ctx context.Context, of string, do func(*Tx) error) error {
	return s.run(ctx, tenant, of, do)
}

// Claim is WriteTenant for what takes rows that nobody else has yet, and decides nothing by others.
func (s *Store) Claim(ctx context.Context, of string, do func(*Tx) error) error {
	return s.run(ctx, claims, of, do)
}

// Take is WriteTenant for what agents have sent, which decides nothing by what is queued.
func (s *Store) Take(ctx context.Context, of string, do func(*Tx) error) error {
	return s.run(ctx, results, of, do)
}

// Read runs do on a snapshot; its Tx cannot write.
func (s *Store) Read(ctx context.Context, do func(*Tx) error) error {
	return s.run(ctx, snapshot, "", do)
}

func (s *Store) run(ctx context.Context, l lock, of string, do func(*Tx) error) (err error) {
	c, release, err := s.database.acquire(ctx, l)
	if err != nil {
		return err
	}
	defer release()
	// A transaction is short: to end it half-way because somebody hung up gains
	// nothing, and a context that can end costs a goroutine for each statement.
	ctx = context.WithoutCancel(ctx)
	committed := false
	defer func() {
		if !committed { // also when do panics
			back := c.rollback(ctx)
			if err != nil {
				err = errors.Join(err, back)
			}
		}
	}()
	if err := c.begin(ctx, l, of); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	tx := &Tx{Now: InstantOf(time.Now()), store: s, ctx: ctx, conn: c}
	if err := do(tx); err != nil {
		return err
	}
	last := closingOf(ctx, l)
	if last != nil {
		if err := last.run(tx); err != nil {
			return err
		}
	}
	if err := c.commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	committed = true
	if last != nil {
		last.committed()
	}
	for _, sig := range tx.raised {
		sig.Raise()
	}
	s.watches.tell(tx.touched)
	if s.server != nil {
		s.server.news.raised(tx)
	}
	return nil
}
