// Package plan turns people who are due into jobs. It loads them with
// everything that planning needs, asks reconcile what to do, and stores what
// comes back; it decides what is held, and carries out what a person decides.
// What should be done to an account is reconcile's, what becomes of a job that
// of package jobs.
//
//	due ─► load ─► reconcile.Plan ─► what has been refused is left out
//	                                 what breaks a threshold is held
//	                                 the rest is queued, one after the other
//
// One transaction holds a step: up to 1,000 people in the order in which they
// became due (which is that of their keys where all became due at once), with
// jobs, joins, names, alarms, waits, problems, the log, and the due rows that
// go. A process that ends in between has done nothing.
//
// A person of whom an agent has a job for a system is not planned there: its
// result makes them due again. Jobs that no agent has are compared with what is
// wanted now: the same ones stay, with their ids; others are dropped and made
// anew.
package plan

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const (
	// slice is how many people a transaction takes.
	slice = 1000
	// safety is how long Run waits at most before it looks by itself.
	safety = 30 * time.Second
)

// A Planner plans for every tenant of a store. Run may run once at a time; the
// rest is safe for concurrent use.
type Planner struct {
	// Alarms is raised when there may be an alarm or a retry that is earlier than those before.
	Alarms store.Signal

	store   *store.Store
	log     *slog.Logger
	systems *Systems
	intake  *intake.Intake // makes people anew of their records
	window  *window
	groups  *groupCache
}

// New makes a planner.
func New(st *store.Store, log *slog.Logger) *Planner {
	systems := NewSystems()
	return &Planner{store: st, log: log, systems: systems, intake: &intake.Intake{Store: st, Systems: systems, Log: log}, window: newWindow(), groups: newGroupCache()}
}

// Run plans whoever is due until ctx ends, and returns its cause. Errors are
// logged and tried again.
func (p *Planner) Run(ctx context.Context) error {
	pause := time.Second
	for {
		woken := p.store.Due.Next() // before looking: nothing in between is missed
		n, err := p.Step(ctx)
		var wait time.Duration
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			p.log.ErrorContext(ctx, "Planning failed", "err", err, "retry_in", pause)
			wait, woken = pause, nil
			pause = min(2*pause, safety)
		case n > 0:
			pause = time.Second
			continue
		default:
			pause = time.Second
			if wait, err = p.untilDue(ctx); err != nil {
				wait = pause
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-woken:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// untilDue is how long nobody is due, at most safety: clocks jump.
func (p *Planner) untilDue(ctx context.Context) (time.Duration, error) {
	wait := safety
	err := p.store.Read(ctx, func(tx *store.Tx) error {
		next, err := tx.NextDue()
		if err == nil && next != 0 {
			wait = min(wait, max(0, next.Time().Sub(tx.Now.Time())))
		}
		return err
	})
	return wait, err
}

// Step plans the next people that are due and returns how many there were.
func (p *Planner) Step(ctx context.Context) (n int, err error) {
	var done []func()
	err = p.store.Write(ctx, func(tx *store.Tx) error {
		n, done = 0, nil
		if err := p.window.load(tx); err != nil {
			return err
		}
		due, err := tx.DuePeople(slice)
		if err != nil {
			return err
		}
		n = len(due)
		for tenant, rows := range byTenant(due) {
			b := &batch{tx: tx, planner: p, tenant: tenant}
			if err := b.run(rows); err != nil {
				return err
			}
			done = append(done, b.counted...)
		}
		if n < slice { // nobody else is due
			return sealAll(tx)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, count := range done {
		count()
	}
	if n > 0 {
		p.Alarms.Raise()
	}
	return n, nil
}

// byTenant groups rows, keeping their order.
func byTenant(rows []store.Due) func(yield func(string, []store.Due) bool) {
	return func(yield func(string, []store.Due) bool) {
		var tenants []string
		for _, d := range rows {
			if !slices.Contains(tenants, d.Tenant) {
				tenants = append(tenants, d.Tenant)
			}
		}
		for _, t := range tenants {
			mine := rows
			if len(tenants) > 1 {
				mine = nil
				for _, d := range rows {
					if d.Tenant == t {
						mine = append(mine, d)
					}
				}
			}
			if !yield(t, mine) {
				return
			}
		}
	}
}
