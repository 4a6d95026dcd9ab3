package identity_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	agentidentity "github.com/drawbridge-id/drawbridge/agent/identity"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// A coordinator is the enrolment of one, with an authority, real TLS and real
// certificates; it can be told to refuse, to have another clock, and to fail.
type coordinator struct {
	linkv1.UnimplementedEnrollmentServiceServer
	key     *ecdsa.PrivateKey
	ca      *x509.Certificate
	server  *tls.Certificate
	token   identity.Token
	agent   identity.Agent
	address string
	grpc    *grpc.Server
	door    net.Listener
	served  sync.WaitGroup

	calls       atomic.Int64 // Enroll and Renew
	serial      atomic.Int64
	ahead       atomic.Int64 // its clock, ns
	age         atomic.Int64 // of certificates it signs, ns
	distrustNew atomic.Bool  // of certificates, all but the first

	mu      sync.Mutex
	refusal *identity.Refusal
	used    bool
	last    *big.Int
	after   func()
}

func newCoordinator(t *testing.T) *coordinator {
	t.Helper()
	c := &coordinator{agent: identity.Agent{Tenant: "acme", Site: "hq", ID: "a1"}, after: func() {}}
	var err error
	if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"},
		NotBefore: time.Now().Add(-100 * 24 * time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	c.ca = c.sign(t, ca, ca, c.key.Public())
	c.token = identity.NewToken(c.ca)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := c.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, URIs: []*url.URL{identity.Coordinator()},
	}, c.ca, key.Public())
	c.server = &tls.Certificate{Certificate: [][]byte{leaf.Raw, c.ca.Raw}, PrivateKey: key}
	c.address = "127.0.0.1:0"
	c.restart(t)
	t.Cleanup(c.stop)
	return c
}

func (c *coordinator) sign(t *testing.T, template, parent *x509.Certificate, pub crypto.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, c.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// restart serves, again at the same address.
func (c *coordinator) restart(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", c.address)
	if err != nil {
		t.Fatal(err)
	}
	c.address = listener.Addr().String()
	pool := x509.NewCertPool()
	pool.AddCert(c.ca)
	cfg := identity.ServerTLS(func() (*tls.Certificate, error) { return c.server, nil }, pool)
	cfg.VerifyConnection = c.verify
	c.mu.Lock()
	c.door = listener
	c.grpc = grpc.NewServer(grpc.Creds(credentials.NewTLS(cfg)))
	server := c.grpc
	c.mu.Unlock()
	linkv1.RegisterEnrollmentServiceServer(server, c)
	c.served.Go(func() { server.Serve(listener) })
}

func (c *coordinator) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	serial := state.PeerCertificates[0].SerialNumber
	if c.distrustNew.Load() && serial.Int64() > 101 {
		return errors.New("serial not known here")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = serial
	return nil
}

func (c *coordinator) stop() {
	c.mu.Lock()
	server := c.grpc
	c.mu.Unlock()
	server.Stop()
	c.served.Wait()
}

// shut takes no more connections, but ends the calls under way.
func (c *coordinator) shut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.door.Close()
}

func (c *coordinator) enrollment(data string) agentidentity.Enrollment {
	return agentidentity.Enrollment{Token: c.token, Address: c.address, Data: data, Host: "dc1", Version: "0.1.0"}
}

func (c *coordinator) refuse(r *identity.Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusal = r
}

func (c *coordinator) afterRenew(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.after = f
}

func (c *coordinator) Enroll(_ context.Context, req *linkv1.EnrollRequest) (*linkv1.EnrollResponse, error) {
	c.calls.Add(1)
	now := time.Now().Add(time.Duration(c.ahead.Load()))
	if err := identity.CheckClock(req.GetClock().AsTime(), now); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refusal != nil {
		return nil, c.refusal
	}
	token, err := identity.ParseToken(req.GetToken())
	if err != nil || token.ID() != c.token.ID() || !token.Matches(c.token.SecretHash()) {
		return nil, &identity.Refusal{Reason: identity.TokenUnknown, Message: "no such token", Clock: now}
	}
	if c.used {
		return nil, &identity.Refusal{Reason: identity.TokenUsed, Message: "used", Clock: now}
	}
	chain, err := c.certify(req.GetCsr())
	if err != nil {
		return nil, err
	}
	c.used = true
	return &linkv1.EnrollResponse{Chain: chain, Authority: c.ca.Raw, Agent: c.agent.ID, Site: c.agent.Site}, nil
}

func (c *coordinator) Renew(ctx context.Context, req *linkv1.RenewRequest) (*linkv1.RenewResponse, error) {
	c.calls.Add(1)
	p, _ := peer.FromContext(ctx)
	agent, err := identity.Peer(p.AuthInfo.(credentials.TLSInfo).State)
	if err != nil || agent.Agent != c.agent {
		return nil, status.Error(codes.Unauthenticated, "whose certificate?")
	}
	chain, err := c.certify(req.GetCsr())
	c.mu.Lock()
	after := c.after
	c.mu.Unlock()
	after()
	return &linkv1.RenewResponse{Chain: chain}, err
}

func (c *coordinator) certify(csr []byte) ([][]byte, error) {
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, err
	}
	begins := time.Now().Add(-identity.MaxSkew).Add(-time.Duration(c.age.Load()))
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(100 + c.serial.Add(1)), NotBefore: begins, NotAfter: begins.Add(30 * 24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, URIs: []*url.URL{c.agent.URI()},
	}, c.ca, req.PublicKey, c.key)
	return [][]byte{der}, err
}

// seenBy returns which agent the coordinator takes the holder of id for.
func (c *coordinator) seenBy(t *testing.T, id *agentidentity.Identity) identity.Agent {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	pool := x509.NewCertPool()
	pool.AddCert(c.ca)
	cfg := identity.ServerTLS(func() (*tls.Certificate, error) { return c.server, nil }, pool)
	cfg.VerifyConnection = c.verify
	dialed := make(chan error, 1)
	go func() {
		conn, err := tls.Dial("tcp", listener.Addr().String(), id.TLS())
		if err == nil {
			defer conn.Close()
			_, err = conn.Read(make([]byte, 1)) // until the server closes
		}
		dialed <- err
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server := tls.Server(conn, cfg)
	err = server.Handshake()
	state := server.ConnectionState()
	server.Close()
	<-dialed
	if err != nil {
		t.Fatal(err)
	}
	agent, err := identity.Peer(state)
	if err != nil {
		t.Fatal(err)
	}
	return agent.Agent
}

func (c *coordinator) lastSerial(t *testing.T) *big.Int {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

func otherKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
