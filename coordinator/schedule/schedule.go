// Package schedule knows what happens when: systems are read at their interval,
// when their agent says that they changed, and when somebody asks; alarms make
// people due; problems are tried again. It holds no state of its own but the
// cause of the next read: every instant is in the store.
//
//	systems.next_read ─┐
//	alarm.at          ─┼─► Run sleeps until the earliest ─► Step ─► read jobs, due people
//	problem.retry     ─┘        woken by changes of any
//
// A read is never begun while one of the same system is open: an agent that is
// away finds one read waiting, not a hundred. Run looks at least every half
// minute, so that a clock that jumps costs no more than that.
package schedule

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const (
	// safety is how long Run sleeps at most.
	safety = 30 * time.Second
	// settle is how long a system must have been quiet since it said it changed.
	settle = 200 * time.Millisecond
	// patience is how long a system that goes on changing is waited for.
	patience = 5 * time.Second
	// busy is how long a read is put off while one of the same system is open.
	busy = time.Second
	// again is how long after a schema could not be read it is asked for again.
	again = 5 * time.Minute
	// many is how many alarms a transaction rings.
	many = 2000
)

// A Scheduler serves every tenant of a store. Run may run once at a time; the
// rest is safe for concurrent use.
type Scheduler struct {
	store   *store.Store
	systems *plan.Systems
	alarms  *store.Signal
	log     *slog.Logger

	woken   store.Signal          // next_read of something was set
	asked   map[key]store.Instant // when schemas were asked for; Step's alone
	mu      sync.Mutex
	changed map[key]store.Instant // when systems first said so that were not read since
}

type key struct{ tenant, system string }

// New makes a scheduler. alarms is raised when an alarm was stored; see plan.Planner.
func New(st *store.Store, alarms *store.Signal, log *slog.Logger) *Scheduler {
	return &Scheduler{store: st, systems: plan.NewSystems(), alarms: alarms, log: log, changed: map[key]store.Instant{},
		asked: map[key]store.Instant{}}
}

// Run does what is due, at the instant it is due, until ctx ends, and returns
// its cause. Errors are logged and tried again.
func (s *Scheduler) Run(ctx context.Context) error {
	for {
		systems, alarms, again := s.store.Systems.Next(), s.alarms.Next(), s.woken.Next()
		next, err := s.Step(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		wait := safety
		if err != nil {
			s.log.ErrorContext(ctx, "Schedule failed", "err", err, "retry_in", busy)
			wait, systems, alarms, again = busy, nil, nil, nil
		} else if !next.IsZero() {
			wait = min(wait, max(0, time.Until(next)))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-systems:
		case <-alarms:
		case <-again:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Step does everything that is due now, and returns when something is due next;
// zero when nothing is.
func (s *Scheduler) Step(ctx context.Context) (next time.Time, err error) {
	pending := false
	if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		next, err = upcoming(tx)
		pending = !next.IsZero() && !next.After(tx.Now.Time())
		if err != nil || pending {
			return err
		}
		pending, err = s.schemaWanted(tx)
		return err
	}); err != nil || !pending {
		return next, err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.RingAlarms(many); err != nil {
			return err
		}
		if _, err := tx.RetryProblems(); err != nil {
			return err
		}
		if err := s.readSchemas(tx); err != nil {
			return err
		}
		if err := s.read(tx); err != nil {
			return err
		}
		next, err = upcoming(tx)
		return err
	})
	return next, err
}

// Changed notes that a system's agent says it may hold something new. It is
// read as soon as it has been quiet for a moment.
func (s *Scheduler) Changed(ctx context.Context, tenant, system string) error {
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.System(tenant, system)
		if err != nil {
			return err
		}
		at := s.quietAt(tenant, system, tx.Now)
		if row.NextRead != 0 && row.NextRead < tx.Now {
			return nil // due already
		}
		return tx.SetNextRead(tenant, system, at)
	})
	if err != nil {
		return err
	}
	s.woken.Raise()
	return nil
}

// quietAt notes a change, and gives when the system is read for it: when it has
// been quiet for settle, but not later than patience after the first change.
func (s *Scheduler) quietAt(tenant, system string, now store.Instant) store.Instant {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{tenant, system}
	if s.changed[k] == 0 {
		s.changed[k] = now
	}
	return min(now.Add(settle), s.changed[k].Add(patience))
}

// cause takes why a system is read now.
func (s *Scheduler) cause(tenant, system string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{tenant, system}
	if s.changed[k] != 0 {
		delete(s.changed, k)
		return Changed
	}
	return Interval
}

// upcoming gives the earliest instant at which something is due, zero when there is none.
func upcoming(tx *store.Tx) (time.Time, error) {
	var earliest store.Instant
	for _, ask := range []func() (store.Instant, error){tx.NextAlarm, tx.NextRetry, tx.NextRead} {
		at, err := ask()
		if err != nil {
			return time.Time{}, err
		}
		if at != 0 && (earliest == 0 || at < earliest) {
			earliest = at
		}
	}
	return earliest.Time(), nil
}
