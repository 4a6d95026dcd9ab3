package runner

import (
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

func (l *lane) handle(e event) error {
	now := time.Now()
	switch e.did {
	case answered:
		if e.task.suspect {
			l.alone = false
		}
		if e.task.shares {
			l.writes -= l.company.leave()
			break
		}
		*l.count(e.task)--
		if e.task.kind == write {
			l.limit.completed(now)
		}
	case settled:
		if e.err != nil {
			l.queue.done(e.task) // else drain would wait for it for ever
			return e.err
		}
		if e.put == nil {
			l.queue.done(e.task)
			if e.task.kind == read {
				l.readAt, l.ownTries = now, 0
			}
			if e.task.kind == read && l.unread != nil {
				l.unread = nil
				l.report(nil)
			}
			if e.ok && l.pause.success() || l.conn != nil && l.concurrencyChanged() {
				l.report(nil)
			}
			return nil
		}
		l.putOff(now, e.task, e.put)
	case connected:
		l.connecting = false
		l.isConnected(now, e)
	}
	return nil
}

// putOff has a job run again later, and the lane pause where it is not the
// job's alone.
func (l *lane) putOff(now time.Time, t *task, p *putOff) {
	if t.own {
		l.queue.done(t)
		l.ownTries++
		p.until = now.Add(max(growing(time.Second, l.ownTries, time.Minute), p.after))
		l.readAt = p.until.Add(-l.system.GetReadEvery().AsDuration())
		if !p.stopped {
			l.cannotRead(now, p)
		}
		return
	}
	switch {
	case p.lost:
		t.strikes++
		t.suspect = true
		l.queue.later(t, now)
	case p.unknown:
		t.strikes++
		l.queue.later(t, now.Add(growing(200*time.Millisecond, t.strikes, 5*time.Second)))
	case p.stopped: // the agent stops: it stays in the spool as it is
		l.queue.later(t, now.Add(time.Hour))
	case p.held:
		l.queue.later(t, p.until)
	default:
		t.tries++
		p.until = now.Add(max(growing(time.Second, t.tries, time.Minute), p.after))
		l.queue.later(t, p.until)
		if t.kind == read { // it stops nobody else: a file that is not there says nothing of writing
			l.cannotRead(now, p)
		}
		if t.kind == write && l.pause.failure(now) {
			l.trip(now, p.fault, p.after)
		}
	}
}

// cannotRead says why, and when it is tried again.
func (l *lane) cannotRead(now time.Time, p *putOff) {
	l.unread = p
	l.Log.Warn("System cannot be read", "system", l.system.GetName(), "cause", p.fault.GetCause(),
		"next_step", p.fault.GetNextStep(), "retry_in", p.until.Sub(now).Round(time.Millisecond))
	l.report(nil)
}

// ownReadAt is when the lane reads its system by itself; zero: not as things are.
func (l *lane) ownReadAt() time.Time {
	every := l.system.GetReadEvery().AsDuration()
	if every <= 0 || l.system.GetRead() == nil || !l.cutOff() {
		return time.Time{}
	}
	return l.readAt.Add(every)
}

func (l *lane) ownReadDue(now time.Time) bool {
	at := l.ownReadAt()
	return !at.IsZero() && !now.Before(at) && l.mayBegin(now) // at a site of several another agent reads
}

// trip pauses the lane.
func (l *lane) trip(now time.Time, fault *connectorv1.Fault, atLeast time.Duration) {
	l.pause.trip(now, atLeast)
	l.Log.Warn("System pauses", "system", l.system.GetName(), "cause", fault.GetCause(),
		"next_step", fault.GetNextStep(), "retry_in", l.pause.until.Sub(now).Round(time.Millisecond))
	l.report(fault)
}

func (l *lane) isConnected(now time.Time, e event) {
	if e.err == nil {
		l.conn, l.faulty = e.conn, nil
		l.report(nil)
		return
	}
	fault := faultOf(e.err)
	l.faulty = nil
	errors.As(e.err, &l.faulty)
	l.trip(now, fault, 0)
	l.queue.each(func(t *task) bool {
		if t.kind == aside || l.faulty != nil && (t.kind == read || t.job.GetFind() != nil) {
			outcome := connectorv1.Outcome_OUTCOME_UNAVAILABLE
			if l.faulty != nil {
				outcome = connectorv1.Outcome_OUTCOME_INVALID
			}
			l.answer(t, refuse(t.job, outcome, fault))
		}
		return true
	}, func() bool { return false })
}

func (l *lane) disconnect() {
	if l.conn != nil {
		l.conn.close()
		l.conn = nil
	}
}

func (l *lane) concurrencyChanged() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.states[l.system.GetName()].GetConcurrency() != uint32(l.limit.best())
}

// report tells the state of the system; fault is nil when it serves, as far as writes go.
func (l *lane) report(fault *connectorv1.Fault) {
	l.told = fault
	until := l.pause.until
	if full := l.Spool.Full(); fault == nil && full != nil {
		fault, until = diskFull(full), time.Time{}
	}
	if fault == nil && l.unread != nil {
		fault, until = l.unread.fault, l.unread.until
	}
	h := &linkv1.SystemHealth{
		System: l.system.GetName(), Revision: l.system.GetRevision(),
		Ready: fault == nil && l.conn != nil, Fault: fault, Concurrency: uint32(l.limit.best()),
	}
	if fault != nil && !until.IsZero() {
		h.NextTry = timestamppb.New(until)
	}
	l.setState(h)
}
