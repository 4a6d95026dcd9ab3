// Package gateway holds the agents' streams: it sends what is theirs to do and
// commits what they send. It keeps nothing that must survive; which jobs there
// are is jobs', what records mean intake's, who may connect enroll's.
//
// A stream, after its Hello was taken and answered by Welcome:
//
//	receive ──records, results──► committer ──one transaction──► Committed ─┐
//	   │                          (all streams)                             ▼
//	   └──health, changed, refused──► store                                turn ──► stream
//	store signals ──► watch ──systems, queued jobs within the window──────►─┘
//	                  (all streams)
//
// A stream that is idle has one goroutine, which waits for what the agent sends:
// whoever has something for the agent wakes the stream, and it has a second one
// for as long as that takes (turns.go). What only the store can tell is looked
// for once for all streams (watch.go). Whoever cuts a stream ends its context,
// and with it what waits for the agent, in either direction.
//
// What may go wrong:
//
//	a stream breaks               what was sent and has no result is sent again after the next Hello
//	the coordinator is killed     what was not confirmed comes again; jobs and batches are known by their numbers
//	a transaction fails           each part of it is tried alone; the stream whose part fails is cut, and repeats it
//	an agent was away             its watched systems are read when it is back
//	an agent is revoked           its stream is cut: at once, or within 2 s if another coordinator did it
//	an agent connects twice       the later stream stays, if it is of the same process or the earlier one proves dead
//	two hosts use one identity    the later one is refused as a clone while the earlier one is alive
//	a host was restored           its counter is behind: it is refused until an admin approves (enroll)
//	all agents come at once       many Hellos are one transaction; where too many wait, the rest are told when to come back
//	an agent of several dies      its lease ends, then its jobs go to the others (lease.go)
//	a frame of an unknown kind    it is skipped
package gateway

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Protocol is the highest version of the link contract that the gateway speaks.
const Protocol = 1

const (
	greetWait   = 30 * time.Second // for the agent's Hello
	frameBytes  = 16 << 20         // largest frame taken
	streamBytes = 1 << 20          // flow-control window
	writeBytes  = 16 << 10         // one record of TLS
)

// systems gives the compiled document of a row.
type systems interface {
	Get(store.System) (*mapping.System, error)
}

// changes is told that a watched system may hold something new.
type changes interface {
	Changed(ctx context.Context, tenant, system string) error
}

// Parts are what a Gateway is made of. All are required but those marked.
type Parts struct {
	Store   *store.Store
	Queue   *jobs.Queue
	Intake  *intake.Intake
	Systems systems
	Changes changes
	Version string // of the coordinator, SemVer
	Log     *slog.Logger

	Crowd     int           // Optional. Agents that may wait to be let in; 0 means 2048
	CloneWait time.Duration // Optional. For the stream of another process to prove dead; 0 means 27 s
	Lease     time.Duration // Optional. So long after a beat an agent of a site with several may begin jobs; 0 means 9 s
}

// A Gateway is the LinkService. Streams wait until [Gateway.Run] runs.
type Gateway struct {
	linkv1.UnimplementedLinkServiceServer
	Parts

	parcels    chan parcel     // to the committer
	admissions chan *admission // to who lets in
	hearings   chan *hearing   // to who notes which agents are here
	admitted   chan struct{}   // closed when nobody is let in any more
	turnedAway atomic.Int64    // since all were let in last
	cloneWait  time.Duration
	known      known

	mu      sync.Mutex
	streams map[identity.Agent]*stream
	closing chan struct{}
}

// New makes a gateway.
func New(parts Parts) *Gateway {
	return &Gateway{
		Parts: parts, parcels: make(chan parcel, 64), admissions: make(chan *admission, cmp.Or(parts.Crowd, crowd)), hearings: make(chan *hearing), admitted: make(chan struct{}),
		cloneWait: cmp.Or(parts.CloneWait, cloneWait), streams: map[identity.Agent]*stream{}, closing: make(chan struct{}),
	}
}

// Run lets agents in and commits what they send until ctx ends, and returns its
// cause. What has come in by then and is not committed comes again.
func (g *Gateway) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return g.commitAll(ctx) })
	group.Go(func() error { return g.admitAll(ctx) })
	group.Go(func() error { return g.cutShut(ctx) })
	group.Go(func() error { return g.relieveAll(ctx) })
	group.Go(func() error { return g.hearAll(ctx) })
	group.Go(func() error { return g.watch(ctx, &g.Store.Jobs, g.lookForJobs) })
	group.Go(func() error { return g.watch(ctx, &g.Store.Systems, g.lookForSystems) })
	group.Go(func() error { return g.watch(ctx, &g.Store.Releases, g.lookForReleases) })
	group.Go(func() error { return g.noteSeen(ctx) })
	return group.Wait()
}

// ServerOptions are what a gRPC server of a gateway needs besides its credentials: a dead agent is noticed within 30 s.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 15 * time.Second, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.MaxRecvMsgSize(frameBytes),
		// Most streams are idle most of the time: what they hold buffers for is theirs only while they use it.
		grpc.ReadBufferSize(0), // TLS has one
		grpc.WriteBufferSize(writeBytes),
		grpc.InitialWindowSize(streamBytes),
		grpc.InitialConnWindowSize(streamBytes),
	}
}

// Depart asks every agent to hang up and come back, for the reason, and lets no other in. It may be called once.
func (g *Gateway) Depart() {
	close(g.closing)
	g.each((*stream).wake)
}

// Connect implements linkv1.LinkServiceServer.
func (g *Gateway) Connect(rpc grpc.BidiStreamingServer[linkv1.ConnectRequest, linkv1.ConnectResponse]) error {
	agent, err := enroll.Caller(rpc.Context())
	if refusal := (*identity.Refusal)(nil); errors.As(err, &refusal) {
		return refusal
	}
	if err != nil {
		return status.Error(codes.Unauthenticated, err.Error())
	}
	ender, ok := grpc.ServerTransportStreamFromContext(rpc.Context()).(ender)
	if !ok {
		return status.Error(codes.Internal, "this build's gRPC cannot end a stream from outside of its handler")
	}
	s := &stream{Gateway: g, rpc: rpc, ender: ender, agent: agent, log: g.Log.With("agent", agent.ID, "site", agent.Site), gone: make(chan struct{})}
	s.cut(s.serve(rpc.Context()))
	return nil // what is to be told was told by cut
}

// serve lets the agent in, and serves it until it goes.
func (s *stream) serve(ctx context.Context) (err error) {
	hello, err := s.hello()
	if err != nil {
		return err
	}
	if err := s.admit(ctx, hello); err != nil {
		return err
	}
	s.enter()
	defer func() {
		s.cut(err) // with it the sender, if it waits for the agent
		s.turns.end()
		s.leave(ctx, s.cause)
	}()
	s.log.InfoContext(ctx, "Agent connected", "host", hello.GetHost(), "version", hello.GetVersion())
	s.turns.begin(s.turn)
	return s.receive(ctx)
}

// hello waits for the agent's first frame, and takes from it what the stream is to know.
func (s *stream) hello() (*linkv1.Hello, error) {
	late := time.AfterFunc(greetWait, func() { s.cut(status.Error(codes.DeadlineExceeded, "no Hello came")) })
	defer late.Stop()
	for {
		frame, err := s.rpc.Recv()
		if errors.Is(err, io.EOF) {
			return nil, errHungUp
		}
		hello := frame.GetHello()
		switch {
		case err != nil:
			return nil, err
		case hello == nil && frame.GetFrame() != nil:
			return nil, status.Error(codes.FailedPrecondition, "the first frame must be Hello")
		case hello == nil: // of a kind that is not known
			continue
		case hello.GetProtocol() == 0:
			return nil, status.Error(codes.InvalidArgument, "Hello tells no version of the contract")
		}
		s.protocol, s.window = min(hello.GetProtocol(), Protocol), int(cmp.Or(hello.GetWindow(), 1))
		s.host, s.instance, s.spool = hello.GetHost(), hello.GetInstance(), hello.GetSpool()
		return hello, nil
	}
}

// enter registers the stream as its agent's; an older one goes.
func (s *stream) enter() {
	s.Gateway.mu.Lock()
	defer s.Gateway.mu.Unlock()
	if old := s.streams[s.agent.Agent]; old != nil {
		old.cut(errAnew)
		s.log.Info("Agent had another stream, which is cut")
	}
	s.streams[s.agent.Agent] = s
}
