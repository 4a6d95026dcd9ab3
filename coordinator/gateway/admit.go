package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	admissions = 256              // of one transaction
	crowd      = 2048             // that may wait for it: more are told to come back
	cloneWait  = 27 * time.Second // in which the stream of a host that is gone has ended: keep-alive takes 25 s
	shutEvery  = 2 * time.Second  // how often it is looked for agents that another coordinator has shut out
	shutAgain  = time.Minute      // how far back: an agent may have been let in meanwhile, and clocks differ
)

// An admission is an agent's Hello on its way into the store, or its going.
type admission struct {
	stream *stream
	row    store.Agent // what Hello says; of one who goes only its name
	goes   bool
	err    error
	done   chan struct{} // closed once err holds
}

// errShed ends a stream that was told to come back.
var errShed = status.Error(codes.ResourceExhausted, "too many agents come at once; come back")

// A staleError says that a Hello has a counter that was said before.
type staleError struct{ row store.Agent }

func (e *staleError) Error() string { return "the agent's counter is behind" }

// admit checks that the agent is let in, and notes what its Hello says. A
// process whose counter is behind, or that comes while another of its identity
// is alive, is none that the coordinator can believe.
func (s *stream) admit(ctx context.Context, hello *linkv1.Hello) error {
	connectors := "["
	for i, c := range hello.GetConnectors() {
		text, err := protojson.Marshal(c)
		if err != nil {
			return status.Error(codes.InvalidArgument, "Hello describes a connector that cannot be read: "+err.Error())
		}
		if i > 0 {
			connectors += ","
		}
		connectors += string(text)
	}
	if old := s.other(); old != nil && old.instance != s.instance && old.instance != "" && s.instance != "" && old.outlives(ctx, s.cloneWait) {
		return s.clone(old)
	}
	a := &admission{stream: s, done: make(chan struct{}), row: store.Agent{
		Tenant: s.agent.Tenant, ID: s.agent.ID, Host: hello.GetHost(), Version: hello.GetVersion(), Platform: hello.GetPlatform(),
		Spool: hello.GetSpool(), Connectors: connectors + "]", Counter: int64(hello.GetCounter()), Attempt: hello.GetAttempt(),
	}}
	select {
	case s.admissions <- a:
	default:
		return s.shed()
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	stale := (*staleError)(nil)
	if !errors.As(a.err, &stale) {
		return a.err
	}
	if old := s.other(); old != nil && old.outlives(ctx, s.cloneWait) {
		return s.clone(old)
	}
	return &identity.Refusal{Reason: identity.Doubted, Clock: time.Now(), Message: fmt.Sprintf(
		"agent %s has connected %d times, last from host %s, and host %s comes as if it were the %d. time: it was restored from a snapshot or backup, and does not know what it did since",
		s.agent.ID, stale.row.Counter, stale.row.Host, hello.GetHost(), hello.GetCounter())}
}

// other returns the stream that the agent has already, or nil.
func (s *stream) other() *stream {
	s.Gateway.mu.Lock()
	defer s.Gateway.mu.Unlock()
	return s.streams[s.agent.Agent]
}

// outlives says whether the stream is still there after as long as it may take to notice a dead agent.
func (s *stream) outlives(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-s.gone:
		return false
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// clone refuses a second host of one identity; the first stays.
func (s *stream) clone(old *stream) error {
	s.log.Warn("Two hosts use one identity; the later one is refused", "first", old.host, "later", s.host)
	return &identity.Refusal{Reason: identity.Doubted, Clock: time.Now(), Message: fmt.Sprintf(
		"agent %s runs on host %s, connected since %s, and host %s has the same identity: one is a clone of the other. "+
			"If both shall work, enrol this one with a join token of its own; if it shall replace the other, let an admin approve it",
		s.agent.ID, old.host, old.since.Time().Format(time.RFC3339), s.host)}
}

// shed tells the agent to come back, each of many at another time.
func (s *stream) shed() error {
	n := s.turnedAway.Add(1)
	wait := time.Second + rand.N(min(time.Duration(n)*2*time.Millisecond, time.Minute)+time.Second)
	return errors.Join(s.depart("too many agents come at once", wait), errShed)
}

// depart tells the agent to hang up and come back.
func (s *stream) depart(reason string, wait time.Duration) error {
	return s.send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Depart{Depart: &linkv1.Depart{
		Reason: reason, ComeBackAfter: durationpb.New(wait),
	}}})
}

// restartWait is when agents come back to a coordinator that starts anew: not all in the same second.
func restartWait() time.Duration { return time.Second + rand.N(4*time.Second) }

// admitAll lets agents in and out until ctx ends, as many in a transaction as have come.
func (g *Gateway) admitAll(ctx context.Context) error {
	defer close(g.admitted)
	for {
		var group []*admission
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case a := <-g.admissions:
			group = append(group, a)
		}
		for more := true; more && len(group) < admissions; {
			select {
			case a := <-g.admissions:
				group = append(group, a)
			default:
				more = false
			}
		}
		if len(g.admissions) == 0 {
			g.turnedAway.Store(0)
		}
		err := g.Store.Write(ctx, func(tx *store.Tx) error {
			for _, a := range group {
				if a.err = a.store(tx); a.err != nil && !verdict(a.err) {
					return a.err
				}
			}
			return assigned(tx, group)
		})
		for _, a := range group {
			if err != nil {
				a.err = err
			}
			close(a.done)
		}
	}
}

// verdict says whether err is about one agent, and not the store's.
func verdict(err error) bool {
	refusal, stale := (*identity.Refusal)(nil), (*staleError)(nil)
	return errors.As(err, &refusal) || errors.As(err, &stale)
}

func (a *admission) store(tx *store.Tx) error {
	if a.goes {
		return a.gone(tx)
	}
	row, err := enroll.Admitted(tx, a.stream.agent)
	if err != nil {
		return err
	}
	again := a.row.Counter == row.Counter && a.row.Attempt == row.Attempt // the answer to it was lost
	if a.row.Counter != 0 && a.row.Counter <= row.Counter && !again {
		return &staleError{row}
	}
	a.stream.since = tx.Now
	a.stream.beats.known, err = tx.ConnectAgent(a.row)
	return err
}

// assigned gives each stream that was let in what its agent was sent before and
// has not ended: from now on only the stream itself has it sent more.
func assigned(tx *store.Tx, group []*admission) error {
	ids := map[string][]string{} // by tenant
	for _, a := range group {
		if !a.goes && a.err == nil {
			ids[a.row.Tenant] = append(ids[a.row.Tenant], a.row.ID)
		}
	}
	for tenant, agents := range ids {
		jobs, err := tx.AssignedJobs(tenant, agents)
		if err != nil {
			return err
		}
		for _, a := range group {
			if !a.goes && a.err == nil && a.row.Tenant == tenant {
				a.stream.assigned = jobs[a.row.ID]
			}
		}
	}
	return nil
}

// gone notes that the agent has gone. What a revoked one was sent between its
// revocation and the end of its stream goes to others.
func (a *admission) gone(tx *store.Tx) error {
	revoked, err := tx.DisconnectAgent(a.row.Tenant, a.row.ID, a.stream.since, a.stream.takeover(tx.Now))
	if err == nil && revoked {
		_, err = tx.RequeueAgent(a.row.Tenant, a.row.ID)
	}
	return err
}

// leave notes that the stream has ended, and why.
func (s *stream) leave(ctx context.Context, cause error) {
	s.Gateway.mu.Lock()
	if s.streams[s.agent.Agent] == s {
		delete(s.streams, s.agent.Agent)
	}
	s.Gateway.mu.Unlock()
	close(s.gone)
	s.log.InfoContext(ctx, "Agent disconnected", "cause", cause)
	a := &admission{stream: s, goes: true, row: store.Agent{Tenant: s.agent.Tenant, ID: s.agent.ID}, done: make(chan struct{})}
	select {
	case s.admissions <- a:
		select {
		case <-a.done:
		case <-s.admitted:
		}
	case <-s.admitted:
	}
	select {
	case <-a.done:
	default: // nobody admits any more
		a.err = s.Store.Write(context.WithoutCancel(ctx), a.store)
	}
	if a.err != nil {
		s.log.ErrorContext(ctx, "Agent's going not noted", "err", a.err)
	}
}

// cutShut cuts the streams of agents that are revoked, or whose certificates an
// attestation has made invalid, until ctx ends.
func (g *Gateway) cutShut(ctx context.Context) error {
	from := time.Now().Add(-shutAgain)
	for {
		woken := g.Store.Agents.Next()
		began := time.Now()
		err := g.Store.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.ShutAgents(store.InstantOf(from))
			for _, row := range rows {
				g.cut(tx, identity.Agent{Tenant: row.Tenant, Site: row.Site, ID: row.ID})
			}
			return err
		})
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			g.Log.ErrorContext(ctx, "Not looked for agents that are shut out; tried again", "err", err)
		default:
			from = began.Add(-shutAgain)
		}
		if err := pause(ctx, shutEvery/10, nil); err != nil { // agents that come and go wake it, too
			return err
		}
		if err := pause(ctx, shutEvery, woken); err != nil {
			return err
		}
	}
}

// cut ends the agent's stream if it would not be let in now.
func (g *Gateway) cut(tx *store.Tx, agent identity.Agent) {
	g.mu.Lock()
	s := g.streams[agent]
	g.mu.Unlock()
	if s == nil {
		return
	}
	if _, err := enroll.Admitted(tx, s.agent); verdict(err) {
		s.cut(err)
	}
}

// pause waits for d or until woken is closed; it returns ctx's cause when ctx ends.
func pause(ctx context.Context, d time.Duration, woken <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-woken:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
