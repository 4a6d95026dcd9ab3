package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

// How agents get a release. An agent is offered what its ring is to have, brings
// it by Fetch, and asks for leave by the state "ready". Leave is a row of the
// store, of which a site has one: it is given back by any word of the agent that
// it is not at it any more, by its revocation, and by taking it out of its ring.
// An agent that never comes back from a switch keeps it, so the other one of its
// site does not go the same way. A release that an agent took back is given to no
// further agent of the ring until the ring is moved again.
//
// What an agent executes is for the keys on its host to decide, not for this.

const (
	readyState = "ready"
	trialState = "trial"
	fetchBytes = 256 << 10 // of an executable in one frame
)

// takeUpdate notes how the agent's update stands.
func (s *stream) takeUpdate(ctx context.Context, now *linkv1.Update) error {
	err := s.Store.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.Agent(s.agent.Tenant, s.agent.ID)
		if err != nil {
			return err
		}
		u := store.Update{State: now.GetState(), Version: now.GetVersion(), Cause: now.GetCause(), Previous: now.GetPrevious()}
		if err := tx.SetUpdate(s.agent.Tenant, s.agent.ID, u, now.GetRing()); err != nil {
			return err
		}
		if u.State != readyState && u.State != trialState {
			if err := tx.DropLeave(s.agent.Tenant, s.agent.ID); err != nil {
				return err
			}
		}
		if row.Update.State == u.State && row.Update.Version == u.Version {
			return nil
		}
		text := ""
		switch u.State {
		case trialState:
			text = fmt.Sprintf("agent on %s: version %s is on trial", row.Host, u.Version)
		case "failed":
			text = fmt.Sprintf("agent on %s took version %s back: %s", row.Host, u.Version, u.Cause)
		case "current":
			if row.Update.State != trialState {
				return nil
			}
			text = fmt.Sprintf("agent on %s is updated to version %s", row.Host, u.Version)
		default:
			return nil
		}
		return tx.AddHistory([]store.History{{Tenant: s.agent.Tenant, Kind: history.Audit, Text: text}})
	})
	s.lookAgain()
	return err
}

// lookAgain has the streams of the site that are here look at what they are to
// be offered: leave may have become free. Those elsewhere look by themselves.
func (s *stream) lookAgain() {
	s.mu.Lock()
	s.updates = true
	s.mu.Unlock()
	s.Gateway.mu.Lock()
	defer s.Gateway.mu.Unlock()
	for agent, other := range s.streams {
		if agent.Tenant == s.agent.Tenant && agent.Site == s.agent.Site {
			other.mu.Lock()
			other.look = true
			other.mu.Unlock()
			other.wake()
		}
	}
}

// sendRelease offers the agent what its ring is to have, if that is news, with
// leave where it can be given. It looks when something may have changed.
func (s *stream) sendRelease(ctx context.Context) error {
	s.mu.Lock()
	updates, look := s.updates, s.look
	s.look = false
	s.mu.Unlock()
	signal := s.Store.Releases.Next() // before looking
	if !updates || !look && signal == s.offered && (!s.asks || time.Since(s.asked) < safety) {
		return nil
	}
	offer := &linkv1.Release{}
	asks := false
	err := s.Store.Read(ctx, func(tx *store.Tx) (err error) {
		offer, asks, err = s.offer(tx)
		return err
	})
	if err != nil {
		return err
	}
	if asks {
		err := s.Store.Write(ctx, func(tx *store.Tx) (err error) {
			if offer, asks, err = s.offer(tx); err != nil || !asks {
				return err
			}
			offer.Go, err = tx.TakeLeave(s.agent.Tenant, s.agent.Site, s.agent.ID, offer.GetVersion())
			return err
		})
		if err != nil {
			return err
		}
	}
	s.offered, s.asks, s.asked = signal, asks && !offer.GetGo(), time.Now()
	if proto.Equal(offer, s.release) {
		return nil
	}
	if err := s.send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Release{Release: offer}}); err != nil {
		return err
	}
	s.release = offer
	return nil
}

// offer gives what the agent is to have; asks tells that it waits for leave,
// which a release that another agent of the ring took back is not given.
func (s *stream) offer(tx *store.Tx) (offer *linkv1.Release, asks bool, err error) {
	offer = &linkv1.Release{}
	row, err := tx.Agent(s.agent.Tenant, s.agent.ID)
	if err != nil || row.Ring == "" {
		return offer, false, err
	}
	ring, err := tx.Ring(s.agent.Tenant, row.Ring)
	if errors.Is(err, store.ErrNone) || err == nil && ring.Version == "" {
		return offer, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	r, err := tx.Release(s.agent.Tenant, ring.Version)
	if errors.Is(err, store.ErrNone) { // it was removed
		return offer, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	offer.Version, offer.File = r.Version, r.File
	if row.Update.State != readyState || row.Update.Version != r.Version {
		return offer, false, nil
	}
	bad, err := tx.TookBack(ring)
	return offer, len(bad) == 0, err
}

// Fetch implements linkv1.LinkServiceServer.
func (g *Gateway) Fetch(in *linkv1.FetchRequest, rpc grpc.ServerStreamingServer[linkv1.FetchResponse]) error {
	agent, err := enroll.Caller(rpc.Context())
	if err != nil {
		return status.Error(codes.Unauthenticated, err.Error())
	}
	g.mu.Lock()
	s := g.streams[agent.Agent]
	g.mu.Unlock()
	if s == nil || s.agent != agent {
		return status.Error(codes.FailedPrecondition, "connect first: executables are given to agents whose stream is open")
	}
	ctx := rpc.Context()
	for at := int64(in.GetOffset()); ; {
		var data []byte
		err := g.Store.Read(ctx, func(tx *store.Tx) (err error) {
			data, err = tx.ReleasePart(agent.Tenant, in.GetSha256(), at/release.PartBytes)
			return err
		})
		if errors.Is(err, store.ErrNone) {
			return nil // the agent knows how many bytes there must be
		}
		if err != nil {
			g.Log.ErrorContext(ctx, "Executable not read", "err", err)
			return status.Error(codes.Unavailable, "the coordinator cannot read its store now")
		}
		whole := len(data) == release.PartBytes
		for data = data[min(int64(len(data)), at%release.PartBytes):]; len(data) > 0; {
			n := min(len(data), fetchBytes)
			if err := rpc.Send(&linkv1.FetchResponse{Data: data[:n]}); err != nil {
				return err
			}
			data, at = data[n:], at+int64(n)
		}
		if !whole {
			return nil
		}
	}
}
