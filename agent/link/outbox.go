package link

import (
	"maps"
	"slices"
	"sync"

	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// An outbox holds what is to be sent and is on no disk. It is bounded by the
// number of systems and, for accepted ids, by the window of jobs.
type outbox struct {
	mu       sync.Mutex
	accepted []uint64
	refused  []*linkv1.Accepted
	changed  map[string]*linkv1.Changed
	health   map[string]*linkv1.SystemHealth
	stale    map[string]bool // systems whose health is to be sent
	guard    *linkv1.Guardrail
	update   *linkv1.Update
	beat     uint64        // to be answered; 0: none
	unsaid   bool          // guard is to be sent
	untold   bool          // update is to be sent
	signal   chan struct{} // holds one; made on first use
}

// mail is what one round of sending takes out of an outbox.
type mail struct {
	accepted []uint64
	refused  []*linkv1.Accepted
	changed  []*linkv1.Changed
	health   []*linkv1.SystemHealth
	guard    *linkv1.Guardrail
	update   *linkv1.Update
	beat     uint64
}

func (m *mail) empty() bool {
	return len(m.accepted)+len(m.refused)+len(m.changed)+len(m.health) == 0 && m.guard == nil && m.update == nil && m.beat == 0
}

// begin drops what belonged to the last session and puts every state in line.
func (o *outbox) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.accepted, o.refused, o.beat = nil, nil, 0
	o.stale = make(map[string]bool, len(o.health))
	for name := range o.health {
		o.stale[name] = true
	}
	o.unsaid, o.untold = o.guard != nil, o.update != nil
}

func (o *outbox) setGuard(g *linkv1.Guardrail) {
	o.mu.Lock()
	o.guard, o.unsaid = g, true
	o.mu.Unlock()
	o.wake()
}

func (o *outbox) setUpdate(u *linkv1.Update) {
	o.mu.Lock()
	o.update, o.untold = u, true
	o.mu.Unlock()
	o.wake()
}

func (o *outbox) setBeat(number uint64) {
	o.mu.Lock()
	o.beat = number
	o.mu.Unlock()
	o.wake()
}

func (o *outbox) addAccepted(ids []uint64) {
	o.mu.Lock()
	o.accepted = append(o.accepted, ids...)
	o.mu.Unlock()
	o.wake()
}

func (o *outbox) addRefused(r *linkv1.Accepted) {
	o.mu.Lock()
	o.refused = append(o.refused, r)
	o.mu.Unlock()
	o.wake()
}

func (o *outbox) setChanged(c *linkv1.Changed) {
	o.mu.Lock()
	if o.changed == nil {
		o.changed = make(map[string]*linkv1.Changed)
	}
	o.changed[c.GetSystem()] = c
	o.mu.Unlock()
	o.wake()
}

func (o *outbox) setHealth(h *linkv1.SystemHealth) {
	o.mu.Lock()
	if o.health == nil {
		o.health, o.stale = make(map[string]*linkv1.SystemHealth), make(map[string]bool)
	}
	o.health[h.GetSystem()] = h
	o.stale[h.GetSystem()] = true
	o.mu.Unlock()
	o.wake()
}

func (o *outbox) drop(system string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.health, system)
	delete(o.stale, system)
	delete(o.changed, system)
}

// take empties the outbox. Changed and health that could not be sent after all
// are lost with the session: the next one sends every state, and a change is
// found by the next scheduled read.
func (o *outbox) take() mail {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := mail{accepted: o.accepted, refused: o.refused, beat: o.beat}
	o.beat = 0
	for _, name := range slices.Sorted(maps.Keys(o.changed)) {
		m.changed = append(m.changed, o.changed[name])
	}
	for _, name := range slices.Sorted(maps.Keys(o.stale)) {
		m.health = append(m.health, o.health[name])
	}
	if o.unsaid {
		m.guard, o.unsaid = o.guard, false
	}
	if o.untold {
		m.update, o.untold = o.update, false
	}
	o.accepted, o.refused = nil, nil
	clear(o.changed)
	clear(o.stale)
	return m
}

// woken yields after [outbox.wake], once for any number of calls.
func (o *outbox) woken() <-chan struct{} { return o.channel() }

func (o *outbox) wake() {
	select {
	case o.channel() <- struct{}{}:
	default:
	}
}

func (o *outbox) channel() chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.signal == nil {
		o.signal = make(chan struct{}, 1)
	}
	return o.signal
}
