package runner

import (
	"time"

	"github.com/drawbridge-id/drawbridge/agent/spool"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	portion    = 256                    // jobs fetched from the spool at a time
	rescanWait = 100 * time.Millisecond // between looks at the head of the spool
	lookAgain  = time.Second            // what was placed ahead is looked at again: the clock may be set meanwhile
)

// A queue is a lane's view of its jobs in the spool: the next few, in order,
// and those begun or put off. It never holds all of them.
type queue struct {
	ready     []*task // fetched and not begun, in order
	cursor    spool.Key
	exhausted bool // nothing is behind cursor
	tasks     map[uint64]*task
	objects   map[string]bool // with a job under way
	others    int             // of ready: reads, probes and schemas
	running   int
	scanned   time.Time // when the head was last looked at
	rescan    time.Time // when it is to be looked at again; zero: no need
	wake      time.Time // when fill is to be called again
	first     time.Time // when the first job may be begun that was placed ahead; zero: none is known
}

func newQueue() *queue {
	return &queue{tasks: make(map[uint64]*task), objects: make(map[string]bool), rescan: time.Unix(0, 1)}
}

// arrived says that jobs were stored. They are mostly behind the cursor, but
// one of high priority is before it, so the head is looked at soon.
func (q *queue) arrived(now time.Time) {
	q.exhausted = false
	q.rescanAt(later(now, q.scanned.Add(rescanWait)))
}

func (q *queue) rescanAt(t time.Time) { q.rescan = earliest(q.rescan, t) }

// fill fetches jobs when few are ready, and from the head when it is time. host
// is the instant by which jobs may be begun; now goes on evenly, whatever is done to the clock.
func (q *queue) fill(s *spool.Spool, system string, now, host time.Time) error {
	if !q.rescan.IsZero() && !now.Before(q.rescan) {
		q.ready, q.others, q.cursor, q.exhausted = nil, 0, spool.Key{}, false
		q.scanned, q.rescan, q.first = now, time.Time{}, time.Time{}
		for _, t := range q.tasks {
			if !t.running && now.Before(t.again) {
				q.rescanAt(t.again)
			}
		}
	}
	for len(q.ready) < portion/4 && !q.exhausted && len(q.tasks) < mostTasks {
		jobs, wake, err := s.Next(system, q.cursor, portion, host)
		if err != nil {
			return err
		}
		if !wake.IsZero() {
			at := now.Add(wake.Sub(host))
			q.first = earliest(q.first, at)
			q.rescanAt(later(earliest(at, now.Add(lookAgain)), q.scanned.Add(rescanWait)))
		}
		q.exhausted = len(jobs) < portion
		for _, job := range jobs {
			q.cursor = spool.KeyOf(job)
			t := q.tasks[job.GetId()]
			if t == nil {
				t = &task{job: job, kind: kindOf(job)}
			}
			if !t.running && !now.Before(t.again) {
				q.ready = append(q.ready, t)
				q.others += t.other()
			}
		}
	}
	q.wake = q.rescan
	return nil
}

// each offers the ready tasks in order until next says no or full says that
// nothing can be begun. A task whose object has a job under way is passed over.
func (q *queue) each(next func(*task) bool, full func() bool) {
	kept := q.ready[:0]
	for i, t := range q.ready {
		if full() {
			kept = append(kept, q.ready[i:]...)
			break
		}
		if object := t.job.GetObject(); object != "" && q.objects[object] {
			kept = append(kept, t)
			continue
		}
		more := next(t)
		if t.running {
			q.others -= t.other()
		} else {
			kept = append(kept, t)
		}
		if !more {
			kept = append(kept, q.ready[i+1:]...)
			break
		}
	}
	clear(q.ready[len(kept):])
	q.ready = kept
}

// jobs returns the next n that are ready, in order. Within each it holds them
// all until something is begun; those passed over are among them.
func (q *queue) jobs(n int) []*linkv1.Job {
	next := make([]*linkv1.Job, 0, min(n, len(q.ready)))
	for _, t := range q.ready[:min(n, len(q.ready))] {
		next = append(next, t.job)
	}
	return next
}

// soon says whether the instant of a job placed ahead is near.
func (q *queue) soon(now time.Time) bool {
	return !q.first.IsZero() && !now.Before(q.first.Add(-openAhead))
}

// waiting says whether there is a task to be begun.
func (q *queue) waiting() bool { return len(q.ready) > 0 }

// asideWaiting says whether a probe or schema is to be begun.
func (q *queue) asideWaiting() bool {
	if q.others == 0 {
		return false
	}
	for _, t := range q.ready {
		if t.kind == aside {
			return true
		}
	}
	return false
}

// busy is how many tasks are under way or being stored.
func (q *queue) busy() int { return q.running }

// claim returns the task of a job that is not under way, else nil.
func (q *queue) claim(job *linkv1.Job) *task {
	t := q.tasks[job.GetId()]
	if t == nil {
		t = &task{job: job, kind: kindOf(job)}
	}
	if t.running {
		return nil
	}
	for i, r := range q.ready {
		if r.job.GetId() == job.GetId() {
			q.ready = append(q.ready[:i:i], q.ready[i+1:]...)
			q.others -= t.other()
			break
		}
	}
	return t
}

// start marks a task as under way; an object has one writer at a time.
func (q *queue) start(t *task) {
	t.running = true
	q.running++
	q.tasks[t.job.GetId()] = t
	if object := t.job.GetObject(); object != "" && !q.objects[object] {
		q.objects[object], t.holds = true, true
	}
}

func (q *queue) done(t *task) {
	t.running = false
	q.running--
	delete(q.tasks, t.job.GetId())
	if t.holds {
		delete(q.objects, t.job.GetObject())
		t.holds = false
	}
}

// later puts a task off; it is found again at the head of the spool.
func (q *queue) later(t *task, again time.Time) {
	q.done(t)
	t.again = again
	q.tasks[t.job.GetId()] = t
	q.rescanAt(later(again, q.scanned.Add(rescanWait)))
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
