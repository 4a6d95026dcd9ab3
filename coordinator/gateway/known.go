package gateway

import (
	"context"
	"sync"
	"time"

	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A site is where agents serve.
type site struct{ tenant, name string }

// known is what streams of one site need not each ask the store for: its
// systems, and that nothing is queued for it. An answer is good until the store
// signals a change, and never for longer than safety: another coordinator's
// signal may be lost.
type known struct {
	mu      sync.Mutex
	systems map[site]systemsAnswer
	idle    map[site]idleAnswer
}

type systemsAnswer struct {
	signal  <-chan struct{}
	until   time.Time
	frame   *linkv1.Systems
	version string
}

type idleAnswer struct {
	signal <-chan struct{}
	until  time.Time
}

// systemsFrame gives the systems of the agent's site, not to be changed, and
// the sum of their revisions by name.
func (s *stream) systemsFrame(ctx context.Context) (*linkv1.Systems, string, error) {
	at, signal := site{s.agent.Tenant, s.agent.Site}, s.Store.Systems.Next() // before looking
	s.known.mu.Lock()
	answer, ok := s.known.systems[at]
	s.known.mu.Unlock()
	if ok && answer.signal == signal && time.Now().Before(answer.until) {
		return answer.frame, answer.version, nil
	}
	frame, version, err := s.readSystems(ctx)
	if err != nil {
		return nil, "", err
	}
	s.known.mu.Lock()
	defer s.known.mu.Unlock()
	if s.known.systems == nil {
		s.known.systems = map[site]systemsAnswer{}
	}
	s.known.systems[at] = systemsAnswer{signal, time.Now().Add(safety), frame, version}
	return frame, version, nil
}

// waiting tells which systems have something for the agent's site; where none
// has, how long there will be nothing if nobody signals.
func (s *stream) waiting(ctx context.Context) ([]string, time.Duration, error) {
	at, signal := site{s.agent.Tenant, s.agent.Site}, s.Store.Jobs.Next() // before looking
	s.known.mu.Lock()
	answer, ok := s.known.idle[at]
	s.known.mu.Unlock()
	if left := time.Until(answer.until); ok && answer.signal == signal && left > 0 {
		return nil, left, nil
	}
	systems, wait, err := s.Queue.Waiting(ctx, s.agent.Tenant, s.agent.Site, safety)
	if err != nil || len(systems) > 0 {
		return systems, 0, err
	}
	s.known.mu.Lock()
	defer s.known.mu.Unlock()
	if s.known.idle == nil {
		s.known.idle = map[site]idleAnswer{}
	}
	s.known.idle[at] = idleAnswer{signal, time.Now().Add(wait)}
	return nil, wait, nil
}
