// Package store keeps everything the coordinator must not forget, in one SQLite
// file. It is the only package that knows SQL: rows are structs named as their
// tables, one file for each, and a [Tx] has the methods that read and write
// them, many rows at a time. It decides nothing: what a row means is said where
// it is used, the states of a job in coordinator/jobs for example.
//
//	Write: one writer at a time, BEGIN IMMEDIATE … COMMIT, synced to the disk before it returns
//	Read:  several readers, each on the snapshot of when it began, never in the writer's way
//
// The file is in WAL mode with pages of 4 KiB and synchronous=FULL: what
// [Store.Write] returned nil for is there after a power cut, and a process
// killed inside it leaves nothing of it. The schema is migrations/*.sql, applied
// by Open; a file of a newer release is refused and left alone.
//
// What a transaction makes interesting to others is announced after its commit
// by a [Signal]; whoever waits also looks by himself now and then.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // also the driver named "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// readers is how many reading transactions can be open at a time.
const readers = 4

// ErrNewer says that the file was written by a later release. Test with [errors.Is].
var ErrNewer = errors.New("store written by a newer release")

// ErrNone says that a row asked for by its key is not there. Test with [errors.Is].
var ErrNone = errors.New("no such row")

// A Store is safe for concurrent use and starts no goroutines.
type Store struct {
	Due     Signal // people became due
	Jobs    Signal // jobs became queued
	Systems Signal // systems were applied, changed or removed
	Agents  Signal // agents enrolled, came, went or were revoked

	writer  chan *conn // holds one
	readers chan *conn
	open    int // connections made
}

// Open opens the store in the file at path, creating it readable by its owner
// only, and brings its schema up to date. It returns [ErrNewer], changing
// nothing, for a file that a later release has written.
func Open(ctx context.Context, path string) (*Store, error) {
	s, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string) (*Store, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	s := &Store{writer: make(chan *conn, 1), readers: make(chan *conn, readers)}
	if err := migrate(ctx, dsn(path, "rwc")); err != nil {
		return nil, err
	}
	if err := s.fill(ctx, s.writer, dsn(path, "rw")); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.fill(ctx, s.readers, dsn(path, "rw")+"&_pragma=query_only(1)"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// dsn names the file and how each connection to it is set up. Pages are small
// because ids and names are spread over all of an index: each is a page written
// twice, into the log and into the file, and the longer between two checkpoints
// the more often the second write serves several. The page size
// holds only if it is set before the journal mode: the driver sets what has a
// key of its own after the list of pragmas.
func dsn(path, mode string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	return u.String() + "?mode=" + mode + "&_busy_timeout=10000&_pragma=page_size(4096)&_pragma=cache_size(-65536)" +
		"&_pragma=temp_store(memory)&_pragma=journal_size_limit(67108864)&_pragma=wal_autocheckpoint(16000)" +
		"&_journal_mode=WAL&_synchronous=FULL"
}

func (s *Store) fill(ctx context.Context, pool chan *conn, dsn string) error {
	to, err := sqlite.NewConnector(dsn)
	if err != nil {
		return err
	}
	for range cap(pool) {
		c, err := newConn(ctx, to)
		if err != nil {
			return err
		}
		pool <- c
		s.open++
	}
	return nil
}

func migrate(ctx context.Context, dsn string) (err error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	have, known := int64(0), int64(0)
	if have, err = p.GetDBVersion(ctx); err != nil {
		return err
	}
	for _, m := range p.ListSources() {
		known = max(known, m.Version)
	}
	if have > known {
		return fmt.Errorf("%w: schema %d, this one knows %d: start the newer release, or restore the copy made before it", ErrNewer, have, known)
	}
	_, err = p.Up(ctx)
	return err
}

// Close waits for running transactions, then releases the file. It may be
// called once; after it no other method may be.
func (s *Store) Close() error {
	var errs []error
	for range s.open {
		select {
		case c := <-s.readers:
			errs = append(errs, c.close())
		case c := <-s.writer:
			errs = append(errs, c.close())
		case <-time.After(10 * time.Second):
			errs = append(errs, errors.New("close store: a transaction is still open"))
		}
	}
	return errors.Join(errs...)
}

// Write runs do in the one writing transaction and commits it. When do returns
// an error nothing of it remains and the error is returned. Once begun it is
// not interrupted by the end of ctx. What do makes interesting is signalled
// after the commit.
func (s *Store) Write(ctx context.Context, do func(*Tx) error) error {
	return s.run(ctx, s.writer, "BEGIN IMMEDIATE", do)
}

// Read runs do on a snapshot; its Tx cannot write.
func (s *Store) Read(ctx context.Context, do func(*Tx) error) error {
	return s.run(ctx, s.readers, "BEGIN", do)
}

func (s *Store) run(ctx context.Context, pool chan *conn, begin string, do func(*Tx) error) (err error) {
	var c *conn
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case c = <-pool:
	}
	defer func() { pool <- c }()
	// A transaction is short: to end it half-way because somebody hung up gains
	// nothing, and a context that can end costs a goroutine for each statement.
	ctx = context.WithoutCancel(ctx)
	tx := &Tx{Now: InstantOf(time.Now()), store: s, ctx: ctx, conn: c}
	if _, err := tx.exec(begin); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	committed := false
	defer func() {
		if !committed { // also when do panics
			_, back := tx.exec("ROLLBACK")
			if err != nil {
				err = errors.Join(err, back)
			}
		}
	}()
	if err := do(tx); err != nil {
		return err
	}
	if _, err := tx.exec("COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	committed = true
	for _, sig := range tx.raised {
		sig.Raise()
	}
	return nil
}
