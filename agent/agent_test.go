package agent_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/agent/host"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// built holds the agent and the scripted connector, built once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "built")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator),
		"github.com/drawbridge-id/drawbridge/agent/cmd/drawbridge-agent",
		"github.com/drawbridge-id/drawbridge/plugins/fake/cmd/drawbridge-fake").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := built(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func binary(t testing.TB, name string) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(dir, name)
}

// A coordinator enrols agents and serves their streams, with a store in memory:
// what it knows, it keeps until the test ends.
type coordinator struct {
	linkv1.UnimplementedLinkServiceServer
	linkv1.UnimplementedEnrollmentServiceServer
	address   string
	authority *x509.Certificate
	key       *ecdsa.PrivateKey
	token     identity.Token

	mu       sync.Mutex
	used     bool
	systems  *linkv1.Systems
	jobs     []*linkv1.Job // all, in order
	accepted map[uint64]bool
	results  map[uint64]*linkv1.Result
	records  map[uint64]*linkv1.Records
	guard    *linkv1.Guardrail
	spool    string // of the last Hello
	tape     *tape  // where set, takes every frame
	news     chan struct{}
}

func newCoordinator(t testing.TB, systems *linkv1.Systems) *coordinator {
	t.Helper()
	c := &coordinator{systems: systems, accepted: make(map[uint64]bool), results: make(map[uint64]*linkv1.Result),
		records: make(map[uint64]*linkv1.Records), news: make(chan struct{})}
	var err error
	if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &c.key.PublicKey, c.key)
	if err != nil {
		t.Fatal(err)
	}
	if c.authority, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	c.token = identity.NewToken(c.authority)
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := c.sign(identity.Coordinator(), x509.ExtKeyUsageServerAuth, &leafKey.PublicKey)
	pool := x509.NewCertPool()
	pool.AddCert(c.authority)
	conf := identity.ServerTLS(func() (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{leaf, c.authority.Raw}, PrivateKey: leafKey}, nil
	}, pool)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.address = listener.Addr().String()
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(conf)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}))
	linkv1.RegisterLinkServiceServer(server, c)
	linkv1.RegisterEnrollmentServiceServer(server, c)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return c
}

func (c *coordinator) sign(name *url.URL, usage x509.ExtKeyUsage, pub any) []byte {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<60))
	leaf := &x509.Certificate{SerialNumber: serial, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(20 * time.Hour),
		URIs: []*url.URL{name}, ExtKeyUsage: []x509.ExtKeyUsage{usage}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, c.authority, pub, c.key)
	if err != nil {
		panic(err) // of a handler's goroutine
	}
	return der
}

func (c *coordinator) Enroll(_ context.Context, r *linkv1.EnrollRequest) (*linkv1.EnrollResponse, error) {
	token, err := identity.ParseToken(r.GetToken())
	if err != nil || token.ID() != c.token.ID() || !token.Matches(c.token.SecretHash()) {
		return nil, &identity.Refusal{Reason: identity.TokenUnknown, Message: "the token is not known"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used {
		return nil, &identity.Refusal{Reason: identity.TokenUsed, Message: "the join token was used already; make another"}
	}
	csr, err := x509.ParseCertificateRequest(r.GetCsr())
	if err != nil {
		return nil, &identity.Refusal{Reason: identity.BadRequest, Message: err.Error()}
	}
	c.used = true
	agent := identity.Agent{Tenant: "t", Site: "hq", ID: "agent-1"}
	return &linkv1.EnrollResponse{
		Chain:     [][]byte{c.sign(agent.URI(), x509.ExtKeyUsageClientAuth, csr.PublicKey), c.authority.Raw},
		Authority: c.authority.Raw, Agent: agent.ID, Site: agent.Site,
	}, nil
}

func (c *coordinator) Renew(ctx context.Context, r *linkv1.RenewRequest) (*linkv1.RenewResponse, error) {
	caller, _ := peer.FromContext(ctx)
	info, ok := caller.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return nil, status.Error(codes.Unauthenticated, "no TLS")
	}
	agent, err := identity.Peer(info.State)
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	csr, err := x509.ParseCertificateRequest(r.GetCsr())
	if err != nil {
		return nil, &identity.Refusal{Reason: identity.BadRequest, Message: err.Error(), Clock: time.Now()}
	}
	return &linkv1.RenewResponse{Chain: [][]byte{c.sign(agent.URI(), x509.ExtKeyUsageClientAuth, csr.PublicKey), c.authority.Raw}}, nil
}

func (c *coordinator) Connect(stream linkv1.LinkService_ConnectServer) error {
	frame, err := stream.Recv()
	if err != nil {
		return err
	}
	if frame.GetHello() == nil {
		return status.Error(codes.InvalidArgument, "no hello")
	}
	c.mu.Lock()
	if hello := frame.GetHello(); c.spool != hello.GetSpool() { // what it had accepted is gone
		c.spool = hello.GetSpool()
		clear(c.accepted)
	}
	c.mu.Unlock()
	send := make(chan *linkv1.ConnectResponse, 64)
	ctx := stream.Context()
	go func() {
		for {
			select {
			case f := <-send:
				if stream.Send(f) != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	send <- &linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Welcome{Welcome: &linkv1.Welcome{Protocol: 1, Version: "1.0.0", Clock: timestamppb.Now()}}}
	c.mu.Lock()
	send <- &linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Systems{Systems: c.systems}}
	c.mu.Unlock()
	go func() {
		for sent := 0; ; {
			c.mu.Lock()
			news := c.news
			var jobs []*linkv1.Job
			for ; sent < len(c.jobs) && len(jobs) < 100; sent++ {
				if j := c.jobs[sent]; !c.accepted[j.GetId()] {
					jobs = append(jobs, j)
				}
			}
			c.mu.Unlock()
			if len(jobs) > 0 {
				select {
				case send <- &linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Jobs{Jobs: &linkv1.Jobs{Jobs: jobs}}}:
				case <-ctx.Done():
					return
				}
				continue
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		frame, err := stream.Recv()
		if err != nil {
			return err
		}
		if answer := c.take(frame); answer != nil {
			send <- &linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Committed{Committed: answer}}
		}
	}
}

func (c *coordinator) take(frame *linkv1.ConnectRequest) *linkv1.Committed {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tape != nil {
		c.tape.frame(frame)
	}
	committed := new(linkv1.Committed)
	switch f := frame.GetFrame().(type) {
	case *linkv1.ConnectRequest_Accepted:
		for _, id := range f.Accepted.GetJobs() {
			c.accepted[id] = true
		}
		return nil
	case *linkv1.ConnectRequest_Results:
		for _, r := range f.Results.GetResults() {
			c.results[r.GetJob()] = r
			committed.Jobs = append(committed.Jobs, r.GetJob())
		}
	case *linkv1.ConnectRequest_Records:
		c.records[f.Records.GetBatch()] = f.Records
		committed.Batch = f.Records.GetBatch()
	case *linkv1.ConnectRequest_Guardrail:
		c.guard = f.Guardrail
		return nil
	default:
		return nil
	}
	return committed
}

func (c *coordinator) add(jobs ...*linkv1.Job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs = append(c.jobs, jobs...)
	close(c.news)
	c.news = make(chan struct{})
}

func (c *coordinator) done() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.results)
}

func (c *coordinator) wait(t testing.TB, n int, limit time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(limit); c.done() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d results; want %d", c.done(), n)
		}
	}
}

// waitGuardrail waits until the agent has told of a guardrail that is as wanted.
func (c *coordinator) waitGuardrail(t testing.TB, what string, wanted func(*linkv1.Guardrail) bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		c.mu.Lock()
		g := c.guard
		c.mu.Unlock()
		if wanted(g) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: the agent tells %v", what, g)
		}
	}
}

// A site is a host with an agent installed on it.
type site struct {
	t      testing.TB
	dir    string
	config string
	agent  *exec.Cmd
	log    io.Writer // of the agent; nil means the test's
}

// newSite installs an agent that may run the scripted connector and joins it.
func newSite(t testing.TB, c *coordinator) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") // sockets need short paths
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	sum, err := host.Sum(binary(t, "drawbridge-fake"))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: dir, config: filepath.Join(dir, "agent.yaml")}
	text := fmt.Sprintf("coordinator: %s\ndata: %s\nfolders: [%s]\nconnectors:\n  - path: %s\n    sha256: %s\n    serves: [fake]\n",
		c.address, filepath.Join(dir, "data"), dir, binary(t, "drawbridge-fake"), sum)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(binary(t, "drawbridge-agent"), "--config", s.config, "enroll", "--token", c.token.Reveal()).CombinedOutput()
	if err != nil {
		t.Fatalf("enroll: %v: %s", err, out)
	}
	return s
}

func (s *site) start() {
	s.t.Helper()
	s.agent = exec.Command(binary(s.t, "drawbridge-agent"), "--config", s.config, "run")
	s.agent.Stderr = s.t.Output()
	if s.log != nil {
		s.agent.Stderr = s.log
	}
	if err := s.agent.Start(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) kill() {
	s.agent.Process.Kill()
	s.agent.Wait()
}

// Whenever the agent or its connector is killed, each of 500 jobs ends exactly
// once for the coordinator, and the directory holds exactly what was wanted.
func TestAgent_survivesKills(t *testing.T) {
	t.Parallel()
	const n, kills = 500, 20
	c := newCoordinator(t, nil)
	s := newSite(t, c)
	state := filepath.Join(s.dir, "state")
	c.systems = &linkv1.Systems{Systems: []*linkv1.System{{
		Name: "dir", Connector: "fake", Revision: 1, Attributes: []string{"login"},
		Settings: fmt.Sprintf(`{"state": %q, "latency": "20ms"}`, state),
	}}}
	s.start()
	defer func() { s.kill() }()
	given := 0
	give := func(upTo int) {
		for ; given < upTo; given++ {
			login := "u" + strconv.Itoa(given)
			c.add(&linkv1.Job{Id: uint64(given + 1), System: "dir", Object: login, Work: &linkv1.Job_Apply{Apply: &connectorv1.Operation{
				Class: "user", Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{
					Container: "staff", Name: login, Attributes: []*connectorv1.Attribute{{Name: "login", Values: []string{login}}},
					Anchor: &connectorv1.Attribute{Name: "login", Values: []string{login}},
				}}}}})
		}
	}
	agents, connectors := 0, 0
	for i := range kills {
		give((i + 1) * n / kills)
		c.wait(t, i*n/kills/2, time.Minute) // some way on, so that there is something to break
		time.Sleep(mrand.N(300 * time.Millisecond))
		if pid := connectorOf(s.agent.Process.Pid); i%2 == 1 && pid > 0 {
			if p, err := os.FindProcess(pid); err == nil && p.Kill() == nil {
				connectors++
			}
			continue
		}
		s.kill()
		agents++
		s.start()
	}
	c.wait(t, n, 2*time.Minute)
	for id, r := range c.results {
		if r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
			t.Errorf("job %d = %v; want DONE", id, r)
		}
	}
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	users := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		var e struct {
			Object *struct {
				ID         string
				Attributes map[string][]string
			}
		}
		if json.Unmarshal([]byte(line), &e) == nil && e.Object != nil {
			users[e.Object.ID] = strings.Join(e.Object.Attributes["login"], ",")
		}
	}
	logins := make(map[string]bool)
	for id, login := range users {
		if logins[login] {
			t.Errorf("%s: login %s is there twice", id, login)
		}
		logins[login] = true
	}
	if len(logins) != n {
		t.Errorf("%d users; want %d", len(logins), n)
	}
	t.Logf("%d kills of the agent, %d of the connector", agents, connectors)
}

// connectorOf is a child of the process, or 0.
func connectorOf(pid int) int {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for child := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(child); err == nil {
				return n
			}
		}
	}
	return 0
}
