package api

import (
	"context"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// share is how much of a processor whoever asks all the time for something that
// must be counted may take: a fiftieth.
const share = 50

// A recent is what was found out lately, by tenant: it is given again for as
// long as that keeps whoever asks all the time from taking more than his share.
// While somebody finds it out anew the others are given what there is. The zero
// value is ready.
type recent[T any] struct {
	mu sync.Mutex
	of map[string]*found[T]
}

type found[T any] struct {
	value T
	have  bool
	until time.Time
	busy  chan struct{} // nil while nobody finds it out
}

// get gives what is known for the tenant of whoever asks, or has it found out.
func (r *recent[T]) get(ctx context.Context, s *Server, find func(tx *store.Tx, tenant string) (T, error)) (T, error) {
	tenant := callerOf(ctx).tenant
	for {
		r.mu.Lock()
		if r.of == nil {
			r.of = map[string]*found[T]{}
		}
		f := r.of[tenant]
		if f == nil {
			f = &found[T]{}
			r.of[tenant] = f
		}
		if f.have && (f.busy != nil || time.Now().Before(f.until)) {
			r.mu.Unlock()
			return f.value, nil
		}
		if busy := f.busy; busy != nil { // the first time: there is nothing to give yet
			r.mu.Unlock()
			select {
			case <-busy:
				continue
			case <-ctx.Done():
				var none T
				return none, context.Cause(ctx)
			}
		}
		f.busy = make(chan struct{})
		r.mu.Unlock()
		return r.fill(ctx, s, f, find)
	}
}

func (r *recent[T]) fill(ctx context.Context, s *Server, f *found[T], find func(tx *store.Tx, tenant string) (T, error)) (value T, err error) {
	began := time.Now()
	err = s.read(ctx, func(tx *store.Tx, who caller) (err error) {
		value, err = find(tx, who.tenant)
		return err
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	close(f.busy)
	f.busy = nil
	if err == nil {
		f.value, f.have, f.until = value, true, began.Add(share*time.Since(began))
	}
	return value, err
}

// forget has it found out anew the next time: somebody has changed something.
func (r *recent[T]) forget(tenant string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.of[tenant]; f != nil {
		f.until = time.Time{}
	}
}

// totals are what takes counting over many rows.
type totals struct {
	people, due, later, alarms int64
	accounts                   []store.Count // by system
	jobs                       []store.Count // open ones, by state
}

func (s *Server) total(ctx context.Context) (totals, error) {
	return s.totals.get(ctx, s, func(tx *store.Tx, tenant string) (t totals, err error) {
		people, err := tx.CountPeople(tenant)
		if err != nil {
			return t, err
		}
		due, later, err := tx.CountDue(tenant)
		if err != nil {
			return t, err
		}
		looking, err := tx.CountToTouch(tenant) // it is not known yet whom these touch
		if err != nil {
			return t, err
		}
		t.people, t.due, t.later = int64(people), int64(due+looking), int64(later)
		if t.alarms, err = tx.CountAlarms(tenant); err != nil {
			return t, err
		}
		if t.accounts, err = tx.AccountCounts(tenant); err != nil {
			return t, err
		}
		t.jobs, err = tx.OpenJobCounts(tenant)
		return t, err
	})
}
