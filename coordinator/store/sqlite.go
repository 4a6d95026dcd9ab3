package store

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite" // also the driver named "sqlite"
)

// readers is how many reading transactions can be open at a time.
const readers = 4

// A file is a SQLite database: one connection that writes, several that read.
type file struct {
	held    *conn // of the file beside it that says the store is in use
	writer  chan *conn
	readers chan *conn
	open    int // connections made
}

func openFile(ctx context.Context, path string) (_ *file, err error) {
	f := &file{writer: make(chan *conn, 1), readers: make(chan *conn, readers)}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if err := f.hold(ctx, path+".lock"); err != nil {
		return nil, err
	}
	if err := touch(path); err != nil {
		return nil, err
	}
	if err := migrateFile(ctx, dsn(path, "rwc")); err != nil {
		return nil, err
	}
	if err := f.fill(ctx, f.writer, dsn(path, "rw")); err != nil {
		return nil, err
	}
	return f, f.fill(ctx, f.readers, dsn(path, "rw")+"&_pragma=query_only(1)")
}

// touch makes an empty file that its owner alone may read, unless it is there.
func touch(path string) error {
	made, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return made.Close()
}

// hold keeps every other coordinator from the store until this process ends or
// closes it. What is held is a lock of the operating system on a SQLite file
// without content: it cannot outlive the process.
func (f *file) hold(ctx context.Context, path string) error {
	if err := touch(path); err != nil {
		return err
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: slashed(path)}
	to, err := sqlite.NewConnector(u.String() + "?mode=rw&_busy_timeout=0&_journal_mode=MEMORY")
	if err != nil {
		return err
	}
	c, err := newConn(ctx, to)
	if err != nil {
		return inUse(err)
	}
	if _, err := c.exec(ctx, "BEGIN EXCLUSIVE", nil); err != nil {
		return errors.Join(inUse(err), c.close())
	}
	f.held = c
	return nil
}

// inUse makes SQLITE_BUSY into ErrInUse.
func inUse(err error) error {
	if code := (interface{ Code() int })(nil); errors.As(err, &code) && code.Code()&0xff == 5 {
		return ErrInUse
	}
	return err
}

// dsn names the file and how each connection to it is set up. Pages are small
// because ids and names are spread over all of an index: each is a page written
// twice, into the log and into the file, and the longer between two checkpoints
// the more often the second write serves several. The page size
// holds only if it is set before the journal mode: the driver sets what has a
// key of its own after the list of pragmas.
func dsn(path, mode string) string {
	u := url.URL{Scheme: "file", OmitHost: true, Path: slashed(path)}
	return u.String() + "?mode=" + mode + "&_busy_timeout=10000&_pragma=page_size(4096)&_pragma=cache_size(-65536)" +
		"&_pragma=temp_store(memory)&_pragma=journal_size_limit(67108864)&_pragma=wal_autocheckpoint(16000)" +
		"&_journal_mode=WAL&_synchronous=FULL"
}

func slashed(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return filepath.ToSlash(path)
}

func (f *file) fill(ctx context.Context, pool chan *conn, dsn string) error {
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
		f.open++
	}
	return nil
}

func (f *file) acquire(ctx context.Context, l lock) (session, func(), error) {
	pool := f.writer
	if l == snapshot {
		pool = f.readers
	}
	select {
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	case c := <-pool:
		return c, func() { pool <- c }, nil
	}
}

// close waits for running transactions.
func (f *file) close() error {
	var errs []error
	for range f.open {
		select {
		case c := <-f.readers:
			errs = append(errs, c.close())
		case c := <-f.writer:
			errs = append(errs, c.close())
		case <-time.After(10 * time.Second):
			errs = append(errs, errors.New("close store: a transaction is still open"))
		}
	}
	if f.held != nil {
		errs = append(errs, f.held.close())
	}
	return errors.Join(errs...)
}
