package doctor_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/doctor"
	"github.com/drawbridge-id/drawbridge/agent/host"
	agentidentity "github.com/drawbridge-id/drawbridge/agent/identity"
	"github.com/drawbridge-id/drawbridge/agent/proxy"
	"github.com/drawbridge-id/drawbridge/agent/spool"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// On a host where all is well everything passes, and the table says so.
func TestExamine_healthyHost(t *testing.T) {
	t.Parallel()
	c := newCoordinator(t)
	d := c.host(t)
	d.Systems = probes{"corp-ad": {{Name: "bind as svc", Outcome: connectorv1.Outcome_OUTCOME_DONE, Detail: "Samba 4.17"}}}
	findings := d.Examine(t.Context())
	for _, f := range findings {
		if f.Outcome != doctor.Passed {
			t.Errorf("%s: %s: %s; want ok", f.Step, f.Outcome, f.Detail)
		}
	}
	if !doctor.Well(findings) {
		t.Error("Well() = false; want true")
	}
	var out bytes.Buffer
	if err := doctor.Print(&out, findings); err != nil || !strings.Contains(out.String(), "Samba 4.17") {
		t.Errorf("Print() = %v:\n%s", err, out.String())
	}
	if strings.Contains(out.String(), "→") {
		t.Errorf("Print() of what is well advises something:\n%s", out.String())
	}
}

// Pain 6: behind a proxy that opens TLS, doctor names it by the issuer of its certificate, and what to ask for.
func TestPain06_interceptorIsNamed(t *testing.T) {
	t.Parallel()
	d := newCoordinator(t).host(t)
	d.Dialer = &proxy.Dialer{URL: newInterceptor(t, true).url}
	findings := d.Examine(t.Context())
	said := ""
	for _, f := range findings {
		if f.Step == "TLS to coordinator" && f.Outcome == doctor.Failed {
			said = f.Detail + " " + f.Next
		} else if f.Outcome == doctor.Failed {
			t.Errorf("%s failed too: %s", f.Step, f.Detail)
		}
	}
	for _, want := range []string{`issued by "CN=Contoso TLS Inspection CA,O=Contoso Security"`, "ask the network team to except"} {
		if !strings.Contains(said, want) {
			t.Errorf("doctor says %q; want %q in it", said, want)
		}
	}
	if doctor.Well(findings) {
		t.Error("Well() = true; want false")
	}
}

// Through a proxy that lets everything through all is as well as without one.
func TestPain06_doctorGoesThroughTheProxy(t *testing.T) {
	t.Parallel()
	d := newCoordinator(t).host(t)
	d.Systems = probes{"corp-ad": {{Name: "bind as svc", Outcome: connectorv1.Outcome_OUTCOME_DONE}}}
	d.Dialer = &proxy.Dialer{URL: newInterceptor(t, false).url}
	for _, f := range d.Examine(t.Context()) {
		if f.Outcome != doctor.Passed {
			t.Errorf("%s: %s: %s; want ok", f.Step, f.Outcome, f.Detail)
		}
	}
}

// Each fault is found at its step, with its cause and what to do, and what depends on it is left out.
func TestExamine_namesFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		harm func(*testing.T, *coordinator, *doctor.Doctor)
		step string
		want []string // of detail and next step
		skip string   // a step that is left out
	}{
		{"configuration", func(_ *testing.T, _ *coordinator, d *doctor.Doctor) {
			d.ConfigErr = errors.New("agent.yaml:3:1: unknown key \"conectors\"")
		}, "configuration", []string{"agent.yaml:3:1", "validate"}, ""},
		{"folder gone", func(_ *testing.T, _ *coordinator, d *doctor.Doctor) { d.Config.Data += "x" },
			"data folder", []string{"does not exist", "enroll"}, ""},
		{"key readable", func(t *testing.T, _ *coordinator, d *doctor.Doctor) {
			if runtime.GOOS == "windows" {
				t.Skip("modes mean nothing there")
			}
			chmod(t, filepath.Join(d.Config.Data, "identity", "current.pem"), 0o644)
		}, "data folder", []string{"current.pem (mode 0644)", "chmod"}, ""},
		{"not joined", func(t *testing.T, _ *coordinator, d *doctor.Doctor) { d.Config.Data = t.TempDir() },
			"identity", []string{"has not joined", "token create"}, "coordinator"},
		{"no such name", func(_ *testing.T, _ *coordinator, d *doctor.Doctor) { d.Config.Coordinator = "drawbridge.invalid:1" },
			"name of coordinator", []string{"drawbridge.invalid", "DNS"}, "TCP to coordinator"},
		{"nobody listens", func(t *testing.T, _ *coordinator, d *doctor.Doctor) { d.Config.Coordinator = shutPort(t) },
			"TCP to coordinator", []string{"refused", "firewall"}, "TLS to coordinator"},
		{"intercepted", func(t *testing.T, _ *coordinator, d *doctor.Doctor) { d.Config.Coordinator = newCoordinator(t).address },
			"TLS to coordinator", []string{`issued by "CN=Authority`, "inspects TLS"}, "coordinator"},
		{"proxy gone", func(t *testing.T, _ *coordinator, d *doctor.Doctor) {
			d.Dialer = &proxy.Dialer{URL: "http://" + shutPort(t)}
		}, "TCP to coordinator", []string{"refused", "proxy.url"}, "TLS to coordinator"},
		{"clock", func(_ *testing.T, c *coordinator, _ *doctor.Doctor) { c.ahead.Store(int64(2 * time.Hour)) },
			"clock", []string{"2h0m0s slow", "time service"}, ""},
		{"revoked", func(_ *testing.T, c *coordinator, _ *doctor.Doctor) { c.revoked.Store(true) },
			"coordinator", []string{"shut out by anna", "who shut"}, ""},
		{"pin", func(_ *testing.T, _ *coordinator, d *doctor.Doctor) {
			d.Config.Connectors[0].SHA256 = strings.Repeat("0", 64)
		}, "connector csv", []string{"pins 000", "published"}, ""},
		{"spool damaged", func(t *testing.T, _ *coordinator, d *doctor.Doctor) {
			write(t, filepath.Join(d.Config.Data, "spool.db"), "not a spool")
		}, "spool", []string{"damaged", "start the agent"}, ""},
		{"vault damaged", func(t *testing.T, _ *coordinator, d *doctor.Doctor) {
			write(t, filepath.Join(d.Config.Data, "vault.json"), "{")
		}, "vault", []string{"damaged", "backup"}, ""},
		{"system", func(_ *testing.T, _ *coordinator, d *doctor.Doctor) {
			d.Systems = probes{"corp-ad": {{
				Name: "bind as svc", Outcome: connectorv1.Outcome_OUTCOME_DENIED,
				Fault: &connectorv1.Fault{Cause: "the password has expired", NextStep: "set a new one", Raw: "49, data 532"},
			}}}
		}, "system corp-ad", []string{"bind as svc", "password has expired", "data 532", "set a new one"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newCoordinator(t)
			d := c.host(t)
			test.harm(t, c, d)
			findings := d.Examine(t.Context())
			if doctor.Well(findings) {
				t.Error("Well() = true; want false")
			}
			var found, skipped bool
			for _, f := range findings {
				text := f.Detail + " " + f.Next
				switch {
				case f.Step == test.step && f.Outcome == doctor.Failed:
					found = true
					for _, want := range test.want {
						if !strings.Contains(text, want) {
							t.Errorf("%s: %q; want %q in it", f.Step, text, want)
						}
					}
				case f.Outcome == doctor.Failed:
					t.Errorf("%s failed too: %s", f.Step, f.Detail)
				case f.Step == test.skip && f.Outcome == doctor.LeftOut:
					skipped = true
				}
			}
			if !found || !skipped && test.skip != "" {
				t.Errorf("findings %+v; want %q failed and %q left out", findings, test.step, test.skip)
			}
		})
	}
}

type probes map[string][]*connectorv1.ProbeStep

func (p probes) Systems() (names []string) {
	for name := range p {
		names = append(names, name)
	}
	return names
}

func (p probes) Probe(_ context.Context, system string) ([]*connectorv1.ProbeStep, error) {
	return p[system], nil
}

// A coordinator enrols one agent and answers its questions; it can have another clock and shut the agent out.
type coordinator struct {
	linkv1.UnimplementedEnrollmentServiceServer
	key     *ecdsa.PrivateKey
	ca      *x509.Certificate
	address string
	ahead   atomic.Int64
	revoked atomic.Bool
}

func newCoordinator(t *testing.T) *coordinator {
	t.Helper()
	c := new(coordinator)
	var err error
	if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "Authority of the test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	if c.ca, err = x509.ParseCertificate(c.sign(t, template, template, &c.key.PublicKey)); err != nil {
		t.Fatal(err)
	}
	leaf := c.sign(t, c.template(x509.ExtKeyUsageServerAuth, identity.Coordinator()), c.ca, &c.key.PublicKey)
	server := &tls.Certificate{Certificate: [][]byte{leaf, c.ca.Raw}, PrivateKey: c.key}
	pool := x509.NewCertPool()
	pool.AddCert(c.ca)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.address = listener.Addr().String()
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(identity.ServerTLS(func() (*tls.Certificate, error) { return server, nil }, pool))))
	linkv1.RegisterEnrollmentServiceServer(s, c)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	t.Cleanup(func() {
		s.Stop()
		<-ended
	})
	return c
}

func (c *coordinator) template(usage x509.ExtKeyUsage, name *url.URL) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{usage}, URIs: []*url.URL{name},
	}
}

func (c *coordinator) sign(t *testing.T, template, parent *x509.Certificate, pub any) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, c.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (c *coordinator) Enroll(_ context.Context, req *linkv1.EnrollRequest) (*linkv1.EnrollResponse, error) {
	csr, err := x509.ParseCertificateRequest(req.GetCsr())
	if err != nil {
		return nil, err
	}
	agent := identity.Agent{Tenant: "acme", Site: "hq", ID: "a1"}
	der, err := x509.CreateCertificate(rand.Reader, c.template(x509.ExtKeyUsageClientAuth, agent.URI()), c.ca, csr.PublicKey, c.key)
	return &linkv1.EnrollResponse{Chain: [][]byte{der}, Authority: c.ca.Raw, Agent: agent.ID, Site: agent.Site}, err
}

func (c *coordinator) Renew(context.Context, *linkv1.RenewRequest) (*linkv1.RenewResponse, error) {
	clock := time.Now().Add(time.Duration(c.ahead.Load()))
	if c.revoked.Load() {
		return nil, &identity.Refusal{Reason: identity.Revoked, Message: "shut out by anna", Clock: clock}
	}
	return nil, &identity.Refusal{Reason: identity.BadRequest, Message: "no key", Clock: clock}
}

// host returns a doctor for a host that has joined and lacks nothing.
func (c *coordinator) host(t *testing.T) *doctor.Doctor {
	t.Helper()
	data := t.TempDir()
	_, err := agentidentity.Enroll(t.Context(), agentidentity.Enrollment{
		Token: identity.NewToken(c.ca), Address: c.address, Data: data, Host: "dc1", Version: "0.1.0",
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := spool.Open(filepath.Join(data, "spool.db"), spool.Options{})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	connector := filepath.Join(t.TempDir(), "connectors")
	write(t, connector, "an executable")
	sum, err := host.Sum(connector)
	if err != nil {
		t.Fatal(err)
	}
	return &doctor.Doctor{ConfigPath: "agent.yaml", Config: &config.Config{
		Coordinator: c.address, Data: data, Connectors: []config.Connector{{Path: connector, SHA256: sum, Serves: []string{"csv"}}},
	}}
}

func shutPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
