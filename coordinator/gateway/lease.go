package gateway

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Agents of a site that has several are all at work, each with jobs of its own.
// When one dies the others finish what it had, and should it come back it must
// not write late. So each has a lease: it begins jobs only for so long after the
// last beat, and is sent a beat only when it has answered the one before.
//
//	beat ──► answered ──► beat ──► ✗                        no answer: the stream is cut
//	  └──────── lease ──────┴───────── lease ───────┤ margin ├► its jobs are the others'
//
// A killed process is noticed at once, a host without power after a lease; its
// jobs are another's 12 s after the last beat. What it had begun names the values
// that it expects, and finds them changed. When it is back it is told which jobs
// are its own still (Assigned) before its lease goes on.
//
// Where several coordinators share a store, one of them may die together with an
// agent of its own. So a beat is sent only once the store knows that the agent was
// heard just before; who has not been heard for two leases and the margin has none
// any more, and a coordinator that finds so of an agent of its own, because it could
// not write, cuts the stream and sends no beat.
//
//	heard, beat ──► ✗ both die                half a lease  lease  margin
//	  └──── may begin jobs until then at most ─────┴──────────┴──────┤ clocks differ ├► its jobs are the others'
//
// Their jobs are another's 24 s after the last beat, as long as the clocks of
// coordinators differ by less than half a lease.
//
// An agent that is alone needs no leave: it works on as long as the coordinator
// is away. Whether it has heard that it is alone no more says leased in its row;
// until then nobody has its jobs.
const leaseTime = 9 * time.Second

// beats are those of one stream. All but answer are the sender's alone.
type beats struct {
	has    bool      // the agent has a lease
	number uint64    // of the last one sent
	sent   time.Time // the last one
	answer uint64    // the last one that was answered; under the stream's lock
	stored bool      // that the agent knows of its lease; under the stream's lock
	known  bool      // that it did when it connected; likewise
}

func (g *Gateway) lease() time.Duration { return cmp.Or(g.Lease, leaseTime) }

// margin is left after a lease for what was about to be begun.
func (g *Gateway) margin() time.Duration { return g.lease() / 3 }

// sendAssigned tells the agent which jobs are its own.
func (s *stream) sendAssigned() error {
	frame := &linkv1.Assigned{}
	for _, id := range s.assigned {
		frame.Jobs = append(frame.Jobs, uint64(id))
	}
	return s.send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Assigned{Assigned: frame}})
}

// leases notes, before the agent is told, whether it has a lease from now on.
func (s *stream) leases(ctx context.Context, has bool) error {
	s.beats.has = has
	if has {
		return nil // noted when it has answered
	}
	s.mu.Lock()
	known := s.beats.known || s.beats.stored
	s.beats.known, s.beats.stored = false, false
	s.mu.Unlock()
	if !known {
		return nil
	}
	return s.Store.Write(ctx, func(tx *store.Tx) error { return tx.SetLeased(s.agent.Tenant, s.agent.ID, false) })
}

// beat sends a beat when it is time, and tells when it is time again. A stream
// whose agent has answered before and does not any more has ended.
func (s *stream) beat(ctx context.Context) (time.Duration, error) {
	if !s.beats.has {
		return never, nil
	}
	s.mu.Lock()
	answer := s.beats.answer
	s.mu.Unlock()
	gone, every := time.Since(s.beats.sent), s.lease()/3
	switch {
	case answer < s.beats.number && gone > s.lease() && answer > 0:
		return 0, status.Error(codes.Unavailable, "the agent gives no sign of life")
	case answer < s.beats.number:
		return max(s.lease()-gone, every/4), nil
	case gone < every:
		return every - gone, nil
	}
	if heard, err := s.heard(ctx); err != nil || !heard {
		return every / 4, err
	}
	s.beats.number++
	s.beats.sent = time.Now()
	return every, s.send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Beat{Beat: &linkv1.Beat{
		Number: s.beats.number, Since: durationpb.New(s.beats.sent.Sub(s.welcomed)),
	}}})
}

// A hearing notes in the store that an agent is here.
type hearing struct {
	stream *stream
	err    error
	done   chan struct{} // closed once err holds
}

// errUnheard ends a stream whose agent may have lost its jobs without knowing.
var errUnheard = status.Error(codes.Unavailable, "the coordinator could not note that the agent is here, and its jobs may be another's: come back and see")

// silence is after how long an agent that nobody hears has no lease any more.
func (g *Gateway) silence() time.Duration { return 2*g.lease() + g.margin() }

// heard notes in a store that is shared that the agent is here, and tells whether
// it is known there so soon that it may be sent a beat.
func (s *stream) heard(ctx context.Context) (bool, error) {
	if !s.Store.Shared() {
		return true, nil
	}
	began, h := time.Now(), &hearing{stream: s, done: make(chan struct{})}
	select {
	case s.hearings <- h:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	select {
	case <-h.done:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	return time.Since(began) < s.lease()/2, h.err
}

// hearAll notes which agents are here until ctx ends, all that wait of a tenant in a transaction.
func (g *Gateway) hearAll(ctx context.Context) error {
	for {
		of := map[string][]*hearing{}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case h := <-g.hearings:
			of[h.stream.agent.Tenant] = append(of[h.stream.agent.Tenant], h)
		}
		for more := true; more; {
			select {
			case h := <-g.hearings:
				of[h.stream.agent.Tenant] = append(of[h.stream.agent.Tenant], h)
			default:
				more = false
			}
		}
		for tenant, group := range of {
			g.hear(ctx, tenant, group)
		}
	}
}

func (g *Gateway) hear(ctx context.Context, tenant string, group []*hearing) {
	since := make(map[string]store.Instant, len(group))
	for _, h := range group {
		since[h.stream.agent.ID] = h.stream.since
	}
	var lost []string
	err := g.Store.Take(ctx, tenant, func(tx *store.Tx) (err error) {
		lost, err = tx.HearAgents(tenant, since, g.silence())
		return err
	})
	for _, h := range group {
		if h.err = err; err == nil && slices.Contains(lost, h.stream.agent.ID) {
			h.err = errUnheard
		}
		close(h.done)
	}
}

// answered notes an answer. The first one says that the agent knows of its lease.
func (s *stream) answered(ctx context.Context, number uint64) error {
	s.mu.Lock()
	s.beats.answer = max(s.beats.answer, number)
	stored := s.beats.stored
	s.beats.stored = true
	s.mu.Unlock()
	if stored {
		return nil
	}
	return s.Store.Write(ctx, func(tx *store.Tx) error { return tx.SetLeased(s.agent.Tenant, s.agent.ID, true) })
}

// takeover is from when on the jobs of the agent whose stream has ended may be another's.
func (s *stream) takeover(now store.Instant) store.Instant {
	if s.beats.sent.IsZero() {
		return now.Add(s.lease() + s.margin()) // the lease of an earlier stream may go on
	}
	return now.Add(max(0, s.lease()+s.margin()-time.Since(s.beats.sent)))
}

// relieveAll gives the jobs of agents that are away to others of their site
// until ctx ends, and returns its cause.
func (g *Gateway) relieveAll(ctx context.Context) error {
	for {
		var away []store.Agent
		err := g.Store.Read(ctx, func(tx *store.Tx) (err error) {
			away, err = tx.AgentsToRelieve(g.silence())
			return err
		})
		for _, a := range away {
			n := 0
			if err == nil {
				err = g.Store.Write(ctx, func(tx *store.Tx) (err error) {
					n, err = tx.RelieveAgent(a.Tenant, a.ID, g.silence())
					return err
				})
			}
			if n > 0 {
				g.Log.WarnContext(ctx, "Jobs of an agent that is away go to others of its site", "tenant", a.Tenant, "site", a.Site, "agent", a.ID, "jobs", n)
			}
		}
		if err == nil {
			err = g.partSilent(ctx)
		}
		if err != nil && ctx.Err() == nil {
			g.Log.ErrorContext(ctx, "Agents not relieved; tried again", "err", err)
		}
		if err := pause(ctx, g.lease()/4, nil); err != nil {
			return err
		}
	}
}

// partSilent notes that agents are away whose coordinator died and took no leave
// of them: whether anybody needs their jobs or not, they are shown as what they are.
func (g *Gateway) partSilent(ctx context.Context) error {
	var silent []store.Agent
	err := g.Store.Read(ctx, func(tx *store.Tx) (err error) {
		silent, err = tx.SilentAgents(g.silence())
		return err
	})
	for _, a := range silent {
		if err != nil {
			return err
		}
		var parted bool
		err = g.Store.WriteTenant(ctx, a.Tenant, func(tx *store.Tx) (err error) {
			parted, err = tx.PartSilent(a.Tenant, a.ID, g.silence())
			return err
		})
		if parted {
			g.Log.WarnContext(ctx, "Agent is away: its coordinator has ended without a word", "tenant", a.Tenant, "site", a.Site, "agent", a.ID)
		}
	}
	return err
}
