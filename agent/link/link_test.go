package link_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/agent/link"
	"github.com/drawbridge-id/drawbridge/agent/spool"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// pki makes an authority, a coordinator's and an agent's certificate.
func pki(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	caKey := key(t)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	ca.Raw = sign(t, ca, ca, &caKey.PublicKey, caKey)
	authority, err := x509.ParseCertificate(ca.Raw)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name *url.URL, usage x509.ExtKeyUsage) tls.Certificate {
		k := key(t)
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(2), NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
			URIs: []*url.URL{name}, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		}
		return tls.Certificate{Certificate: [][]byte{sign(t, leaf, authority, &k.PublicKey, caKey), authority.Raw}, PrivateKey: k}
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	of := func(c tls.Certificate) func() (*tls.Certificate, error) {
		return func() (*tls.Certificate, error) { return &c, nil }
	}
	server = identity.ServerTLS(of(issue(identity.Coordinator(), x509.ExtKeyUsageServerAuth)), pool)
	agent := identity.Agent{Tenant: "t", Site: "s", ID: "a"}
	client = identity.ClientTLS(of(issue(agent.URI(), x509.ExtKeyUsageClientAuth)), authority)
	return server, client
}

func key(t *testing.T) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t *testing.T, c, parent *x509.Certificate, pub *ecdsa.PublicKey, k *ecdsa.PrivateKey) []byte {
	der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// A coordinator serves the stream with a store in memory. handle, if set, has
// the whole stream instead.
type coordinator struct {
	linkv1.UnimplementedLinkServiceServer
	address string
	handle  func(linkv1.LinkService_ConnectServer) error

	mu       sync.Mutex
	jobs     []*linkv1.Job // sent again at each connection until accepted
	accepted map[uint64]bool
	results  []*linkv1.Result // first arrivals, in order
	seen     map[uint64]*linkv1.Result
	records  []*linkv1.Records
	batch    uint64
	changed  chan struct{}
	hellos   []*linkv1.Hello
	health   []*linkv1.SystemHealth
	faults   []string
	rng      *mrand.Rand
}

func serve(t *testing.T, conf *tls.Config, c *coordinator) *coordinator {
	t.Helper()
	c.accepted, c.seen, c.changed = make(map[uint64]bool), make(map[uint64]*linkv1.Result), make(chan struct{}, 1)
	c.rng = mrand.New(mrand.NewPCG(1, 1))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.address = listener.Addr().String()
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(conf)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}))
	linkv1.RegisterLinkServiceServer(server, c)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return c
}

// grease returns a frame of a kind that no release knows.
func grease() *linkv1.ConnectResponse {
	f := new(linkv1.ConnectResponse)
	f.ProtoReflect().SetUnknown([]byte{0xfa, 0x3e, 3, 'a', 'b', 'c'}) // field 1007
	return f
}

func welcome() *linkv1.ConnectResponse {
	return &linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Welcome{Welcome: &linkv1.Welcome{
		Protocol: 1, Version: "1.0.0", Clock: timestamppb.Now(),
	}}}
}

func (c *coordinator) Connect(stream linkv1.LinkService_ConnectServer) error {
	if c.handle != nil {
		return c.handle(stream)
	}
	frame, err := stream.Recv()
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.hellos = append(c.hellos, frame.GetHello())
	var jobs []*linkv1.Job
	for _, j := range c.jobs {
		if !c.accepted[j.GetId()] {
			jobs = append(jobs, j)
		}
	}
	c.mu.Unlock()
	var sending sync.Mutex
	send := func(f *linkv1.ConnectResponse) {
		sending.Lock()
		defer sending.Unlock()
		c.mu.Lock()
		greased := c.rng.IntN(3) == 0
		c.mu.Unlock()
		if greased {
			_ = stream.Send(grease())
		}
		_ = stream.Send(f) // a lost stream shows at Recv
	}
	send(grease())
	send(welcome())
	go func() {
		for chunk := range slices.Chunk(jobs, 7) {
			send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Jobs{Jobs: &linkv1.Jobs{Jobs: chunk}}})
		}
	}()
	for {
		frame, err := stream.Recv()
		if err != nil {
			return err
		}
		if answer := c.take(frame); answer != nil {
			send(answer)
		}
	}
}

func (c *coordinator) take(frame *linkv1.ConnectRequest) *linkv1.ConnectResponse {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}()
	committed := new(linkv1.Committed)
	switch f := frame.GetFrame().(type) {
	case *linkv1.ConnectRequest_Accepted:
		for _, id := range f.Accepted.GetJobs() {
			c.accepted[id] = true
		}
		return nil
	case *linkv1.ConnectRequest_Health:
		c.health = append(c.health, f.Health.GetSystems()...)
		return nil
	case *linkv1.ConnectRequest_Results:
		for _, r := range f.Results.GetResults() {
			if old := c.seen[r.GetJob()]; old == nil {
				c.seen[r.GetJob()] = r
				c.results = append(c.results, r)
			} else if !proto.Equal(old, r) {
				c.faults = append(c.faults, "a result changed between repetitions")
			}
			committed.Jobs = append(committed.Jobs, r.GetJob())
		}
	case *linkv1.ConnectRequest_Records:
		if f.Records.GetBatch() > c.batch {
			c.batch = f.Records.GetBatch()
			c.records = append(c.records, f.Records)
		}
		committed.Batch = c.batch
	default:
		return nil
	}
	return &linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Committed{Committed: committed}}
}

// wait returns when done says so, which is asked at every change.
func (c *coordinator) wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		c.mu.Lock()
		ok := done()
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-c.changed:
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%s did not come about", what)
		}
	}
}

type site struct{ systems chan *linkv1.Systems }

func (site) Connectors(context.Context) []*connectorv1.DescribeResponse {
	return []*connectorv1.DescribeResponse{{Protocol: 1, Name: "csv", Version: "1.0.0"}}
}

func (s site) Systems(_ context.Context, systems *linkv1.Systems) error {
	if s.systems != nil {
		s.systems <- systems
	}
	return nil
}

func (site) Rescind(context.Context, []*linkv1.Rescission) error { return nil }

func (site) Assigned(context.Context, []uint64) error { return nil }

func (site) Beat(time.Time) {}

func newSpool(t *testing.T, opt spool.Options) *spool.Spool {
	t.Helper()
	s, err := spool.Open(filepath.Join(t.TempDir(), "spool.db"), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newLink(t *testing.T, address string, client *tls.Config, s *spool.Spool) *link.Link {
	return &link.Link{
		Address: address, TLS: func() (*tls.Config, error) { return client.Clone(), nil },
		Version: "1.0.0", Host: "host", Window: 100, Spool: s, Site: site{},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), MinWait: time.Millisecond, MaxWait: 20 * time.Millisecond,
	}
}

// start runs l until the test ends.
func start(t *testing.T, l *link.Link) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); l.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// Whatever bytes are cut, every job arrives once in the spool and every result
// and record batch arrives as it was stored and in that order.
func TestLink_survivesCuts(t *testing.T) {
	t.Parallel()
	server, client := pki(t)
	const n = 500
	c := &coordinator{}
	for i := range uint64(n) {
		c.jobs = append(c.jobs, &linkv1.Job{Id: i + 1, System: "ad", Object: "o", Work: &linkv1.Job_Probe{Probe: &linkv1.Probe{}}})
	}
	c = serve(t, server, c)
	proxy := newCutter(t, c.address)
	s := newSpool(t, spool.Options{})
	start(t, newLink(t, proxy.address, client, s))

	var want []*linkv1.Result
	var wantRecords []*linkv1.Records
	var key spool.Key
	for len(want) < n {
		jobs, _, err := s.Next("ad", key, 50, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range jobs {
			key = spool.KeyOf(job)
			if len(want)%10 == 0 {
				batch := &linkv1.Records{Job: job.GetId(), System: "ad", Records: []*connectorv1.Record{{Id: "x", Object: make([]byte, 2000)}}}
				if err := s.PutRecords(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
				wantRecords = append(wantRecords, batch)
			}
			result := &linkv1.Result{Job: job.GetId(), Outcome: connectorv1.Outcome_OUTCOME_DONE, Server: strings.Repeat("s", int(job.GetId()))}
			if err := s.Finish(t.Context(), job, result); err != nil {
				t.Fatal(err)
			}
			want = append(want, result)
		}
		if len(jobs) == 0 {
			time.Sleep(time.Millisecond)
		}
		if cuts := proxy.count(); cuts > 400 {
			proxy.heal()
		}
	}
	c.wait(t, "arrival of all results and records", func() bool { return len(c.results) == n && len(c.records) == len(wantRecords) })
	proxy.heal()
	c.wait(t, "an empty spool", func() bool { results, bytes := s.Held(); return results == 0 && bytes == 0 })
	c.mu.Lock()
	defer c.mu.Unlock()
	if diff := cmp.Diff(want, c.results, protocmp.Transform()); diff != "" {
		t.Errorf("results: -stored +arrived\n%s", diff)
	}
	if diff := cmp.Diff(wantRecords, c.records, protocmp.Transform()); diff != "" {
		t.Errorf("records: -stored +arrived\n%s", diff)
	}
	if len(c.faults) > 0 {
		t.Errorf("faults: %q", c.faults)
	}
	if proxy.count() < 10 {
		t.Errorf("only %d cuts", proxy.count())
	}
	t.Logf("%d cuts, %d sessions", proxy.count(), len(c.hellos))
}

// Hello says who the agent is, and every state is told anew after it.
func TestLink_hello(t *testing.T) {
	t.Parallel()
	server, client := pki(t)
	c := serve(t, server, &coordinator{})
	s := newSpool(t, spool.Options{})
	l := newLink(t, c.address, client, s)
	l.Health(&linkv1.SystemHealth{System: "ad", Ready: true})
	l.Health(&linkv1.SystemHealth{System: "gone"})
	l.Drop("gone")
	start(t, l)
	c.wait(t, "hello and health", func() bool { return len(c.hellos) > 0 && len(c.health) > 0 })
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hellos[0]
	if h.GetSpool() != s.ID() || h.GetWindow() != 100 || h.GetProtocol() != 1 || h.GetHost() != "host" || len(h.GetConnectors()) != 1 || h.GetClock() == nil {
		t.Errorf("hello = %v", h)
	}
	if len(c.health) != 1 || c.health[0].GetSystem() != "ad" {
		t.Errorf("health = %v; want that of ad", c.health)
	}
}

// What does not fit is refused with a reason, and the rest is taken.
func TestLink_refusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	server, client := pki(t)
	got := make(chan *linkv1.Accepted, 10)
	c := serve(t, server, &coordinator{handle: func(stream linkv1.LinkService_ConnectServer) error {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		jobs := new(linkv1.Jobs)
		for i := range uint64(5) {
			jobs.Jobs = append(jobs.Jobs, &linkv1.Job{Id: i + 1, System: "ad", Work: &linkv1.Job_Probe{Probe: &linkv1.Probe{}}})
		}
		stream.Send(welcome())
		stream.Send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Jobs{Jobs: jobs}})
		for {
			f, err := stream.Recv()
			if err != nil {
				return err
			}
			if a := f.GetAccepted(); a != nil {
				got <- a
			}
		}
	}})
	start(t, newLink(t, c.address, client, newSpool(t, spool.Options{MaxJobs: 3})))
	var accepted, refused []uint64
	for len(accepted)+len(refused) < 5 {
		a := <-got
		accepted, refused = append(accepted, a.GetJobs()...), append(refused, a.GetRefused()...)
		if len(a.GetRefused()) > 0 && !strings.Contains(a.GetFault().GetCause(), "spool full") {
			t.Errorf("fault = %v; want the cause", a.GetFault())
		}
	}
	if diff := cmp.Diff([][]uint64{{1, 2, 3}, {4, 5}}, [][]uint64{accepted, refused}); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Each way a session ends tells the admin what is wrong.
func TestSession_ends(t *testing.T) {
	t.Parallel()
	server, client := pki(t)
	_, stranger := pki(t)
	first := func(answers ...*linkv1.ConnectResponse) func(linkv1.LinkService_ConnectServer) error {
		return func(stream linkv1.LinkService_ConnectServer) error {
			if _, err := stream.Recv(); err != nil {
				return err
			}
			for _, a := range answers {
				stream.Send(a)
			}
			<-stream.Context().Done()
			return nil
		}
	}
	skewed := welcome()
	skewed.GetWelcome().Clock = timestamppb.New(time.Now().Add(3 * time.Hour))
	newer := welcome()
	newer.GetWelcome().Protocol = 2
	tests := map[string]struct {
		handle func(linkv1.LinkService_ConnectServer) error
		client *tls.Config
		is     error
		says   []string
	}{
		"clock hours off": {first(skewed), client, link.ErrClock, []string{"behind the coordinator", "timedatectl", "jobs wait"}},
		"newer protocol":  {first(newer), client, link.ErrProtocol, []string{"version 2", "update the agent"}},
		"jobs before":     {first(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Jobs{}}), client, link.ErrProtocol, []string{"before Welcome"}},
		"revoked": {func(linkv1.LinkService_ConnectServer) error {
			return status.Error(codes.Unauthenticated, "agent a was revoked")
		}, client, link.ErrRefused, []string{"agent a was revoked", "join token"}},
		"wrong authority":  {first(welcome()), stranger, nil, []string{"not our coordinator", "test authority", "inspects TLS"}},
		"asked to depart":  {first(welcome(), &linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Depart{Depart: &linkv1.Depart{Reason: "restart", ComeBackAfter: durationpb.New(time.Second)}}}), client, nil, []string{"hang up: restart"}},
		"no such service":  {func(linkv1.LinkService_ConnectServer) error { return status.Error(codes.Unimplemented, "no") }, client, link.ErrProtocol, []string{"check the name and port"}},
		"coordinator ends": {func(linkv1.LinkService_ConnectServer) error { return nil }, client, nil, []string{"EOF"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, server, &coordinator{handle: tt.handle})
			err := newLink(t, c.address, tt.client, newSpool(t, spool.Options{})).Session(t.Context())
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) {
				t.Fatalf("Session = %v; want %v", err, tt.is)
			}
			for _, text := range tt.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("Session = %q; want it to say %q", err, text)
				}
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		err := newLink(t, "127.0.0.1:1", client, newSpool(t, spool.Options{})).Session(t.Context())
		if err == nil || !strings.Contains(err.Error(), "connect to 127.0.0.1:1: ") {
			t.Errorf("Session = %v; want the address and the cause", err)
		}
	})
}

// A peer that is there and says nothing any more is given up within 30 s.
func TestSession_noticesDeadPeer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes 20 s")
	}
	server, client := pki(t)
	c := serve(t, server, &coordinator{})
	proxy := newCutter(t, c.address)
	proxy.heal()
	l := newLink(t, proxy.address, client, newSpool(t, spool.Options{}))
	up := make(chan struct{})
	l.Linked = func(is bool, _ error) { close(up) }
	ended := make(chan error, 1)
	go func() { ended <- l.Session(t.Context()) }()
	<-up
	proxy.freeze()
	began := time.Now()
	err := <-ended
	if took := time.Since(began); err == nil || took > 30*time.Second {
		t.Errorf("Session ended after %v with %v; want within 30 s", took, err)
	}
}

// The pauses double while sessions fail, up to the longest, and begin anew
// after a session that lasted; by chance each is none to all of that.
func TestRun_pauses(t *testing.T) {
	t.Parallel()
	server, _ := pki(t)
	synctest.Test(t, func(t *testing.T) {
		lasting := []time.Duration{0, 0, 0, 0, 0, time.Hour, 0}
		want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second, 4 * time.Second, time.Second}
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop")
		var began, ended []time.Time
		l := &link.Link{
			MaxWait: 4 * time.Second, Log: slog.New(slog.DiscardHandler),
			TLS: func() (*tls.Config, error) {
				began = append(began, time.Now())
				time.Sleep(lasting[len(began)-1])
				ended = append(ended, time.Now())
				if len(began) == len(lasting) {
					cancel(stop)
				}
				return nil, errors.New("no key")
			},
		}
		if err := l.Run(ctx); !errors.Is(err, stop) {
			t.Errorf("Run = %v; want %v", err, stop)
		}
		for i, w := range want {
			if got := began[i+1].Sub(ended[i]); got < 0 || got > w {
				t.Errorf("pause %d = %v; want 0 to %v", i, got, w)
			}
		}
	})
	_ = server
}

// Agents that lost their coordinator together come back spread over the whole pause.
func TestRun_spreadsReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const agents = 400
		var mu sync.Mutex
		quarters := make([]int, 4)
		var all sync.WaitGroup
		for range agents {
			all.Go(func() {
				ctx, cancel := context.WithCancelCause(t.Context())
				var lost time.Time
				_ = (&link.Link{
					MinWait: 8 * time.Second, MaxWait: 8 * time.Second, Log: slog.New(slog.DiscardHandler),
					TLS: func() (*tls.Config, error) {
						if lost.IsZero() {
							lost = time.Now()
							return nil, errors.New("no key")
						}
						mu.Lock()
						quarters[min(int(time.Since(lost)/(2*time.Second)), 3)]++
						mu.Unlock()
						cancel(errors.New("enough"))
						return nil, errors.New("no key")
					},
				}).Run(ctx)
			})
		}
		all.Wait()
		for i, n := range quarters {
			if n < agents/8 || n > agents/2 {
				t.Errorf("%d of %d came in quarter %d of the pause; want about a quarter", n, agents, i+1)
			}
		}
	})
}

// A coordinator that says when to come back is not bothered sooner.
func TestRun_comesBackWhenTold(t *testing.T) {
	t.Parallel()
	server, client := pki(t)
	const told = 700 * time.Millisecond
	came := make(chan time.Time, 10)
	c := serve(t, server, &coordinator{handle: func(stream linkv1.LinkService_ConnectServer) error {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		came <- time.Now()
		_ = stream.Send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Depart{Depart: &linkv1.Depart{
			Reason: "too many", ComeBackAfter: durationpb.New(told)}}})
		return status.Error(codes.ResourceExhausted, "too many")
	}})
	l := newLink(t, c.address, client, newSpool(t, spool.Options{}))
	l.MinWait, l.MaxWait = 10*time.Millisecond, 10*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- l.Run(ctx) }()
	last := <-came
	for range 2 {
		next := <-came
		if pause := next.Sub(last); pause < told || pause > 3*told {
			t.Errorf("it came back after %s; want %s or a little more", pause, told)
		}
		last = next
	}
	cancel()
	<-ran
}

// A twin is an identity whose marks are counted.
type twin struct {
	mu     sync.Mutex
	marked uint64
	taken  int
}

func (s *twin) Mark(h *linkv1.Hello) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marked++
	h.Counter, h.Attempt, h.Instance = s.marked, "x", "p"
	return nil
}

func (s *twin) Taken() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken++
	return nil
}

// A Hello carries the agent's mark, which counts as taken with the Welcome and
// not before; a refusal reaches whoever must act on it.
func TestSession_marksHello(t *testing.T) {
	t.Parallel()
	server, client := pki(t)
	var doubted bool
	c := serve(t, server, &coordinator{})
	c.handle = func(stream linkv1.LinkService_ConnectServer) error {
		f, err := stream.Recv()
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.hellos = append(c.hellos, f.GetHello())
		refuse := !doubted
		doubted = true
		c.mu.Unlock()
		if refuse {
			return &identity.Refusal{Reason: identity.Doubted, Message: "a clone"}
		}
		_ = stream.Send(welcome())
		return status.Error(codes.Unavailable, "enough")
	}
	self := new(twin)
	l := newLink(t, c.address, client, newSpool(t, spool.Options{}))
	l.Self = self
	refusal := (*identity.Refusal)(nil)
	if err := l.Session(t.Context()); !errors.As(err, &refusal) || refusal.Reason != identity.Doubted || !errors.Is(err, link.ErrRefused) {
		t.Errorf("Session = %v; want ErrRefused with the refusal", err)
	}
	if self.taken != 0 {
		t.Error("a Hello that was refused counts as taken")
	}
	if err := l.Session(t.Context()); err == nil {
		t.Error("Session ended without a cause")
	}
	if self.taken != 1 || len(c.hellos) != 2 || c.hellos[1].GetCounter() != 2 {
		t.Errorf("taken %d times with %d Hellos; want once with 2", self.taken, len(c.hellos))
	}
}
