package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Damage says that a spool file could not be read and what became of it. The
// coordinator sees by the new id that its jobs are gone and sends them again.
type Damage struct {
	Kept  string // path of the file set aside
	Cause error
}

func (d *Damage) Error() string {
	return fmt.Sprintf("spool could not be read (%v): kept as %s and begun anew; unfinished jobs will be sent again; check the disk", d.Cause, d.Kept)
}

func (d *Damage) Unwrap() error { return d.Cause }

// setAside renames a damaged file and returns its new name.
func setAside(path string) (string, error) {
	kept := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	if err := os.Rename(path, kept); err != nil {
		return "", fmt.Errorf("set aside damaged spool: %w", err)
	}
	if err := os.Remove(suspectPath(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return kept, nil
}

// checkSize notices a file that lost its end. Reading there would end the process.
func checkSize(db *bbolt.DB) error {
	info, err := os.Stat(db.Path())
	if err != nil {
		return err
	}
	return db.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w: the file has %d bytes, it had %d", ErrDamaged, info.Size(), tx.Size())
		}
		return nil
	})
}

// recovered turns a panic, of bbolt on a page that makes no sense or of the
// runtime on one that cannot be read, into [ErrDamaged].
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, p)
	}
}

// suspect stops the spool after damage was met, and leaves a note so that the
// next Open sets the file aside.
func (s *Spool) suspect(err *error) {
	if !errors.Is(*err, ErrDamaged) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return
	}
	note := os.WriteFile(suspectPath(s.path), []byte((*err).Error()+"\n"), 0o600)
	s.broken = errors.Join(*err, note)
	*err = s.broken
	close(s.damaged)
}

// Watch waits until damage is met, and returns [ErrDamaged] with what it was:
// nothing can be read or stored from then on, and the next Open sets the file
// aside. When ctx ends before, it returns its cause.
func (s *Spool) Watch(ctx context.Context) error {
	select {
	case <-s.damaged:
		return s.state()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func suspectPath(path string) string { return path + ".suspect" }

// checkSuspect tells of damage that was met when the file was in use last. It
// is not looked for again: a file whose pages all make sense may still hold
// what cannot be read, and would be met again at every start.
func checkSuspect(path string) error {
	note, err := os.ReadFile(suspectPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: met when it was in use last: %s", ErrDamaged, bytes.TrimSpace(note))
}

func closeDamaged(db *bbolt.DB) (err error) {
	defer recovered(&err)
	return db.Close()
}

// checkFile checks the pages of a file that no process writes to meanwhile. What
// bbolt itself has to say of a file is left to it.
func checkFile(path string, wait time.Duration) (err error) {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil
	}
	defer recovered(&err)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: wait, ReadOnly: true})
	if errors.Is(err, berrors.ErrTimeout) {
		return ErrInUse
	}
	if err != nil {
		return nil
	}
	defer db.Close()
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return checkPages(file)
}
