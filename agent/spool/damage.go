package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.etcd.io/bbolt"
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
// next Open reads all of the file before it trusts it again.
func (s *Spool) suspect(err *error) {
	if !errors.Is(*err, ErrDamaged) {
		return
	}
	note := os.WriteFile(suspectPath(s.path), []byte((*err).Error()+"\n"), 0o600)
	*err = errors.Join(*err, note)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = *err
}

func suspectPath(path string) string { return path + ".suspect" }

// checkSuspect reads all of a file that gave cause to doubt. It takes seconds per gigabyte.
func checkSuspect(path string, wait time.Duration) (err error) {
	if _, err := os.Stat(suspectPath(path)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	defer recovered(&err)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: wait, ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		return nil // Open will say what
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		for fault := range tx.Check() {
			return fmt.Errorf("%w: %w", ErrDamaged, fault)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return os.Remove(suspectPath(path))
}
