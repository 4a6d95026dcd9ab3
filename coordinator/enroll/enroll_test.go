package enroll_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A server is a coordinator's enrolment on a real listener.
type server struct {
	*enroll.Service
	address string
}

func newServer(t *testing.T, life time.Duration) *server {
	t.Helper()
	dir := t.TempDir()
	st, err := store.Open(t.Context(), filepath.Join(dir, "coordinator.db"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "authority.pem")
	oldAuthority(t, path)
	authority, err := enroll.OpenAuthority(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Service: &enroll.Service{Store: st, Authority: authority, CertificateLife: life, Log: slog.New(slog.DiscardHandler)}}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = lis.Addr().String()
	srv := grpc.NewServer(grpc.Creds(credentials.NewTLS(identity.ServerTLS(enroll.NewServer(authority, nil).Current, authority.Pool()))))
	linkv1.RegisterEnrollmentServiceServer(srv, s.Service)
	go func() { _ = srv.Serve(lis) }()
	t.Cleanup(func() {
		srv.Stop()
		_ = st.Close()
	})
	return s
}

// oldAuthority makes one that is old enough for agents that were away for long.
func oldAuthority(t *testing.T, path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *server) dial(t *testing.T, cfg *tls.Config) linkv1.EnrollmentServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(credentials.NewTLS(cfg)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return linkv1.NewEnrollmentServiceClient(conn)
}

func (s *server) token(t *testing.T, life time.Duration) identity.Token {
	t.Helper()
	token, _, err := s.NewToken(t.Context(), "default", "hq", life)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func newRequest(t *testing.T) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

func (s *server) enroll(t *testing.T, token identity.Token, clock time.Time) (*linkv1.EnrollResponse, *ecdsa.PrivateKey, error) {
	t.Helper()
	csr, key := newRequest(t)
	resp, err := s.dial(t, identity.EnrollTLS(token.Fingerprint())).Enroll(t.Context(), &linkv1.EnrollRequest{
		Token: token.Reveal(), Csr: csr, Host: "dc1", Version: "1.0.0", Clock: timestamppb.New(clock),
	})
	return resp, key, err
}

// An agent joins with a token and renews with the certificate it got, each time for the configured life.
func TestService_enrollAndRenew(t *testing.T) {
	t.Parallel()
	s := newServer(t, 7*24*time.Hour)
	resp, key, err := s.enroll(t, s.token(t, 0), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(resp.GetChain()[0])
	if err != nil {
		t.Fatal(err)
	}
	agent, err := identity.OfCertificate(leaf)
	if want := (identity.Agent{Tenant: "default", Site: "hq", ID: resp.GetAgent()}); err != nil || agent != want {
		t.Errorf("certificate names %v, %v; want %v", agent, err, want)
	}
	if life := time.Until(leaf.NotAfter); life < 6*24*time.Hour || life > 7*24*time.Hour {
		t.Errorf("certificate is good for %v; want 7 days", life)
	}

	cert := &tls.Certificate{Certificate: resp.GetChain(), PrivateKey: key}
	client := s.dial(t, identity.ClientTLS(func() (*tls.Certificate, error) { return cert, nil }, s.Authority.Certificate()))
	csr, _ := newRequest(t)
	renewed, err := client.Renew(t.Context(), &linkv1.RenewRequest{Csr: csr})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err = x509.ParseCertificate(renewed.GetChain()[0])
	if err != nil {
		t.Fatal(err)
	}
	read(t, s.Store, func(tx *store.Tx) error {
		row, err := tx.Agent("default", agent.ID)
		if row.CertSerial != leaf.SerialNumber.Text(16) || row.CertExpires.Time() != leaf.NotAfter || row.Host != "dc1" {
			t.Errorf("agent in the store = %+v; want the renewed certificate's serial and end", row)
		}
		return err
	})

	if err := s.Revoke(t.Context(), "default", agent.ID); err != nil {
		t.Fatal(err)
	}
	_, err = client.Renew(t.Context(), &linkv1.RenewRequest{Csr: csr})
	wantRefusal(t, err, identity.Revoked, "revoked at")
}

// Whoever has no certificate cannot renew.
func TestRenew_needsCertificate(t *testing.T) {
	t.Parallel()
	s := newServer(t, 0)
	csr, _ := newRequest(t)
	client := s.dial(t, identity.EnrollTLS(identity.Fingerprint(s.Authority.Certificate())))
	if _, err := client.Renew(t.Context(), &linkv1.RenewRequest{Csr: csr}); err == nil {
		t.Error("Renew without a certificate = nil; want an error")
	}
}

// Each reason to refuse a token says what happened and what to do.
func TestEnroll_refusals(t *testing.T) {
	t.Parallel()
	s := newServer(t, 0)
	now := time.Now()

	used := s.token(t, 0)
	if _, _, err := s.enroll(t, used, now); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.enroll(t, used, now)
	wantRefusal(t, err, identity.TokenUsed, "used by host dc1 at ")

	late := s.token(t, time.Millisecond)
	time.Sleep(5 * time.Millisecond)
	_, _, err = s.enroll(t, late, time.Now())
	wantRefusal(t, err, identity.TokenExpired, "expired at ")

	_, _, err = s.enroll(t, identity.NewToken(s.Authority.Certificate()), now)
	wantRefusal(t, err, identity.TokenUnknown, "not made by this coordinator")

	off := s.token(t, 0)
	_, _, err = s.enroll(t, off, now.Add(-3*time.Hour))
	wantRefusal(t, err, identity.ClockOff, "3h0m")
	if _, _, err = s.enroll(t, off, now); err != nil {
		t.Errorf("Enroll after the clock was set = %v; want the same token to serve", err)
	}

	_, err = s.dial(t, identity.EnrollTLS(off.Fingerprint())).Enroll(t.Context(), &linkv1.EnrollRequest{
		Token: s.token(t, 0).Reveal(), Csr: []byte("no"), Clock: timestamppb.Now(),
	})
	wantRefusal(t, err, identity.BadRequest, "certificate request cannot be read")
}

// Of many that come with one token at a time, one gets in.
func TestEnroll_onceOnly(t *testing.T) {
	t.Parallel()
	s := newServer(t, 0)
	token := s.token(t, 0)
	outcomes := make(chan error, 8)
	for range cap(outcomes) {
		csr, _ := newRequest(t)
		go func() {
			_, err := s.Enroll(context.Background(), &linkv1.EnrollRequest{Token: token.Reveal(), Csr: csr, Host: "h", Clock: timestamppb.Now()})
			outcomes <- err
		}()
	}
	in := 0
	for range cap(outcomes) {
		if <-outcomes == nil {
			in++
		}
	}
	if in != 1 {
		t.Errorf("%d agents joined with one token; want 1", in)
	}
}

// The authority is made once; a file that does not serve is not replaced.
func TestOpenAuthority(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "authority.pem")
	first, err := enroll.OpenAuthority(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("mode of the authority's file = %v, %v; want 0600", info.Mode().Perm(), err)
	}
	again, err := enroll.OpenAuthority(path)
	if err != nil || !again.Certificate().Equal(first.Certificate()) {
		t.Errorf("authority after a restart differs (%v)", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cut := text[:len(text)/2]
	if err := os.WriteFile(path, cut, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := enroll.OpenAuthority(path); !errors.Is(err, enroll.ErrAuthority) {
		t.Errorf("OpenAuthority of half a file = %v; want ErrAuthority", err)
	}
	if now, _ := os.ReadFile(path); string(now) != string(cut) {
		t.Error("the file that did not serve was changed")
	}
}

func wantRefusal(t *testing.T, err error, reason identity.Reason, text string) {
	t.Helper()
	r := identity.RefusalOf(err)
	if r == nil || r.Reason != reason || !strings.Contains(r.Message, text) {
		t.Errorf("refused with %v; want %s with %q in it", err, reason, text)
	}
}

func read(t *testing.T, s *store.Store, do func(*store.Tx) error) {
	t.Helper()
	if err := s.Read(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}
