// Package runner carries out the jobs in the spool. Every system has a lane of
// its own, so that one that fails or is slow never delays another.
//
//	spool ──Next──► lane ──► host.Process ──► outcome ──Finish──► spool
//	                 │ order by priority and id; one job per object at a time;
//	                 │ not-before, not-after and fence are honoured
//	                 └ as many at a time as a limiter found best by measuring
//
// What may go wrong, and what a lane does:
//
//   - A job is stale or fenced off: CONFLICT, it is planned again.
//   - UNAVAILABLE: the job waits and is tried again with growing pauses; after
//     three in a row the whole lane pauses and then tries one job alone.
//   - The connector is lost, or says UNKNOWN: the job is run again, because
//     operations are harmless to repeat. What was under way when a process was
//     lost runs alone the next time, so that the one that kills connectors is
//     found out; after three times it is UNKNOWN to the coordinator.
//   - Settings or secrets do not serve: reads and look-ups are answered INVALID,
//     changes wait until they are mended or stale.
//   - The agent stops: jobs under way get a few seconds, the rest stays in the
//     spool and is run at the next start.
//
// The runner decides nothing about what should exist (coordinator) and keeps no
// secret (agent/vault) and no fingerprint (agent/snapshot).
package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/agent/guard"
	"github.com/drawbridge-id/drawbridge/agent/host"
	"github.com/drawbridge-id/drawbridge/agent/spool"
	"github.com/drawbridge-id/drawbridge/agent/vault"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const sweepEvery = time.Minute // for jobs of systems that are not configured

// A reporter takes news for the coordinator; agent/link is one.
type reporter interface {
	Health(*linkv1.SystemHealth)
	Changed(*linkv1.Changed)
	Drop(system string)
}

// A guardrail is asked about a job just before it goes to its system, after
// everything else; agent/guard is one.
type guardrail interface {
	// Check decides about a job.
	Check(ctx context.Context, q guard.Question) guard.Verdict
	// MayLeave returns those of a system's attributes that may leave the site.
	MayLeave(system *linkv1.System) []string
	// Forget drops what is known of a job that has ended without being carried out.
	Forget(system string, job uint64)
}

// A Runner runs the lanes. Set the fields before [Runner.Run]; all but those marked are required.
type Runner struct {
	Spool       *spool.Spool
	Host        *host.Host
	Vault       *vault.Vault
	Folders     []string       // whose files settings may name
	Snapshots   string         // folder of the fingerprints
	Concurrency map[string]int // operations at a time by system; one that is not named finds its own
	Guard       guardrail
	Report      reporter
	// Trace, where set, begins to tell of a job; what it returns ends it, with nil where the job is run again. Optional.
	Trace func(context.Context, *linkv1.Job) (context.Context, func(*linkv1.Result))
	// Parent, where set, gives the traceparent of what is told under a context. Optional.
	Parent func(context.Context) string
	// Ended, where set, is told of jobs that have ended. Optional.
	Ended func(job *linkv1.Job, result *linkv1.Result, took time.Duration)
	Clock *Clock // Optional. By which jobs are begun; nil: the host's
	Log   *slog.Logger

	mu      sync.Mutex
	systems []*linkv1.System
	retry   []string      // lanes to be started anew
	current bool          // systems are from the coordinator, not from an earlier life
	changed chan struct{} // made on first use
	states  map[string]*linkv1.SystemHealth
	lanes   map[string]*running
	linked  bool
	lease   time.Duration // 0: the agent is alone at its site
	beat    time.Time     // the last
}

// SetSystems replaces the configured systems. current is false for those that
// were only remembered: then jobs of others are left waiting. It may be called
// at any time and does not wait; no job that is accepted later is begun with
// settings from before.
func (r *Runner) SetSystems(systems []*linkv1.System, current bool) {
	r.mu.Lock()
	r.systems, r.current = systems, current
	wanted := byName(systems)
	for name, l := range r.lanes {
		l.lane.outdated.Store(!proto.Equal(wanted[name], l.system))
	}
	r.mu.Unlock()
	r.poke() // one that is not outdated after all goes on
	select {
	case r.adjusted() <- struct{}{}:
	default:
	}
}

func byName(systems []*linkv1.System) map[string]*linkv1.System {
	all := make(map[string]*linkv1.System, len(systems))
	for _, s := range systems {
		all[s.GetName()] = s
	}
	return all
}

func (r *Runner) adjusted() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = make(chan struct{}, 1)
	}
	return r.changed
}

// Retry starts the lane of a system anew, because its secrets were given.
func (r *Runner) Retry(system string) {
	r.mu.Lock()
	r.retry = append(r.retry, system)
	if l := r.lanes[system]; l != nil {
		l.lane.outdated.Store(true)
	}
	r.mu.Unlock()
	select {
	case r.adjusted() <- struct{}{}:
	default:
	}
}

// States returns the state of every system, in ascending order of name.
func (r *Runner) States() []*linkv1.SystemHealth {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*linkv1.SystemHealth, 0, len(r.states))
	for _, h := range r.states {
		h = proto.CloneOf(h)
		h.Waiting = uint64(r.Spool.Waiting(h.GetSystem()))
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *linkv1.SystemHealth) int { return strings.Compare(a.GetSystem(), b.GetSystem()) })
	return all
}

// System returns a configured system, or nil.
func (r *Runner) System(name string) *linkv1.System {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.systems {
		if s.GetName() == name {
			return s
		}
	}
	return nil
}

// Run runs lanes until ctx ends, then returns its cause. It returns earlier
// only when the spool fails, which is the disk's fault.
func (r *Runner) Run(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	lanes := make(map[string]*running)
	defer func() {
		for _, l := range lanes {
			l.stop()
		}
		for _, l := range lanes {
			<-l.done
		}
	}()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-r.adjusted():
			r.adjust(ctx, fail, lanes)
		case <-sweep.C:
		case <-r.Spool.Fullness():
			r.poke()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := r.sweep(ctx, lanes); err != nil {
			return err
		}
	}
}

// running is a lane and the means to end it.
type running struct {
	system *linkv1.System
	lane   *lane
	stop   context.CancelFunc
	done   chan struct{}
}

// adjust starts, replaces and ends lanes as the systems demand.
func (r *Runner) adjust(ctx context.Context, fail context.CancelCauseFunc, lanes map[string]*running) {
	r.mu.Lock()
	wanted := byName(r.systems)
	again := r.retry
	r.retry = nil
	r.mu.Unlock()
	for name, l := range lanes {
		if s := wanted[name]; s != nil && proto.Equal(s, l.system) && !slices.Contains(again, name) {
			continue
		}
		l.stop()
		<-l.done
		delete(lanes, name)
		r.enter(name, nil)
		if wanted[name] == nil {
			r.Log.InfoContext(ctx, "System removed", "system", name)
			r.mu.Lock()
			delete(r.states, name)
			r.mu.Unlock()
			r.Report.Drop(name)
			if err := os.RemoveAll(l.lane.snapshots()); err != nil { // should it come back, all of it is sent
				r.Log.ErrorContext(ctx, "Snapshots of a removed system cannot be deleted", "system", name, "err", err)
			}
		}
	}
	for name, s := range wanted {
		if lanes[name] != nil {
			continue
		}
		r.Log.InfoContext(ctx, "System configured", "system", name, "connector", s.GetConnector(), "revision", s.GetRevision())
		laneCtx, stop := context.WithCancel(ctx)
		ln := newLane(r, s)
		l := &running{system: s, lane: ln, stop: stop, done: make(chan struct{})}
		lanes[name] = l
		r.enter(name, l)
		go func() {
			defer close(l.done)
			if err := ln.run(laneCtx); err != nil && laneCtx.Err() == nil {
				fail(fmt.Errorf("system %s: %w", name, err))
			}
		}()
	}
}

// enter makes a lane known to [Runner.Rescind], or forgets it.
func (r *Runner) enter(system string, l *running) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lanes == nil {
		r.lanes = make(map[string]*running)
	}
	if l == nil {
		delete(r.lanes, system)
		return
	}
	r.lanes[system] = l
	l.lane.outdated.Store(!proto.Equal(byName(r.systems)[system], l.system)) // they may be others already
}

// SetLinked tells whether the coordinator is there. While it is not, lanes read
// their systems by themselves, as often as the coordinator would have them read.
func (r *Runner) SetLinked(up bool) {
	r.mu.Lock()
	r.linked = up
	r.mu.Unlock()
	r.poke()
}

// poke has every lane look at what is not its own: the link, the disk.
func (r *Runner) poke() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lanes {
		select {
		case l.lane.poked <- struct{}{}:
		default:
		}
	}
}

func (r *Runner) cutOff() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.linked
}

// Rescind takes jobs back that were placed ahead of time, as far as they are not under way.
func (r *Runner) Rescind(ctx context.Context, jobs []*linkv1.Rescission) error {
	for _, job := range jobs {
		if err := r.takeBack(ctx, takeback{job, false}); err != nil {
			return err
		}
	}
	return nil
}

// A takeback is a job that is not to be run any more.
type takeback struct {
	*linkv1.Rescission
	drop bool // nobody waits for a result
}

func (t takeback) store(ctx context.Context, s *spool.Spool) error {
	if t.drop {
		return s.Drop(ctx, t.GetSystem(), t.GetJob())
	}
	return s.Rescind(ctx, t.Rescission)
}

// takeBack has the job's lane take it back, where there is one.
func (r *Runner) takeBack(ctx context.Context, job takeback) error {
	r.mu.Lock()
	l := r.lanes[job.GetSystem()]
	r.mu.Unlock()
	if l != nil {
		select {
		case l.lane.rescissions <- job:
			return nil
		case <-l.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return job.store(ctx, r.Spool)
}

// sweep answers jobs of systems that the coordinator has configured no more.
func (r *Runner) sweep(ctx context.Context, lanes map[string]*running) error {
	r.mu.Lock()
	current := r.current
	r.mu.Unlock()
	if !current {
		return nil
	}
	for _, name := range r.Spool.Queues() {
		if lanes[name] != nil {
			continue
		}
		jobs, _, err := r.Spool.Next(name, spool.Key{}, 1000, time.Now())
		if err != nil {
			return err
		}
		for _, job := range jobs {
			r.Guard.Forget(name, job.GetId())
			result := refuse(job, connectorv1.Outcome_OUTCOME_CONFLICT, &connectorv1.Fault{
				Cause:    fmt.Sprintf("system %q is not configured on this agent", name),
				NextStep: "Nothing: it is planned again if the system comes back.",
			})
			if err := r.finish(job, result); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish stores a result. That a job is held no more is no error.
func (r *Runner) finish(job *linkv1.Job, result *linkv1.Result) error {
	err := r.Spool.Finish(context.Background(), job, result) // what has happened is stored, also when the agent stops
	if errors.Is(err, spool.ErrNotHeld) {
		r.Log.Warn("Result of a job that is not held was dropped", "job", job.GetId(), "system", job.GetSystem())
		return nil
	}
	return err
}

// setState reports the state of a system where it differs from the last.
func (r *Runner) setState(h *linkv1.SystemHealth) {
	r.mu.Lock()
	if r.states == nil {
		r.states = make(map[string]*linkv1.SystemHealth)
	}
	old := r.states[h.GetSystem()]
	r.states[h.GetSystem()] = h
	r.mu.Unlock()
	if old != nil && old.GetReady() == h.GetReady() && old.GetRevision() == h.GetRevision() &&
		old.GetConcurrency() == h.GetConcurrency() && old.GetFault().GetCause() == h.GetFault().GetCause() && h.GetReady() {
		return
	}
	h.Waiting = uint64(r.Spool.Waiting(h.GetSystem()))
	r.Report.Health(proto.CloneOf(h))
}
