package runner

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	stopWait    = 5 * time.Second  // for jobs under way when the lane stops
	expireEvery = time.Second      // stale jobs are looked for, while any wait, and what the clock says
	openAhead   = 10 * time.Second // before the instant of a job placed ahead a connector is made ready
	mostTasks   = 1024             // jobs known at a time: under way, being stored, put off
	mostAsides  = 2                // probes and schema reads at a time
	mostAhead   = 100              // jobs that the guardrail is shown with the one it is asked about
)

// A lane runs the jobs of one system. All its fields but outdated belong to the
// goroutine of [lane.run]; the workers it starts answer by events.
type lane struct {
	*Runner
	system *linkv1.System
	spare  *spare // the attributes that may leave
	limit  *limiter
	queue  *queue
	pause  circuit
	events chan event

	outdated    atomic.Bool // the system is configured otherwise now: nothing is begun any more
	rescissions chan takeback
	ownTries    int           // reads of its own that failed in a row
	poked       chan struct{} // holds one: the link came or went
	readAt      time.Time     // the last read ended, or the lane began; of a read of its own that failed: when to try again, less the interval

	conn       *connection // nil while there is none
	connecting bool
	faulty     *badSettings       // why the settings do not serve; nil if they do or nobody knows
	told       *connectorv1.Fault // as last reported of the system itself
	noRoom     bool               // the disk was full when it was last looked at
	unread     *putOff            // why reads are put off while writes may go on; nil if they are not

	writes, reads, asides int // under way; memberships that are written together are one write
	company               company
	alone                 bool // a suspect is under way
	expireAt              time.Time
}

func newLane(r *Runner, s *linkv1.System) *lane {
	limit := newLimiter()
	if n := r.Concurrency[s.GetName()]; n > 0 {
		limit = fixedLimiter(n)
	}
	return &lane{
		Runner: r, system: s, spare: newSpare(newAllowed(r.Guard.MayLeave(s))), limit: limit,
		queue: newQueue(), events: make(chan event, 256), rescissions: make(chan takeback),
		poked: make(chan struct{}, 1), readAt: time.Now(),
	}
}

// run works until ctx ends; what is under way then may take [stopWait]. An
// error is the disk's.
func (l *lane) run(ctx context.Context) error {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer l.disconnect()
	l.report(nil)
	timer := time.NewTimer(0)
	defer timer.Stop()
	arrived := l.Spool.Arrived(l.system.GetName())
	for {
		wake, err := l.step(work, time.Now())
		if err != nil {
			return errors.Join(err, l.drain(cancel))
		}
		if wake.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(wake))
		}
		select {
		case e := <-l.events:
			err = l.handle(e)
			for more := true; more && err == nil; {
				select {
				case e = <-l.events:
					err = l.handle(e)
				default:
					more = false
				}
			}
		case <-arrived:
			l.queue.arrived(time.Now())
		case <-timer.C:
		case <-l.poked:
			if full := l.Spool.Full() != nil; full != l.noRoom {
				l.noRoom = full
				l.report(l.told)
			}
		case r := <-l.rescissions:
			l.rescind(ctx, r)
		case <-l.conn.lost():
			l.Log.WarnContext(ctx, "Connector is replaced", "system", l.system.GetName(), "err", l.conn.process.Err())
			l.disconnect()
			l.trip(time.Now(), &connectorv1.Fault{Cause: "the connector's process was lost", NextStep: "Nothing: another is started. If it goes on, look at the agent's log."}, 0)
		case <-ctx.Done():
			return l.drain(cancel)
		}
		if err != nil {
			return errors.Join(err, l.drain(cancel))
		}
	}
}

// rescind takes a job back that is not under way; of one that is the result tells.
func (l *lane) rescind(ctx context.Context, r takeback) {
	t := l.queue.claim(&linkv1.Job{Id: r.GetJob(), System: r.GetSystem()})
	if t == nil {
		l.Log.InfoContext(ctx, "Job is under way and cannot be taken back", "job", r.GetJob(), "system", r.GetSystem())
		return
	}
	l.Guard.Forget(r.GetSystem(), r.GetJob())
	l.queue.start(t)
	go func() {
		l.events <- event{task: t, did: settled, err: r.store(context.WithoutCancel(ctx), l.Spool)}
	}()
}

// drain waits for what is under way, at last with force. What it does not
// finish is still in the spool.
func (l *lane) drain(cancel context.CancelCauseFunc) error {
	timer := time.AfterFunc(stopWait, func() {
		cancel(errors.New("the agent stops"))
	})
	defer timer.Stop()
	for l.queue.busy() > 0 || l.connecting {
		e := <-l.events
		if e.did == connected {
			l.connecting = false
			l.conn = e.conn
			continue
		}
		if e.did == settled {
			l.queue.done(e.task)
		}
	}
	return nil
}

// step begins whatever can be begun and says when it is to be called again,
// should nothing happen before.
func (l *lane) step(ctx context.Context, now time.Time) (wake time.Time, err error) {
	if l.outdated.Load() {
		return wake, nil
	}
	name := l.system.GetName()
	host := l.Clock.Now()
	if !now.Before(l.expireAt) && l.Spool.Waiting(name) > 0 {
		l.expireAt = now.Add(expireEvery)
		stale, err := l.Spool.Expired(name, 256, host)
		if err != nil {
			return wake, err
		}
		for _, job := range stale {
			if t := l.queue.claim(job); t != nil {
				l.Guard.Forget(name, job.GetId())
				l.answer(t, staleResult(t, host))
			}
		}
	}
	if err := l.queue.fill(l.Spool, name, now, host); err != nil {
		return wake, err
	}
	allowed := l.pause.allowed(now)
	if l.conn == nil {
		if !l.connecting && (allowed > 0 && (l.queue.waiting() || l.ownReadDue(now) || l.system.GetWatch() || l.queue.soon(now)) || l.queue.asideWaiting()) {
			l.connecting = true
			go l.connect(ctx)
		}
	} else {
		l.begin(ctx, now, allowed)
	}
	wake = earliest(l.queue.wake, l.pause.wake(now))
	if ahead := l.queue.first.Add(-openAhead); !l.queue.first.IsZero() && l.conn == nil && now.Before(ahead) {
		wake = earliest(wake, ahead)
	}
	if l.Spool.Waiting(name) > 0 {
		wake = earliest(wake, l.expireAt)
	}
	if own := l.ownReadAt(); own.After(now) {
		wake = earliest(wake, own)
	}
	return wake, nil
}

// begin starts jobs, in order, while there is room for their kind.
func (l *lane) begin(ctx context.Context, now time.Time, allowed int) {
	var ahead []*linkv1.Job // what is ready and not looked at yet
	l.queue.each(func(t *task) bool {
		if t.kind == aside { // a person waits for it, also while the lane pauses
			if l.asides < mostAsides {
				l.launch(ctx, t)
			}
			return true
		}
		if !l.leased(t, now) {
			return true
		}
		under := l.writes + l.reads
		if l.alone || under >= allowed || t.suspect && under > 0 {
			return !t.suspect // what is behind a suspect waits, so that the rest comes to an end
		}
		switch {
		case t.kind == read && l.reads > 0, t.kind == write && !l.room(t):
			return true
		}
		if t.kind == write {
			if ahead == nil {
				ahead = l.queue.jobs(portion + portion/4)
			}
			ahead = ahead[max(0, slices.Index(ahead, t.job)):]
			t.ahead = ahead[:min(len(ahead), mostAhead)]
		}
		l.launch(ctx, t)
		return true
	}, l.full)
	if l.ownReadDue(now) && l.reads == 0 && allowed > 0 && !l.alone {
		l.launch(ctx, &task{job: &linkv1.Job{System: l.system.GetName(), Work: &linkv1.Job_Read{Read: l.system.GetRead()}}, kind: read, own: true})
	}
	if l.writes < l.limit.limit() || l.company.under > 0 {
		l.limit.starved()
	}
}

// full says that no job of any kind could be begun: there is no need to look.
func (l *lane) full() bool {
	return l.writes >= l.limit.limit() && !l.company.open() && (l.queue.others == 0 || l.reads > 0 && l.asides >= mostAsides)
}

func (l *lane) launch(ctx context.Context, t *task) {
	l.queue.start(t)
	if t.shares = l.inCompany(t); t.shares {
		l.writes += l.company.join()
	} else {
		*l.count(t)++
	}
	l.alone = l.alone || t.suspect
	go l.work(ctx, t, l.conn)
}

func (l *lane) count(t *task) *int {
	switch t.kind {
	case read:
		return &l.reads
	case aside:
		return &l.asides
	}
	return &l.writes
}

// answer stores a result without asking the connector.
func (l *lane) answer(t *task, result *linkv1.Result) {
	l.queue.start(t)
	go func() {
		l.events <- event{task: t, did: settled, err: l.finish(t.job, result)}
	}()
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
