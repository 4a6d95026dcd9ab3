package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const unheard = 1 << 18 // confirmations that may wait for an agent that sends and does not listen

// A stream is one agent's, from Hello to loss.
type stream struct {
	*Gateway
	rpc   grpc.BidiStreamingServer[linkv1.ConnectRequest, linkv1.ConnectResponse]
	agent identity.Caller
	ender ender
	log   *slog.Logger

	protocol uint32 // version of the contract that is spoken
	window   int
	host     string        // as Hello calls it
	instance string        // of the agent's process
	spool    string        // of the agent, whose numbers its batches have
	since    store.Instant // connected
	assigned []int64       // jobs that the agent was sent before, and that had not ended then
	gone     chan struct{} // closed when it has ended

	turns     turns
	greeted   bool                // what is sent first was sent; the sender's alone
	welcomed  time.Time           // when Welcome was sent; likewise
	rescinded map[uint64]struct{} // jobs that the agent was told to take back; likewise
	rescinds  <-chan struct{}     // closed when there may be more of them; likewise
	release   *linkv1.Release     // last offered; likewise
	offered   <-chan struct{}     // the store's signal by then; likewise
	asks      bool                // it waits for leave; likewise
	asked     time.Time           // when that was last looked at; likewise

	mu         sync.Mutex
	cause      error             // of its end
	systems    string            // version of the frame last sent
	open       map[uint64]string // system by job
	held       map[string]int    // jobs of open by system
	beats      beats
	committed  linkv1.Committed
	complained time.Time
	updates    bool // the agent updates itself
	look       bool // its site's leave may be free
}

// site is where the agent serves.
func (s *stream) site() site { return site{s.agent.Tenant, s.agent.Site} }

// told is which systems the agent was told last.
func (s *stream) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.systems
}

// wake has what there is for the agent sent.
func (s *stream) wake() { s.turns.wake() }

// An ender tells the peer of an RPC how it has ended, and interrupts what waits for
// the peer in its handler. gRPC's streams have this, though not in their
// documentation: else there is no end from outside of a handler that waits for a
// frame, and each idle stream would need a second goroutine for that alone.
type ender interface {
	WriteStatus(*status.Status) error
}

// cut ends the stream: whoever waits for the agent, in Recv or Send or for the
// end of the context, waits no more. The first cause is what the agent is told.
func (s *stream) cut(cause error) {
	s.mu.Lock()
	first := s.cause == nil
	if first {
		s.cause = cause
	}
	s.mu.Unlock()
	if first {
		_ = s.ender.WriteStatus(status.Convert(s.verdict(cause))) // where it cannot be said, the connection has gone
	}
}

// verdict is what the agent is told of a stream's end.
func (s *stream) verdict(err error) error {
	if errors.Is(err, errHungUp) {
		return nil
	}
	if errors.Is(err, context.Canceled) { // the connection broke
		return status.FromContextError(context.Canceled).Err()
	}
	if _, told := status.FromError(err); told { // a refusal among them
		return err
	}
	s.log.Error("Stream ended", "err", err)
	return status.Error(codes.Unavailable, "the coordinator cannot go on now; come back")
}

// errHungUp ends a stream that the agent has ended.
var errHungUp = errors.New("the agent hung up")

// errAnew ends a stream that the agent has left for another.
var errAnew = status.Error(codes.Aborted, "the agent has connected anew")

// anew is errAnew where the queue found that out.
func anew(err error) error {
	if errors.Is(err, jobs.ErrSuperseded) {
		return errAnew
	}
	return err
}

// receive sorts what the agent sends, until the stream ends. It blocks while the
// committer lags behind, and with it, by flow control, the agent.
func (s *stream) receive(ctx context.Context) error {
	for {
		frame, err := s.rpc.Recv()
		if errors.Is(err, io.EOF) {
			return errHungUp
		}
		if err != nil {
			return err
		}
		if err := s.take(ctx, frame); err != nil {
			return err
		}
	}
}

func (s *stream) take(ctx context.Context, frame *linkv1.ConnectRequest) error {
	switch f := frame.GetFrame().(type) {
	case *linkv1.ConnectRequest_Records:
		return s.hand(ctx, parcel{stream: s, records: f.Records})
	case *linkv1.ConnectRequest_Results:
		return s.hand(ctx, parcel{stream: s, results: f.Results.GetResults()})
	case *linkv1.ConnectRequest_Accepted:
		if refused := f.Accepted.GetRefused(); len(refused) > 0 {
			s.log.WarnContext(ctx, "Agent refused jobs", "jobs", len(refused), "cause", f.Accepted.GetFault().GetCause(), "next_step", f.Accepted.GetFault().GetNextStep())
			if err := s.Queue.Refuse(ctx, s.agent.Tenant, s.agent.ID, s.since, refused); err != nil {
				return anew(err)
			}
			s.closed(refused)
		}
	case *linkv1.ConnectRequest_Changed:
		serves, err := s.serves(ctx, f.Changed.GetSystem())
		if err != nil {
			return err
		}
		if !serves {
			s.refused("a change in a system that is not of its site", f.Changed.GetSystem())
			return nil
		}
		err = s.Changes.Changed(ctx, s.agent.Tenant, f.Changed.GetSystem())
		if err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
	case *linkv1.ConnectRequest_Health:
		var mine []*linkv1.SystemHealth
		for _, h := range f.Health.GetSystems() {
			serves, err := s.serves(ctx, h.GetSystem())
			if err != nil {
				return err
			}
			if serves {
				mine = append(mine, h)
			} else {
				s.refused("the state of a system that is not of its site", h.GetSystem())
			}
		}
		return s.Store.Write(ctx, func(tx *store.Tx) error {
			for _, h := range mine {
				text, err := protojson.Marshal(h)
				if err != nil {
					continue
				}
				if err := tx.SetHealth(s.agent.Tenant, h.GetSystem(), string(text)); err != nil {
					return err
				}
			}
			return nil
		})
	case *linkv1.ConnectRequest_Beat:
		return s.answered(ctx, f.Beat.GetNumber())
	case *linkv1.ConnectRequest_Update:
		return s.takeUpdate(ctx, f.Update)
	case *linkv1.ConnectRequest_Guardrail:
		return s.Store.Write(ctx, func(tx *store.Tx) error { return s.takeGuardrail(tx, f.Guardrail) })
	default:
		s.log.DebugContext(ctx, "Frame of an unknown kind skipped")
	}
	return nil
}

// serves tells whether a system is of the agent's site.
func (s *stream) serves(ctx context.Context, system string) (bool, error) {
	frame, _, err := s.systemsFrame(ctx)
	return slices.ContainsFunc(frame.GetSystems(), func(c *linkv1.System) bool { return c.GetName() == system }), err
}

// refused says what of the agent's was let pass. A system that has just gone, or
// moved to another site, is the harmless cause.
func (s *stream) refused(what, system string) {
	s.mu.Lock()
	said := time.Since(s.complained) < time.Second // an agent in the wrong hands shall not fill the log
	if !said {
		s.complained = time.Now()
	}
	s.mu.Unlock()
	if said {
		return
	}
	s.log.Warn("Refused what the agent sent; if nothing was just changed, look at its host or revoke it",
		"what", what, "system", system)
}

func (s *stream) hand(ctx context.Context, p parcel) error {
	select {
	case s.parcels <- p:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// confirm has the agent told what is in the store.
func (s *stream) confirm(jobs []uint64, batch uint64) {
	s.mu.Lock()
	s.committed.Jobs = append(s.committed.Jobs, jobs...)
	s.committed.Batch = max(s.committed.Batch, batch)
	s.ended(jobs)
	deaf := len(s.committed.Jobs) > unheard
	s.mu.Unlock()
	if deaf {
		s.cut(status.Error(codes.ResourceExhausted, "this agent sends results and does not take what it is told; come back and listen"))
	}
	s.wake()
}

// opened and ended keep count of what the agent has; mu is held.
func (s *stream) opened(job uint64, system string) {
	if s.open == nil {
		s.open, s.held = map[uint64]string{}, map[string]int{}
	}
	if _, again := s.open[job]; !again {
		s.open[job] = system
		s.held[system]++
	}
}

func (s *stream) ended(jobs []uint64) {
	for _, job := range jobs {
		system, had := s.open[job]
		if !had {
			continue
		}
		delete(s.open, job)
		if s.held[system]--; s.held[system] == 0 {
			delete(s.held, system)
		}
	}
}

// closed makes room in the window for jobs that the agent has not got any more.
func (s *stream) closed(jobs []uint64) {
	s.mu.Lock()
	s.ended(jobs)
	s.mu.Unlock()
	s.wake()
}
