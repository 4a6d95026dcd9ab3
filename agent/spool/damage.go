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

	"github.com/drawbridge-id/drawbridge/agent/intact"
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
	defer intact.Recovered(&err)
	return db.Close()
}
