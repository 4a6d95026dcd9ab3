package intake

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// The ledger of names is written when a name is reserved and when an object
// takes or leaves one. What comes to nothing in between leaves it as it was: a
// create that is not wanted any more, was refused or rejected; a name that was
// somebody else's, out of sight, at the time. So the ledger is gone through now
// and then, and what is spoken for in vain is given back:
//
//	holder            is kept while
//	a person          an account of theirs has it, or they are due, or have a job or a problem in the system
//	an account        it has it
//	nobody is known   never: whoever wants it tries, and it is noted again where it is taken still
//
// It is looked for in a snapshot, and what is found is looked at again where it
// is freed, so that nobody waits for it.

const (
	tidyEvery = 6 * time.Hour
	tidyFirst = 10 * time.Minute // after the start, when the coordinator has more to do
	tidyPause = 50 * time.Millisecond
)

// Tidy frees every few hours what is spoken for in vain until ctx ends, and returns its cause.
func (in *Intake) Tidy(ctx context.Context) error {
	for wait := tidyFirst; ; wait = tidyEvery {
		if err := pauseFor(ctx, wait); err != nil {
			return err
		}
		n, err := in.FreeNames(ctx)
		if err != nil && ctx.Err() == nil {
			in.Log.ErrorContext(ctx, "Names that nobody has were not freed; it is tried again", "err", err, "retry_in", tidyEvery)
		}
		if n > 0 {
			in.Log.InfoContext(ctx, "Freed names that were spoken for in vain", "names", n)
		}
	}
}

// FreeNames goes through the ledgers of all targets once, and returns how many names were freed.
func (in *Intake) FreeNames(ctx context.Context) (all int, err error) {
	var systems []store.System
	err = in.Store.Read(ctx, func(tx *store.Tx) error {
		tenants, err := tx.Tenants()
		for _, t := range tenants {
			rows, err2 := tx.Systems(t.ID)
			systems, err = append(systems, rows...), errors.Join(err, err2)
		}
		return err
	})
	for _, row := range systems {
		if err == nil && row.ReadAs == row.Revision { // else it is not known what its objects have
			var n int
			n, err = in.freeNamesOf(ctx, row)
			all += n
		}
	}
	return all, err
}

// freeNamesOf goes through the ledger of one system.
func (in *Intake) freeNamesOf(ctx context.Context, row store.System) (all int, err error) {
	var last store.Name
	for {
		var page, vain []store.Name
		if err := in.Store.Read(ctx, func(tx *store.Tx) (err error) {
			if page, err = tx.NamesAfter(row.Tenant, row.Name, last, atOnce); err == nil {
				vain, err = in.inVain(tx, row, page)
			}
			return err
		}); err != nil {
			return all, err
		}
		if len(vain) > 0 {
			if err := in.Store.WriteTenant(ctx, row.Tenant, func(tx *store.Tx) (err error) {
				if vain, err = in.inVain(tx, row, vain); err == nil {
					err = tx.RemoveNames(vain)
				}
				return err
			}); err != nil {
				return all, err
			}
			all += len(vain)
		}
		if len(page) < atOnce {
			return all, nil
		}
		last = page[len(page)-1]
		if err := pauseFor(ctx, tidyPause); err != nil {
			return all, err
		}
	}
}

// inVain gives those of a system's names that nothing has, and of whose holder nothing is under way.
func (in *Intake) inVain(tx *store.Tx, row store.System, names []store.Name) ([]store.Name, error) {
	s, err := in.scope(tx, row.Tenant, row.Name)
	if errors.Is(err, store.ErrNone) || err == nil && s.system.Target == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var holders []string
	for _, n := range names {
		holders = append(holders, n.Holder)
	}
	theirs, err1 := tx.AccountsOf(row.Tenant, holders)
	own, err2 := tx.Accounts(row.Tenant, row.Name, holders)
	busy, err3 := tx.BusyAmong(row.Tenant, row.Name, holders)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	had := map[store.Name]bool{}
	for _, a := range slices.Concat(theirs, own) {
		if a.System != row.Name || a.Gone != 0 {
			continue
		}
		of := s.of(a.Class)
		for _, holder := range []string{a.Person, a.ID} {
			for _, n := range owned(of.had(a), holder) {
				had[n] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(names), func(n store.Name) bool {
		return had[n] || n.Holder != "" && slices.Contains(busy, n.Holder)
	}), nil
}

// pauseFor waits, or gives the cause of ctx's end.
func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
