// Package link is the agent's end of the one stream to the coordinator: it
// connects outward, keeps the stream alive, and carries frames both ways.
//
// It holds nothing that must survive. Jobs go to the spool before they are
// acknowledged; results and records come from the spool and stay there until
// the coordinator has committed them. What a lost stream left unconfirmed is
// sent again by the next session, in the same order, so a cut at any byte
// costs a repetition and never a job. Certificates are agent/identity's,
// running jobs is agent/runner's.
//
// One session:
//
//	receive ──Jobs, Systems──► store ──► spool, site      store acknowledges
//	   │                         └─ids─► send             after the disk has it
//	   └──────Committed──────► forget ─► spool
//	spool ──results, records──► send ──► stream           batched, never awaited
//
// A coordinator that does not answer is noticed within 20 s: after 10 s of
// silence gRPC asks, and waits 10 s for the answer.
package link

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/spool"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Protocol is the highest version of the link contract that this agent speaks.
const Protocol = 1

// Errors a session may end with, besides those of network, disk and
// proto/identity.
var (
	// ErrClock: the host's clock is further off than [identity.MaxSkew]. No job
	// is taken then: not-before and not-after would mean something else here.
	ErrClock = errors.New("the clock of this host is wrong")
	// ErrRefused: the coordinator does not accept the agent. The error holds the
	// *identity.Refusal, if it gave one.
	ErrRefused = errors.New("the coordinator refuses this agent")
	// ErrProtocol: the two ends do not understand each other.
	ErrProtocol = errors.New("the coordinator does not keep to the protocol")
)

// A site is what the coordinator's word is carried out by.
type site interface {
	// Connectors are those installed here.
	Connectors(ctx context.Context) []*connectorv1.DescribeResponse
	// Systems replaces the configured systems; it returns when they are on disk.
	Systems(ctx context.Context, systems *linkv1.Systems) error
	// Rescind takes jobs back that were placed ahead of time.
	Rescind(ctx context.Context, jobs []*linkv1.Rescission) error
	// Assigned drops what is held and is not among jobs.
	Assigned(ctx context.Context, jobs []uint64) error
	// Beat has the lease go on from an instant.
	Beat(at time.Time)
}

// A self is who the agent is, and what it has lived through.
type self interface {
	// Mark says in hello how often this agent has connected.
	Mark(hello *linkv1.Hello) error
	// Taken notes that the coordinator has taken it.
	Taken() error
}

// A Link keeps one stream to the coordinator. Set the fields before [Link.Run];
// those without "Optional" are required.
type Link struct {
	Address string                                                      // host:port of the coordinator
	TLS     func() (*tls.Config, error)                                 // asked at each connection: certificates are renewed
	Dial    func(ctx context.Context, address string) (net.Conn, error) // Optional. Directly if nil
	Self    self                                                        // Optional. Without it the coordinator cannot tell this agent from a copy
	Version string                                                      // of the agent, SemVer
	Host    string                                                      // name of the host, for people
	Window  uint32                                                      // most jobs held unfinished
	Spool   *spool.Spool
	Site    site
	Log     *slog.Logger
	Told    func(clock time.Time)    // Optional. Told what time the coordinator has
	Offered func(*linkv1.Release)    // Optional. Told which release the agent is to have
	Linked  func(up bool, err error) // Optional. Told of each change, one call at a time
	MinWait time.Duration            // Optional. First pause after a lost session; 0 means 1 s
	MaxWait time.Duration            // Optional. Longest pause; 0 means 60 s

	out     outbox
	skew    atomic.Int64
	current atomic.Pointer[connection] // of the session that is open; nil for none
}

// departed ends a session that the coordinator asked to end.
type departed struct {
	reason string
	wait   time.Duration
}

func (d *departed) Error() string { return "the coordinator asked to hang up: " + d.reason }

// Run keeps a session open until ctx ends, then returns ctx's cause. The pause
// doubles while sessions fail and starts over after one that outlived MaxWait.
// None to all of it is waited, by chance, so that the agents of a coordinator
// that comes back are spread over it. Where the coordinator said when to come,
// none comes sooner, and up to half as much later.
func (l *Link) Run(ctx context.Context) error {
	least, most := cmp.Or(l.MinWait, time.Second), cmp.Or(l.MaxWait, time.Minute)
	for wait := least; ; wait = min(2*wait, most) {
		began := time.Now()
		err := l.Session(ctx)
		var depart *departed
		pause := rand.N(wait + 1)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &depart):
			pause = depart.wait + rand.N(max(depart.wait/2, least))
			wait = least
		case time.Since(began) > most:
			wait, pause = least, rand.N(least+1)
		}
		if l.Linked != nil {
			l.Linked(false, err)
		}
		l.Log.WarnContext(ctx, "Session ended", "err", err, "retry_in", pause.Round(time.Millisecond))
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// Changed queues the news that a watched system may hold something new. News
// not yet sent for the same system is replaced.
func (l *Link) Changed(c *linkv1.Changed) { l.out.setChanged(c) }

// Health queues the state of one system. The last state of each is kept and
// sent again at every connection, until [Link.Drop].
func (l *Link) Health(h *linkv1.SystemHealth) { l.out.setHealth(h) }

// Guardrail queues the policy in force. The last one is kept and sent after
// every Hello.
func (l *Link) Guardrail(g *linkv1.Guardrail) { l.out.setGuard(g) }

// Update queues how the agent's update stands. The last word is kept and sent
// after every Hello.
func (l *Link) Update(u *linkv1.Update) { l.out.setUpdate(u) }

// Fetch writes the bytes of an executable of a release from an offset on. They
// come by the connection of the session that is open, beside its stream, whose
// frames do not wait for them.
func (l *Link) Fetch(ctx context.Context, sha256 string, offset int64, to io.Writer) error {
	conn := l.current.Load()
	if conn == nil {
		return errors.New("there is no link to the coordinator")
	}
	stream, err := linkv1.NewLinkServiceClient(conn.ClientConn).Fetch(ctx, &linkv1.FetchRequest{Sha256: sha256, Offset: uint64(offset)})
	for err == nil {
		var part *linkv1.FetchResponse
		if part, err = stream.Recv(); err == nil {
			_, err = to.Write(part.GetData())
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Drop forgets the state of a system that is configured no more.
func (l *Link) Drop(system string) { l.out.drop(system) }

// Skew is how far the coordinator's clock was ahead of this host's when the
// last session began; 0 before the first.
func (l *Link) Skew() time.Duration { return time.Duration(l.skew.Load()) }

// sleep waits for d or until ctx ends, and returns ctx's cause then.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
