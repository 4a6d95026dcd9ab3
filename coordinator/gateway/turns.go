package gateway

import (
	"sync"
	"time"
)

// turns give a stream a sender, a goroutine, only while there is something to
// send: most streams are idle most of the time. Whoever has work for the agent
// calls wake.
//
//	              wake            wake
//	        ┌──────────────► busy ──────► busy, again
//	before ─┤ resting ◄─────┘  ▲              │
//	  begin └──────── nothing ─┴── one more ──┘       end, at any time: over
//
// A wake that comes while a turn is taken has another taken after it, so nothing
// is missed that was there to be seen before the wake.
type turns struct {
	mu      sync.Mutex
	state   turnState
	take    func() (next time.Duration, err error)
	alarm   *time.Timer // wakes by itself; nil until it is needed first
	senders sync.WaitGroup
}

type turnState uint8

const (
	before turnState = iota // a wake is not needed: the first turn is still to come
	resting
	busy
	again
	over
)

// never is how long there is nothing to do if nobody wakes.
const never = time.Duration(1<<63 - 1)

// begin has the first turn taken, and one for each wake from then on. take tells
// after how long it wants to be called without one, or never; none is taken after
// it has returned an error. It may be called once, before end.
func (t *turns) begin(take func() (next time.Duration, err error)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == before {
		t.take = take
		t.start()
	}
}

// wake has a turn taken that begins after it. It never waits.
func (t *turns) wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch t.state {
	case resting:
		t.start()
	case busy:
		t.state = again
	}
}

// end has no further turn taken, and waits for the one that is.
func (t *turns) end() {
	t.mu.Lock()
	t.state = over
	if t.alarm != nil {
		t.alarm.Stop()
	}
	t.mu.Unlock()
	t.senders.Wait()
}

// start makes a sender; mu is held.
func (t *turns) start() {
	t.state = busy
	t.senders.Go(func() {
		for {
			next, err := t.take()
			if err != nil || t.rest(next) {
				return
			}
		}
	})
}

// rest tells whether nobody has called wake since the turn began; then the sender ends.
func (t *turns) rest(next time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.state == again:
		t.state = busy
		return false
	case t.state == over || next == never:
	case t.alarm == nil:
		t.alarm = time.AfterFunc(next, t.wake)
	default:
		t.alarm.Reset(next)
	}
	if t.state == busy {
		t.state = resting
	}
	return true
}
