package runner

import (
	"context"
	"time"

	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A lease bounds what an agent does that is not alone at its site: its jobs go
// to another when it is away. Only what was placed ahead of time is begun
// without it, for that must happen whoever is away; what is under way when it
// ends names the values that it expects, and finds them changed.
//
//	Systems ─► for how long      Beat ─► from when      mayBegin: until when

// SetLease says how long after a beat jobs may be begun; 0: always.
func (r *Runner) SetLease(d time.Duration) {
	r.mu.Lock()
	changed := r.lease != d
	r.lease = d
	r.mu.Unlock()
	if changed {
		r.poke()
	}
}

// Beat says that at an instant, of the clock that goes on evenly, the
// coordinator held the agent's jobs for the agent's.
func (r *Runner) Beat(at time.Time) {
	lapsed := !r.mayBegin(time.Now())
	r.mu.Lock()
	if at.After(r.beat) {
		r.beat = at
	}
	r.mu.Unlock()
	if lapsed {
		r.poke()
	}
}

// mayBegin says whether jobs may be begun at an instant.
func (r *Runner) mayBegin(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lease == 0 || now.Before(r.beat.Add(r.lease))
}

// severalAgents says whether the agent is one of several of its site.
func (r *Runner) severalAgents() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lease != 0
}

// leased says whether a task may be begun, as far as the lease goes.
func (l *lane) leased(t *task, now time.Time) bool {
	return t.kind == aside || t.job.GetNotBefore() != nil || l.mayBegin(now)
}

// Assigned drops the jobs that are held, are not under way, and are not among
// the ids: they are another agent's by now, or have ended.
func (r *Runner) Assigned(ctx context.Context, ids []uint64) error {
	mine := make(map[uint64]bool, len(ids))
	for _, id := range ids {
		mine[id] = true
	}
	for _, system := range r.Spool.Queues() {
		held, err := r.Spool.Jobs(system)
		if err != nil {
			return err
		}
		dropped := 0
		for _, id := range held {
			if mine[id] {
				continue
			}
			if err := r.takeBack(ctx, takeback{&linkv1.Rescission{Job: id, System: system}, true}); err != nil {
				return err
			}
			dropped++
		}
		if dropped > 0 {
			r.Log.InfoContext(ctx, "Jobs dropped that are not this agent's any more", "system", system, "jobs", dropped)
		}
	}
	return nil
}
