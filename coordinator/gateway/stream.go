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
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	jobsFrame = 1024             // jobs claimed in a transaction
	jobsBytes = 2 << 20          // of jobs after which a frame is sent: photos are large
	safety    = 10 * time.Second // how long a stream waits at most before it looks by itself
	seenEvery = time.Minute      // how often it is noted that an agent is still here
	unheard   = 1 << 18          // confirmations that may wait for an agent that sends and does not listen
)

// A stream is one agent's, from Hello to loss.
type stream struct {
	*Gateway
	rpc    grpc.BidiStreamingServer[linkv1.ConnectRequest, linkv1.ConnectResponse]
	agent  identity.Caller
	cancel context.CancelCauseFunc
	log    *slog.Logger

	window   int
	host     string        // as Hello calls it
	instance string        // of the agent's process
	spool    string        // of the agent, whose numbers its batches have
	since    store.Instant // connected
	assigned []int64       // jobs that the agent was sent before, and that had not ended then
	hello    chan *linkv1.Hello
	ready    chan struct{} // closed once Hello was taken
	gone     chan struct{} // closed when it has ended
	mail     chan struct{} // holds one: committed or open has changed

	welcomed  time.Time           // by the agent's leave; the sender's alone
	systems   string              // version of the frame last sent; the sender's alone
	rescinded map[uint64]struct{} // jobs that the agent was told to take back; likewise
	rescinds  <-chan struct{}     // closed when there may be more of them; likewise
	release   *linkv1.Release     // last offered; likewise
	offered   <-chan struct{}     // the store's signal by then; likewise
	asks      bool                // it waits for leave; likewise
	asked     time.Time           // when that was last looked at; likewise

	mu         sync.Mutex
	open       map[uint64]string // system by job
	held       map[string]int    // jobs of open by system
	beats      beats
	committed  linkv1.Committed
	complained time.Time
	updates    bool // the agent updates itself
	look       bool // its site's leave may be free
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

// receive sorts what the agent sends. It blocks while the committer lags
// behind, and with it, by flow control, the agent.
func (s *stream) receive(ctx context.Context) error {
	greeted := false
	for {
		frame, err := s.rpc.Recv()
		if errors.Is(err, io.EOF) {
			return errHungUp
		}
		if err != nil {
			return err
		}
		if hello := frame.GetHello(); hello != nil && !greeted {
			greeted = true
			s.hello <- hello
			select {
			case <-s.ready:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			continue
		}
		if frame.GetFrame() != nil && !greeted {
			return status.Error(codes.FailedPrecondition, "the first frame must be Hello")
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
		s.cancel(status.Error(codes.ResourceExhausted, "this agent sends results and does not take what it is told; come back and listen"))
	}
	s.wake()
}

// opened and ended keep count of what the agent has; mu is held.
func (s *stream) opened(job uint64, system string) {
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

func (s *stream) wake() {
	select {
	case s.mail <- struct{}{}:
	default:
	}
}

// lastWord is how long a stream that ends may still take what is being sent.
const lastWord = 100 * time.Millisecond

// send sends a frame, which the agent may keep waiting for as long as it likes
// by taking nothing. So a stream that is cut meanwhile does not wait for it:
// what is being sent ends with the stream.
func (s *stream) send(ctx context.Context, frame *linkv1.ConnectResponse) error {
	sent := make(chan error, 1)
	go func() { sent <- s.rpc.Send(frame) }()
	var err error
	select {
	case err = <-sent:
	case <-ctx.Done():
		select {
		case err = <-sent:
		case <-time.After(lastWord):
			return context.Cause(ctx)
		}
	}
	if errors.Is(err, io.EOF) {
		err = status.Error(codes.Unavailable, "the agent is gone")
	}
	return err
}

// run is the only sender. It sends what there is, then waits for more.
func (s *stream) run(ctx context.Context) error {
	if err := s.sendSystems(ctx); err != nil {
		return err
	}
	if err := s.sendAssigned(ctx); err != nil {
		return err
	}
	if len(s.assigned) > 0 {
		if err := s.resend(ctx); err != nil {
			return err
		}
		s.assigned = nil
	}
	if err := s.unwatched(ctx); err != nil {
		return err
	}
	seen := time.Now()
	for {
		// Before looking: nothing in between is missed.
		queued, applied, released := s.Store.Jobs.Next(), s.Store.Systems.Next(), s.Store.Releases.Next()
		wait, err := s.round(ctx)
		if err != nil {
			return err
		}
		next, err := s.beat(ctx)
		if err != nil {
			return err
		}
		wait = min(wait, next)
		if time.Since(seen) > seenEvery {
			seen = time.Now()
			if err := s.Store.Write(ctx, func(tx *store.Tx) error { return tx.SeenAgent(s.agent.Tenant, s.agent.ID) }); err != nil {
				return err
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-s.closing:
			if err = s.depart(ctx, "the coordinator is restarting", restartWait()); err == nil {
				err = status.Error(codes.Unavailable, "the coordinator is restarting")
			}
		case <-queued:
		case <-applied:
		case <-released:
		case <-s.mail:
		case <-timer.C:
		}
		timer.Stop()
		if err != nil {
			return err
		}
	}
}

// unwatched has the watched systems of the site read: while the agent was away
// nobody saw them change, and what it noticed last may be lost.
func (s *stream) unwatched(ctx context.Context) error {
	frame, _, err := s.systemsFrame(ctx)
	if err != nil {
		return err
	}
	for _, system := range frame.GetSystems() {
		if !system.GetWatch() {
			continue
		}
		if err := s.Changes.Changed(ctx, s.agent.Tenant, system.GetName()); err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
	}
	return nil
}

// round sends what there is, and tells how long there will be nothing if nobody signals.
func (s *stream) round(ctx context.Context) (time.Duration, error) {
	if err := s.sendCommitted(ctx); err != nil {
		return 0, err
	}
	if err := s.sendSystems(ctx); err != nil {
		return 0, err
	}
	if err := s.sendRescinds(ctx); err != nil {
		return 0, err
	}
	if err := s.sendRelease(ctx); err != nil {
		return 0, err
	}
	for {
		systems, wait, err := s.waiting(ctx)
		if err != nil || len(systems) == 0 {
			return wait, err
		}
		room, err := s.room(ctx, systems)
		if err != nil || len(room) == 0 {
			return safety, err
		}
		claimed, err := s.Queue.Claim(ctx, s.agent.Tenant, s.agent.Site, s.agent.ID, s.since, room)
		if err != nil || len(claimed) == 0 {
			return safety, anew(err)
		}
		if err := s.sendJobs(ctx, claimed); err != nil {
			return 0, err
		}
		if err := s.sendCommitted(ctx); err != nil {
			return 0, err
		}
	}
}

// room is how many jobs of which systems the agent can be sent now. Where the
// site has several systems each is given what leaves as much free as it has then:
// one that is slow, or away, holds half of the window at most, two a third each,
// and there is always room for another. None is given a trickle, because a
// transaction costs the same for one as for many.
func (s *stream) room(ctx context.Context, systems []string) (map[string]int, error) {
	frame, _, err := s.systemsFrame(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	free, most, room := s.window-len(s.open), max(1, jobsFrame/len(systems)), map[string]int{}
	for _, system := range systems {
		has, n := s.held[system], free
		if len(frame.GetSystems()) > 1 {
			n = (free - has + 1) / 2
		}
		if n = min(n, most); n > 0 && (has == 0 || n >= min(s.window/16, most/2)) {
			room[system] = n
			free -= n
		}
	}
	return room, nil
}

func (s *stream) sendJobs(ctx context.Context, jobs []*linkv1.Job) error {
	s.mu.Lock()
	for _, j := range jobs {
		if j.GetNotBefore() == nil { // what is placed for weeks takes no room from what is to be done now
			s.opened(j.GetId(), j.GetSystem())
		}
	}
	s.mu.Unlock()
	for _, j := range jobs {
		if j.GetApply() == nil { // it may come from a document that the agent has not got yet
			if err := s.sendSystems(ctx); err != nil {
				return err
			}
			break
		}
	}
	for len(jobs) > 0 {
		n, bytes := 1, proto.Size(jobs[0])
		for n < len(jobs) && bytes < jobsBytes {
			bytes += proto.Size(jobs[n])
			n++
		}
		if err := s.send(ctx, &linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Jobs{Jobs: &linkv1.Jobs{Jobs: jobs[:n]}}}); err != nil {
			return err
		}
		jobs = jobs[n:]
	}
	return nil
}

// resend sends what the agent was sent before and has not ended: it knows those it has.
func (s *stream) resend(ctx context.Context) error {
	for last := uint64(0); ; {
		jobs, err := s.Queue.Resend(ctx, s.agent.Tenant, s.agent.ID, last, jobsFrame)
		if err != nil || len(jobs) == 0 {
			return err
		}
		last = jobs[len(jobs)-1].GetId()
		if err := s.sendJobs(ctx, jobs); err != nil {
			return err
		}
	}
}

func (s *stream) sendSystems(ctx context.Context) error {
	frame, version, err := s.systemsFrame(ctx)
	if err != nil || version == s.systems && s.systems != "" {
		return err
	}
	if err := s.leases(ctx, frame.GetLease() != nil); err != nil {
		return err
	}
	if err := s.send(ctx, &linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Systems{Systems: frame}}); err != nil {
		return err
	}
	s.systems = version + "sent"
	return nil
}

func (s *stream) sendCommitted(ctx context.Context) error {
	s.mu.Lock()
	jobs, batch := s.committed.Jobs, s.committed.Batch
	s.committed.Jobs, s.committed.Batch = nil, 0
	s.mu.Unlock()
	if len(jobs) == 0 && batch == 0 {
		return nil
	}
	return s.send(ctx, &linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Committed{Committed: &linkv1.Committed{Jobs: jobs, Batch: batch}}})
}
