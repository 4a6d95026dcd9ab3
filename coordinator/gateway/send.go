package gateway

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	jobsFrame = 1024    // jobs claimed in a transaction
	jobsBytes = 2 << 20 // of jobs after which a frame is sent: photos are large
)

// turn sends what there is for the agent, and tells when it wants to look again
// by itself. Only one runs at a time. An error cuts the stream.
func (s *stream) turn() (next time.Duration, err error) {
	ctx := s.rpc.Context()
	if err = s.departs(ctx); err == nil && !s.greeted {
		err = s.greet(ctx)
		s.greeted = true
	}
	if err == nil {
		err = s.round(ctx)
	}
	if err == nil {
		next, err = s.beat(ctx)
	}
	if err != nil {
		s.cut(err)
	}
	return next, err
}

// send sends a frame. It waits for an agent that takes nothing until the stream is cut.
func (s *stream) send(frame *linkv1.ConnectResponse) error {
	err := s.rpc.Send(frame)
	if errors.Is(err, io.EOF) {
		err = status.Error(codes.Unavailable, "the agent is gone")
	}
	return err
}

// departs tells the agent to come back where the coordinator goes.
func (s *stream) departs(ctx context.Context) error {
	select {
	case <-s.closing:
		return cmp.Or(s.depart("the coordinator is restarting", restartWait()), status.Error(codes.Unavailable, "the coordinator is restarting"))
	case <-ctx.Done():
		return context.Cause(ctx)
	default:
		return nil
	}
}

// greet sends what an agent that has just come is to know before all else.
func (s *stream) greet(ctx context.Context) error {
	welcome := &linkv1.Welcome{Protocol: s.protocol, Clock: timestamppb.Now(), Version: s.Version}
	if err := s.send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Welcome{Welcome: welcome}}); err != nil {
		return err
	}
	s.welcomed = time.Now()
	if err := s.sendSystems(ctx); err != nil {
		return err
	}
	if err := s.sendAssigned(); err != nil {
		return err
	}
	if len(s.assigned) > 0 {
		if err := s.resend(ctx); err != nil {
			return err
		}
		s.assigned = nil
	}
	return s.unwatched(ctx)
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

// round sends all that there is.
func (s *stream) round(ctx context.Context) error {
	if err := s.sendCommitted(); err != nil {
		return err
	}
	if err := s.sendSystems(ctx); err != nil {
		return err
	}
	if err := s.sendRelease(ctx); err != nil {
		return err
	}
	if s.known.nothing(s.site(), s.Store.Jobs.Next()) {
		return nil
	}
	if err := s.sendRescinds(ctx); err != nil {
		return err
	}
	for {
		systems, err := s.Queue.Waiting(ctx, s.agent.Tenant, s.agent.Site)
		if err != nil || len(systems) == 0 {
			return err
		}
		room, err := s.room(ctx, systems)
		if err != nil || len(room) == 0 {
			return err
		}
		claimed, err := s.Queue.Claim(ctx, s.agent.Tenant, s.agent.Site, s.agent.ID, s.since, room)
		if err != nil || len(claimed) == 0 {
			return anew(err)
		}
		if err := s.sendJobs(ctx, claimed); err != nil {
			return err
		}
		if err := s.sendCommitted(); err != nil {
			return err
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
		if err := s.send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Jobs{Jobs: &linkv1.Jobs{Jobs: jobs[:n]}}}); err != nil {
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
	if err != nil || s.greeted && version == s.told() {
		return err
	}
	if err := s.leases(ctx, frame.GetLease() != nil); err != nil {
		return err
	}
	if err := s.send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Systems{Systems: frame}}); err != nil {
		return err
	}
	s.mu.Lock()
	s.systems = version
	s.mu.Unlock()
	return nil
}

func (s *stream) sendCommitted() error {
	s.mu.Lock()
	jobs, batch := s.committed.Jobs, s.committed.Batch
	s.committed.Jobs, s.committed.Batch = nil, 0
	s.mu.Unlock()
	if len(jobs) == 0 && batch == 0 {
		return nil
	}
	return s.send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Committed{Committed: &linkv1.Committed{Jobs: jobs, Batch: batch}}})
}
