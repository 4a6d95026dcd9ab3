package spool

import (
	"errors"
	"fmt"
	"runtime/debug"
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
