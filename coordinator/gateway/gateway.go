// Package gateway holds the agents' streams: it sends what is theirs to do and
// commits what they send. It keeps nothing that must survive; which jobs there
// are is jobs', what records mean intake's, who may connect enroll's.
//
// A stream, after its Hello was taken and answered by Welcome:
//
//	receive ──records, results──► committer ──one transaction──► Committed ─┐
//	   │                          (all streams)                             ▼
//	   └──health, changed, refused──► store                                send ──► stream
//	store signals ──systems, queued jobs within the window────────────────►─┘
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
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/schedule"
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
func (g *Gateway) Depart() { close(g.closing) }

// Connect implements linkv1.LinkServiceServer.
func (g *Gateway) Connect(rpc grpc.BidiStreamingServer[linkv1.ConnectRequest, linkv1.ConnectResponse]) error {
	agent, err := enroll.Caller(rpc.Context())
	if refusal := (*identity.Refusal)(nil); errors.As(err, &refusal) {
		return refusal
	}
	if err != nil {
		return status.Error(codes.Unauthenticated, err.Error())
	}
	ctx, cancel := context.WithCancelCause(rpc.Context())
	defer cancel(nil)
	s := &stream{
		Gateway: g, rpc: rpc, agent: agent, cancel: cancel, log: g.Log.With("agent", agent.ID, "site", agent.Site),
		hello: make(chan *linkv1.Hello, 1), ready: make(chan struct{}), gone: make(chan struct{}), mail: make(chan struct{}, 1),
		open: map[uint64]string{}, held: map[string]int{},
	}
	go func() { cancel(s.receive(ctx)) }() // it ends with the stream, which is when this handler has returned
	err = g.serve(ctx, s)
	if err == nil || errors.Is(err, context.Canceled) {
		err = context.Cause(ctx)
	}
	cancel(err)
	return s.verdict(err)
}

// serve lets the agent in, and serves it until it goes.
func (g *Gateway) serve(ctx context.Context, s *stream) (err error) {
	var hello *linkv1.Hello
	select {
	case hello = <-s.hello:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(greetWait):
		return status.Error(codes.DeadlineExceeded, "no Hello came")
	}
	if hello.GetProtocol() == 0 {
		return status.Error(codes.InvalidArgument, "Hello tells no version of the contract")
	}
	if s.window = int(hello.GetWindow()); s.window == 0 {
		s.window = 1
	}
	s.host, s.instance, s.spool = hello.GetHost(), hello.GetInstance(), hello.GetSpool()
	if err := s.admit(ctx, hello); err != nil {
		return err
	}
	g.enter(s)
	defer func() { g.leave(ctx, s, err) }()
	s.log.InfoContext(ctx, "Agent connected", "host", hello.GetHost(), "version", hello.GetVersion())
	welcome := &linkv1.Welcome{Protocol: min(hello.GetProtocol(), Protocol), Clock: timestamppb.Now(), Version: g.Version}
	if err := s.send(ctx, &linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Welcome{Welcome: welcome}}); err != nil {
		return err
	}
	s.welcomed = time.Now()
	close(s.ready)
	return s.run(ctx)
}

// enter registers the stream as its agent's; an older one goes.
func (g *Gateway) enter(s *stream) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if old := g.streams[s.agent.Agent]; old != nil {
		old.cancel(errAnew)
		s.log.Info("Agent had another stream, which is cut")
	}
	g.streams[s.agent.Agent] = s
}

// verdict is what the agent is told of a stream's end.
func (s *stream) verdict(err error) error {
	if errors.Is(err, errHungUp) {
		return nil
	}
	if _, told := status.FromError(err); told { // a refusal among them
		return err
	}
	s.log.Error("Stream ended", "err", err)
	return status.Error(codes.Unavailable, "the coordinator cannot go on now; come back")
}

// readSystems reads what [stream.systemsFrame] gives.
func (s *stream) readSystems(ctx context.Context) (*linkv1.Systems, string, error) {
	frame := &linkv1.Systems{}
	version := ""
	err := s.Store.Read(ctx, func(tx *store.Tx) error {
		agents, err := tx.AgentsOfSite(s.agent.Tenant, s.agent.Site)
		if err != nil {
			return err
		}
		if agents > 1 {
			frame.Lease = durationpb.New(s.lease())
			version = "several\n"
		}
		rows, err := tx.SystemsOfSite(s.agent.Tenant, s.agent.Site)
		if err != nil {
			return err
		}
		for _, row := range rows {
			system, err := s.Systems.Get(row)
			if err != nil {
				s.log.ErrorContext(ctx, "Stored document cannot be used", "system", row.Name, "err", err)
				continue
			}
			version += fmt.Sprintf("%s %d\n", row.Name, row.Revision)
			m := &linkv1.System{
				Name: row.Name, Connector: row.Connector, Settings: string(system.Settings), Revision: uint64(row.Revision),
				Watch: system.Read.Watch, Attributes: system.Attributes(), Writes: system.Writes(),
			}
			if every := system.Read.Every; every > 0 {
				m.ReadEvery, m.Read = durationpb.New(every), &linkv1.Read{Classes: schedule.Classes(system), Attributes: system.Attributes()}
			}
			frame.Systems = append(frame.Systems, m)
		}
		return nil
	})
	return frame, version, err
}
