package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"github.com/drawbridge-id/drawbridge/agent/intact"
	berrors "go.etcd.io/bbolt/errors"
)

// A Summary is what a spool holds.
type Summary struct {
	ID      string
	Jobs    int // waiting to be run
	Results int // waiting to be confirmed
}

// Inspect looks into the spool at path and changes nothing, neither a damaged
// one. It returns [ErrInUse] at once while an agent runs, and [ErrDamaged] or
// [ErrSchema] if the file cannot be read.
func Inspect(path string) (s Summary, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("inspect spool %s: %w", path, err)
		}
	}()
	defer intact.Recovered(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 100 * time.Millisecond, ReadOnly: true})
	if errors.Is(err, berrors.ErrTimeout) {
		return Summary{}, ErrInUse
	}
	if err != nil {
		return Summary{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer db.Close()
	if err := intact.CheckSize(db); err != nil {
		return Summary{}, err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			return nil
		}
		got := string(meta.Get(schemaKey))
		if got != schema && got != unsummed {
			return fmt.Errorf("%w: schema %q", ErrSchema, got)
		}
		var c counts
		if err := c.load(tx, got == schema); err != nil {
			return err
		}
		id, err := idOf(meta, got == schema)
		if err != nil {
			return err
		}
		s = Summary{ID: id, Jobs: int(c.allJobs), Results: int(c.results)}
		return nil
	})
	return s, err
}

// LayoutOf returns the layout of the spool at path, also of one that this
// release does not know, and 0 if there is none; an agent must not run.
// It returns [ErrInUse] at once if one does, and [ErrDamaged].
func LayoutOf(path string) (layout int, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("look at spool %s: %w", path, err)
		}
	}()
	defer intact.Recovered(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 100 * time.Millisecond, ReadOnly: true})
	if errors.Is(err, berrors.ErrTimeout) {
		return 0, ErrInUse
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer db.Close()
	if err := intact.CheckSize(db); err != nil {
		return 0, err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			return nil
		}
		layout, err = strconv.Atoi(string(meta.Get(schemaKey)))
		return err
	})
	return layout, err
}
