package chaos

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// forgedFrom is the least id of a job that the relay makes up.
const forgedFrom = 1 << 40

// A relay stands between agent and coordinator and speaks their protocol: it
// has stolen the coordinator's authority, so each takes it for the other. It
// carries frames, and does to them, and adds, what it is told.
//
//	agent ══ wire ══ relay ══ coordinator
type relay struct {
	authority *enroll.Authority
	to        string
	listener  net.Listener
	server    *grpc.Server

	mu      sync.Mutex
	mode    mode
	streams map[*relayed]bool
	seen    []*linkv1.Job             // the last that were sent
	forged  map[uint64]string         // what was made up, by id
	answers map[uint64]*linkv1.Result // to what was made up
}

// A mode is what a relay does to the frames that pass.
type mode int

const (
	faithful  mode = iota
	losing         // jobs, results, records and their acknowledgements are lost; the stream breaks afterwards
	doubling       // they come twice
	reversing      // those that come together come in reverse
)

// A relayed is one stream.
type relayed struct {
	down   grpc.BidiStreamingServer[linkv1.ConnectRequest, linkv1.ConnectResponse]
	up     grpc.BidiStreamingClient[linkv1.ConnectRequest, linkv1.ConnectResponse]
	cancel context.CancelFunc
	// Both under the relay's lock.
	broken  bool // nothing passes any more: what comes after a loss would be out of order
	greeted bool // the agent has its Welcome: what is added before would be taken for a Hello

	sendDown, sendUp sync.Mutex
}

// newRelay listens on the loopback, with the authority of the coordinator
// whose data folder it is, and carries to the address.
func newRelay(data, to string) (*relay, error) {
	authority, err := enroll.OpenAuthority(filepath.Join(data, "authority.pem"))
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{authority: authority, to: to, listener: listener, streams: map[*relayed]bool{}, forged: map[uint64]string{}, answers: map[uint64]*linkv1.Result{}}
	r.server = grpc.NewServer(grpc.MaxRecvMsgSize(32<<20), grpc.Creds(credentials.NewTLS(identity.ServerTLS(enroll.NewServer(authority, nil).Current, authority.Pool()))),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}))
	linkv1.RegisterLinkServiceServer(r.server, &relayService{relay: r})
	go func() { _ = r.server.Serve(listener) }()
	return r, nil
}

func (r *relay) close() { r.server.Stop() }

// set changes what is done to frames. After frames were lost the streams break,
// as they do where bytes are.
func (r *relay) set(m mode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.mode
	r.mode = m
	if was == losing && m != losing {
		for s := range r.streams {
			s.broken = true
			s.cancel()
		}
	}
}

type relayService struct {
	linkv1.UnimplementedLinkServiceServer
	*relay
}

// Connect implements linkv1.LinkServiceServer.
func (r *relayService) Connect(down grpc.BidiStreamingServer[linkv1.ConnectRequest, linkv1.ConnectResponse]) error {
	caller, err := enroll.Caller(down.Context())
	if err != nil {
		return err
	}
	cert, err := r.steal(caller)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient("passthrough:///"+r.to, grpc.WithTransportCredentials(credentials.NewTLS(
		identity.ClientTLS(func() (*tls.Certificate, error) { return cert, nil }, r.authority.Certificate()))),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(32<<20), grpc.MaxCallSendMsgSize(64<<20)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 10 * time.Second}))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(down.Context())
	defer cancel()
	s := &relayed{down: down, cancel: cancel}
	if s.up, err = linkv1.NewLinkServiceClient(conn).Connect(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	r.streams[s] = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.streams, s)
		r.mu.Unlock()
	}()
	go func() {
		defer cancel()
		r.carryUp(s)
	}()
	return r.carryDown(s)
}

// steal makes a certificate like the agent's.
func (r *relay) steal(caller identity.Caller) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf, err := r.authority.SignAgent(key.Public(), caller.Agent, caller.Generation, 24*time.Hour)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}, nil
}

func (r *relay) carryUp(s *relayed) {
	for {
		f, err := s.down.Recv()
		if err != nil {
			return
		}
		for range r.passUp(s, f) {
			if s.toCoordinator(f) != nil {
				return
			}
		}
	}
}

// passUp notes what passes and says how often.
func (r *relay) passUp(s *relayed, f *linkv1.ConnectRequest) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.broken {
		return 0
	}
	for _, result := range f.GetResults().GetResults() {
		if _, ours := r.forged[result.GetJob()]; ours {
			r.answers[result.GetJob()] = result
		}
	}
	if f.GetResults() == nil && f.GetRecords() == nil && f.GetAccepted() == nil {
		return 1
	}
	return r.times()
}

func (r *relay) times() int {
	switch r.mode {
	case losing:
		return 0
	case doubling:
		return 2
	}
	return 1
}

func (r *relay) carryDown(s *relayed) error {
	for {
		f, err := s.up.Recv()
		if err != nil {
			return err
		}
		for range r.passDown(s, f) {
			if err := s.toAgent(f); err != nil {
				return err
			}
		}
		if f.GetWelcome() != nil {
			r.mu.Lock()
			s.greeted = true
			r.mu.Unlock()
		}
	}
}

func (r *relay) passDown(s *relayed, f *linkv1.ConnectResponse) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.broken {
		return 0
	}
	if jobs := f.GetJobs(); jobs != nil {
		r.seen = append(r.seen, jobs.GetJobs()...)
		r.seen = r.seen[max(0, len(r.seen)-500):]
		if r.mode == reversing {
			slices.Reverse(jobs.Jobs)
		}
	}
	if c := f.GetCommitted(); c != nil && r.mode == reversing {
		slices.Reverse(c.Jobs)
	}
	if f.GetJobs() == nil && f.GetCommitted() == nil {
		return 1
	}
	return r.times()
}

func (s *relayed) toAgent(f *linkv1.ConnectResponse) error {
	s.sendDown.Lock()
	defer s.sendDown.Unlock()
	return s.down.Send(f)
}

func (s *relayed) toCoordinator(f *linkv1.ConnectRequest) error {
	s.sendUp.Lock()
	defer s.sendUp.Unlock()
	return s.up.Send(f)
}

// each calls do for every stream whose ends have greeted each other; there is one, or none.
func (r *relay) each(do func(*relayed)) (found bool) {
	r.mu.Lock()
	streams := make([]*relayed, 0, 1)
	for s := range r.streams {
		if s.greeted {
			streams = append(streams, s)
		}
	}
	r.mu.Unlock()
	for _, s := range streams {
		do(s)
	}
	return len(streams) > 0
}

// order sends the agent a job that nobody has planned.
func (r *relay) order(what string, job *linkv1.Job) (sent bool) {
	r.mu.Lock()
	job.Id = forgedFrom + uint64(len(r.forged))
	r.forged[job.Id] = what
	r.mu.Unlock()
	return r.each(func(s *relayed) {
		_ = s.toAgent(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Jobs{Jobs: &linkv1.Jobs{Jobs: []*linkv1.Job{job}}}})
	})
}

// connected tells whether the agent has a stream.
func (r *relay) connected() bool { return r.each(func(*relayed) {}) }

// answered tells whether a job that was made up has a result.
func (r *relay) answered(id uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answers[id] != nil
}

// replay sends the agent what it was sent before, as it was.
func (r *relay) replay() bool {
	r.mu.Lock()
	jobs := slices.Clone(r.seen)
	r.mu.Unlock()
	return r.each(func(s *relayed) {
		_ = s.toAgent(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Jobs{Jobs: &linkv1.Jobs{Jobs: jobs}}})
	})
}

// carriedOut returns what was made up and carried out all the same, and how
// much was made up and how much of that was refused.
func (r *relay) carriedOut() (found []string, forged, refused int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, result := range r.answers {
		if result.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE {
			found = append(found, fmt.Sprintf("a job that nobody planned was carried out: %s", r.forged[id]))
		} else {
			refused++
			if result.GetFault().GetCause() == "" {
				found = append(found, fmt.Sprintf("a job that nobody planned was refused without a cause: %s", r.forged[id]))
			}
		}
	}
	return found, len(r.forged), refused
}
