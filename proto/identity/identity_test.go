package identity_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/proto/identity"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var hq = identity.Agent{Tenant: "acme", Site: "hq", ID: "a1"}

func TestParseAgent_refusesOtherNames(t *testing.T) {
	t.Parallel()
	if got, err := identity.ParseAgent(hq.String()); got != hq || err != nil {
		t.Errorf("ParseAgent(%s) = %v, %v; want %v", hq, got, err, hq)
	}
	if got := hq.URI().String(); got != "drawbridge://acme/hq/agent/a1" {
		t.Errorf("URI() = %s; want drawbridge://acme/hq/agent/a1", got)
	}
	for _, name := range []string{
		"", "drawbridge://acme/hq/agent", "drawbridge://acme/hq/agent/a1/x", "drawbridge://acme/hq/person/a1",
		"spiffe://acme/hq/agent/a1", "drawbridge://acme//agent/a1", "drawbridge://ac me/hq/agent/a1",
		"drawbridge://acme/hq/agent/..", "drawbridge://acme/hq/agent/a\n1", identity.CoordinatorURI,
		"drawbridge://acme/hq/agent/" + strings.Repeat("a", 64),
	} {
		if got, err := identity.ParseAgent(name); !errors.Is(err, identity.ErrNoAgent) {
			t.Errorf("ParseAgent(%q) = %v, %v; want ErrNoAgent", name, got, err)
		}
	}
}

// Copying a token by hand goes wrong in all these ways; none may pass, and none be repeated in a log.
func TestParseToken_takesOnlyWholeTokens(t *testing.T) {
	t.Parallel()
	token := identity.NewToken(newAuthority(t).cert)
	text := token.Reveal()
	got, err := identity.ParseToken(" " + text + "\n")
	if err != nil || got != token || len(text) != 111 {
		t.Errorf("ParseToken(%d characters) = %v, %v; want the token of 111 characters", len(text), got, err)
	}
	for _, bad := range []string{"", "db1.", text[1:], text[:len(text)-1], text + "A", "db2." + text[4:], text[:50] + "\n" + text[50:], text[:50] + "=" + text[51:]} {
		if _, err := identity.ParseToken(bad); !errors.Is(err, identity.ErrToken) || len(bad) > 20 && strings.Contains(err.Error(), bad[10:20]) {
			t.Errorf("ParseToken(%q) = %v; want ErrToken without the text", bad, err)
		}
	}
	if !got.Matches(token.SecretHash()) || got.Matches(identity.NewToken(newAuthority(t).cert).SecretHash()) || got.Matches(nil) {
		t.Error("Matches() does not tell secrets apart")
	}
}

func TestToken_isNotPrinted(t *testing.T) {
	t.Parallel()
	token := identity.NewToken(newAuthority(t).cert)
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s", token, token, token, token)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("Joining", "token", token)
	if err := json.NewEncoder(&out).Encode(token); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), token.Reveal()[30:60]) || !strings.Contains(out.String(), token.ID()) {
		t.Errorf("printed %s; want the id alone", out.String())
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add("db1." + strings.Repeat("A", 107))
	f.Fuzz(func(t *testing.T, text string) {
		token, err := identity.ParseToken(text)
		if err == nil && token.Reveal() != strings.TrimSpace(text) {
			t.Errorf("ParseToken(%q).Reveal() = %q", text, token.Reveal())
		}
	})
}

func TestTLS_eachEndKnowsTheOther(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	server, agent := a.coordinator(t, now, time.Hour), a.agent(t, now, time.Hour)
	state, clientErr, serverErr := handshake(t, identity.ServerTLS(server, a.pool()), identity.ClientTLS(agent, a.cert))
	if clientErr != nil || serverErr != nil {
		t.Fatalf("handshake = %v, %v", clientErr, serverErr)
	}
	if got, err := identity.Peer(state); got.Agent != hq || err != nil {
		t.Errorf("Peer() = %v, %v; want %v", got, err, hq)
	}
	if state.Version != tls.VersionTLS13 {
		t.Errorf("TLS version %x; want 1.3", state.Version)
	}

	state, clientErr, serverErr = handshake(t, identity.ServerTLS(server, a.pool()), identity.EnrollTLS(identity.Fingerprint(a.cert)))
	if clientErr != nil || serverErr != nil {
		t.Fatalf("handshake to enrol = %v, %v", clientErr, serverErr)
	}
	if got, err := identity.Peer(state); !errors.Is(err, identity.ErrNoAgent) {
		t.Errorf("Peer() without a certificate = %v, %v; want ErrNoAgent", got, err)
	}
}

// An agent's certificate must not serve as a coordinator's, nor one of another authority, nor a self-made one.
func TestClientTLS_refusesOtherServers(t *testing.T) {
	t.Parallel()
	a, b := newAuthority(t), newAuthority(t)
	me := a.agent(t, now, time.Hour)
	plain := a.issue(t, nil, x509.ExtKeyUsageServerAuth, now, time.Hour)
	client := a.issue(t, identity.Coordinator(), x509.ExtKeyUsageClientAuth, now, time.Hour)
	for name, server := range map[string]source{"client by usage": client, "agent": a.agent(t, now, time.Hour), "other authority": b.coordinator(t, now, time.Hour), "no coordinator's name": plain} {
		for what, cfg := range map[string]*tls.Config{"ClientTLS": identity.ClientTLS(me, a.cert), "EnrollTLS": identity.EnrollTLS(identity.Fingerprint(a.cert))} {
			_, err, _ := handshake(t, identity.ServerTLS(server, a.pool()), cfg)
			var foreign *identity.AuthorityError
			if !errors.As(err, &foreign) || !strings.Contains(foreign.Issuer, "CN=authority") {
				t.Errorf("%s to %s = %v; want an AuthorityError with the issuer", what, name, err)
			}
		}
	}
}

// An agent that was away for long can still ask for a renewal, and whoever is asked can see that it is late.
func TestServerTLS_takesWhatIsOver(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	state, _, err := handshake(t, identity.ServerTLS(a.coordinator(t, now, time.Hour), a.pool()),
		identity.ClientTLS(a.agent(t, now.Add(-2*time.Hour), time.Hour), a.cert))
	if err != nil {
		t.Fatalf("handshake = %v; want the certificate taken", err)
	}
	if got, err := identity.Peer(state); err != nil || got.Agent != hq || got.Expires.After(now) {
		t.Errorf("Peer() = %+v, %v; want %v with the end of its certificate", got, err, hq)
	}
}

func TestServerTLS_refusesOtherAgents(t *testing.T) {
	t.Parallel()
	a, b := newAuthority(t), newAuthority(t)
	server := a.coordinator(t, now, time.Hour)
	for name, agent := range map[string]source{
		"other authority": b.agent(t, now, time.Hour),
		"not yet valid":   a.agent(t, now.Add(time.Hour), time.Hour),
		"coordinator":     server,
	} {
		_, _, err := handshake(t, identity.ServerTLS(server, a.pool()), identity.ClientTLS(agent, a.cert))
		if err == nil {
			t.Errorf("server took the certificate of %s", name)
		}
	}
	_, _, err := handshake(t, identity.ServerTLS(server, nil), identity.ClientTLS(a.agent(t, now, time.Hour), a.cert))
	if err == nil {
		t.Error("server without authorities took a certificate: it looks into the host's list")
	}
}

// A wrong clock is told from a wrong server, and how wrong it is.
func TestClientTLS_saysHowFarTheClockIsOff(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for _, test := range []struct {
		begins time.Duration
		want   string
	}{{3 * time.Hour, "at least 3h0m"}, {-5 * time.Hour, "4h0m"}} {
		server := a.coordinator(t, now.Add(test.begins), time.Hour)
		_, err, _ := handshake(t, identity.ServerTLS(server, a.pool()), identity.ClientTLS(a.agent(t, now, time.Hour), a.cert))
		var clock *identity.ClockError
		if !errors.As(err, &clock) || !strings.Contains(strings.ReplaceAll(err.Error(), "2h59m", "3h0m"), test.want) {
			t.Errorf("server's certificate begins in %v: %v; want a ClockError of %s", test.begins, err, test.want)
		}
		if _, err, _ := handshake(t, identity.ServerTLS(server, a.pool()), identity.EnrollTLS(identity.Fingerprint(a.cert))); err != nil {
			t.Errorf("EnrollTLS with a clock that is off = %v; want nil: the coordinator compares clocks", err)
		}
	}
}

func TestRefusal_crossesTheWire(t *testing.T) {
	t.Parallel()
	err := identity.CheckClock(now.Add(-2*time.Hour), now)
	got := identity.RefusalOf(status.Convert(err).Err())
	if got == nil || got.Reason != identity.ClockOff || !got.Clock.Equal(now) || !strings.Contains(got.Message, "2h0m0s slow") {
		t.Errorf("RefusalOf() = %+v; want the refusal, with 2h0m0s slow", got)
	}
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("code %v; want FailedPrecondition", status.Code(err))
	}
	if err := identity.CheckClock(now.Add(identity.MaxSkew), now); err != nil {
		t.Errorf("CheckClock(%v) = %v; want nil", identity.MaxSkew, err)
	}
	if got := identity.RefusalOf(status.Error(codes.PermissionDenied, "no")); got != nil {
		t.Errorf("RefusalOf(other error) = %v; want nil", got)
	}
}

var now = time.Now().Truncate(time.Second)

type source = func() (*tls.Certificate, error)

type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	return authority{key, create(t, template, template, key, key)}
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func (a authority) coordinator(t testing.TB, from time.Time, life time.Duration) source {
	return a.issue(t, identity.Coordinator(), x509.ExtKeyUsageServerAuth, from, life)
}

func (a authority) agent(t testing.TB, from time.Time, life time.Duration) source {
	return a.issue(t, hq.URI(), x509.ExtKeyUsageClientAuth, from, life)
}

func (a authority) issue(t testing.TB, name *url.URL, usage x509.ExtKeyUsage, from time.Time, life time.Duration) source {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: from.Add(life), ExtKeyUsage: []x509.ExtKeyUsage{usage}}
	if name != nil {
		template.URIs = []*url.URL{name}
	}
	leaf := create(t, template, a.cert, key, a.key)
	cert := &tls.Certificate{Certificate: [][]byte{leaf.Raw, a.cert.Raw}, PrivateKey: key}
	return func() (*tls.Certificate, error) { return cert, nil }
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func create(t testing.TB, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// handshake returns the server's state and what each end says.
func handshake(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, clientErr, serverErr error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ended := make(chan error, 1)
	go func() {
		conn, err := tls.Dial("tcp", listener.Addr().String(), client)
		if err == nil {
			conn.Read(make([]byte, 1)) // until the server has looked at our certificate
			conn.Close()
		}
		ended <- err
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s := tls.Server(conn, server)
	serverErr = s.Handshake()
	state = s.ConnectionState()
	s.Close()
	return state, <-ended, serverErr
}
