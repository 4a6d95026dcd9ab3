package enroll_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// as dials with a certificate of the agent that ended some time ago.
func (s *server) as(t *testing.T, agent string, generation uint64, ended time.Duration) (linkv1.EnrollmentServiceClient, *tls.Certificate) {
	t.Helper()
	_, key := newRequest(t)
	leaf, err := s.Authority.SignAgent(key.Public(), identity.Agent{Tenant: "default", Site: "hq", ID: agent}, generation, -ended)
	if err != nil {
		t.Fatal(err)
	}
	return s.with(t, leaf, key)
}

func (s *server) with(t *testing.T, leaf *x509.Certificate, key *ecdsa.PrivateKey) (linkv1.EnrollmentServiceClient, *tls.Certificate) {
	cert := &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	return s.dial(t, identity.ClientTLS(func() (*tls.Certificate, error) { return cert, nil }, s.Authority.Certificate())), cert
}

// renew asks for a certificate and returns why it is refused, "" if it is not.
func renew(t *testing.T, c linkv1.EnrollmentServiceClient, csr []byte, why string) (*x509.Certificate, identity.Reason) {
	t.Helper()
	answer, err := c.Renew(t.Context(), &linkv1.RenewRequest{Csr: csr, Attest: why, Host: "dc2"})
	if r := identity.RefusalOf(err); r != nil {
		return nil, r.Reason
	}
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(answer.GetChain()[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf, ""
}

func (s *server) join(t *testing.T) string {
	t.Helper()
	resp, _, err := s.enroll(t, s.token(t, 0), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetAgent()
}

// An agent that was away for longer than its certificate lived renews within
// the grace; later an admin must approve, and that is all: no new token.
func TestRenew_afterTheEnd(t *testing.T) {
	t.Parallel()
	s := newServer(t, time.Hour)
	s.RenewalGrace = time.Hour
	id := s.join(t)

	late, _ := s.as(t, id, 1, 2*time.Minute)
	csr, _ := newRequest(t)
	if leaf, reason := renew(t, late, csr, ""); reason != "" || identity.Generation(leaf) != 1 {
		t.Errorf("Renew within the grace = %q; want a certificate of generation 1", reason)
	}

	client, _ := s.as(t, id, 1, 2*time.Hour)
	csr, key := newRequest(t)
	for range 2 { // it may ask as often as it likes
		if _, reason := renew(t, client, csr, ""); reason != identity.Waiting {
			t.Fatalf("Renew after the grace = %q; want WAITING", reason)
		}
	}
	other, _ := newRequest(t)
	if _, reason := renew(t, client, other, ""); reason != identity.Waiting {
		t.Errorf("Renew with another key = %q; want WAITING", reason)
	}
	if _, err := s.Decide(t.Context(), "default", id, "0123456789abcdef", "admin", true); !errors.Is(err, enroll.ErrNoRequest) {
		t.Errorf("Decide(another key) = %v; want ErrNoRequest", err)
	}
	r, err := s.Decide(t.Context(), "default", id, "", "admin", true)
	if err != nil || r.Host != "dc2" {
		t.Fatalf("Decide = %+v, %v; want the request of dc2", r, err)
	}
	if _, reason := renew(t, client, other, ""); reason != identity.Waiting {
		t.Errorf("Renew with a key that was not approved = %q; want WAITING", reason)
	}
	for range 2 { // the first answer may be lost
		leaf, reason := renew(t, client, csr, "")
		if reason != "" || identity.Generation(leaf) != 2 || !key.PublicKey.Equal(leaf.PublicKey) {
			t.Fatalf("Renew once approved = %q; want a certificate of generation 2 for the approved key", reason)
		}
	}
}

// Pain 7: a host that was switched off for 400 days comes back by an admin's
// approval, under its own name: no new token, nothing installed anew.
func TestPain07_awayFor400Days(t *testing.T) {
	t.Parallel()
	s := newServer(t, 24*time.Hour)
	s.RenewalGrace = 30 * 24 * time.Hour
	id := s.join(t)
	client, _ := s.as(t, id, 1, 400*24*time.Hour)
	csr, key := newRequest(t)
	if _, reason := renew(t, client, csr, ""); reason != identity.Waiting {
		t.Fatalf("Renew after 400 days = %q; want it to ask an admin", reason)
	}
	if _, err := s.Decide(t.Context(), "default", id, "", "admin", true); err != nil {
		t.Fatal(err)
	}
	leaf, reason := renew(t, client, csr, "")
	if reason != "" || identity.Generation(leaf) != 2 {
		t.Fatalf("Renew once approved = %q; want a certificate", reason)
	}
	if caller, err := identity.OfCertificate(leaf); err != nil || caller.ID != id || !time.Now().Before(leaf.NotAfter) {
		t.Errorf("the certificate is of %v until %v, %v; want the same agent's, good by now", caller, leaf.NotAfter, err)
	}
	again, _ := s.with(t, leaf, key)
	next, _ := newRequest(t)
	if _, reason := renew(t, again, next, ""); reason != "" {
		t.Errorf("the next renewal = %q; want it to go on by itself", reason)
	}
}

// Once an agent is attested anew, every certificate from before is good for
// asking an admin and nothing else; what was declined stays so.
func TestAttest_supersedes(t *testing.T) {
	t.Parallel()
	s := newServer(t, time.Hour)
	id := s.join(t)
	old, _ := s.as(t, id, 1, -time.Hour) // still good by its time
	csr, key := newRequest(t)
	if _, reason := renew(t, old, csr, "it is a clone"); reason != identity.Waiting {
		t.Fatalf("Renew(attest) = %q; want WAITING", reason)
	}
	if _, err := s.Decide(t.Context(), "default", id, "", "admin", true); err != nil {
		t.Fatal(err)
	}
	leaf, reason := renew(t, old, csr, "it is a clone")
	if reason != "" {
		t.Fatalf("Renew once approved = %q", reason)
	}
	plain, _ := newRequest(t)
	if _, reason := renew(t, old, plain, ""); reason != identity.Waiting {
		t.Errorf("Renew by the certificate from before = %q; want WAITING", reason)
	}
	young, _ := s.with(t, leaf, key)
	if _, reason := renew(t, young, csr, ""); reason != "" {
		t.Errorf("Renew by the new certificate = %q; want one", reason)
	}
	if _, err := s.Decide(t.Context(), "default", id, "", "admin", false); err != nil {
		t.Fatal(err)
	}
	if _, reason := renew(t, old, plain, ""); reason != identity.Declined {
		t.Errorf("Renew after it was declined = %q; want DECLINED", reason)
	}
	for generation, admitted := range map[uint64]bool{1: false, 2: true} {
		err := s.Store.Read(t.Context(), func(tx *store.Tx) error {
			_, err := enroll.Admitted(tx, identity.Caller{Agent: identity.Agent{Tenant: "default", Site: "hq", ID: id}, Generation: generation})
			return err
		})
		if (err == nil) != admitted {
			t.Errorf("Admitted(generation %d) = %v; want admitted: %v", generation, err, admitted)
		}
	}
}

// A revoked agent gets nothing, whatever it asks for and however late.
func TestRenew_revoked(t *testing.T) {
	t.Parallel()
	s := newServer(t, time.Hour)
	id := s.join(t)
	if err := s.Revoke(t.Context(), "default", id); err != nil {
		t.Fatal(err)
	}
	csr, _ := newRequest(t)
	for _, ended := range []time.Duration{-time.Hour, time.Minute, 1000 * time.Hour} {
		c, _ := s.as(t, id, 1, ended)
		for _, ask := range [][]byte{csr, nil} { // nil: doctor asks whether it is known
			if _, reason := renew(t, c, ask, ""); reason != identity.Revoked {
				t.Errorf("Renew by a certificate that ended %s ago = %q; want REVOKED", ended, reason)
			}
		}
	}
}
