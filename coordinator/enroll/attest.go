package enroll

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/identity"
)

// ErrNoRequest says that an agent does not ask to be attested anew. Test with [errors.Is].
var ErrNoRequest = errors.New("the agent does not ask for approval")

// A Request is an agent's, to be attested anew. It stays with the agent until
// another comes: an answer that was lost is given again.
type Request struct {
	Key   string    `json:"key"`  // SHA-256 of the public key, hex
	Host  string    `json:"host"` // that asks
	Why   string    `json:"why"`
	At    time.Time `json:"at"`
	State string    `json:"state"` // waiting, approved, declined, attested
}

// RequestOf returns the request kept with an agent; its State is "" if there is none.
func RequestOf(row store.Agent) (r Request) {
	_ = json.Unmarshal([]byte(row.Request), &r) // "" is none
	return r
}

// Fingerprint is how people compare a request at both ends.
func (r Request) Fingerprint() string { return fmt.Sprintf("%.16s", r.Key) }

// attest signs csr as the agent's next generation if this very key was
// approved. Else the request is kept, and waits says what the agent is told.
func (s *Service) attest(tx *store.Tx, row store.Agent, csr *x509.CertificateRequest, why, host string) (cert *x509.Certificate, waits, err error) {
	sum := sha256.Sum256(csr.RawSubjectPublicKeyInfo)
	asked := Request{Key: hex.EncodeToString(sum[:]), Host: host, Why: why, At: tx.Now.Time(), State: "waiting"}
	refuse := func(reason identity.Reason, format string, args ...any) error {
		return &identity.Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	kept := RequestOf(row)
	switch {
	case kept.Key == asked.Key && kept.State == "approved":
		cert, err = s.succeed(tx, row, csr, kept)
		return cert, nil, err
	case kept.Key == asked.Key && kept.State == "attested":
		cert, err = s.Authority.SignAgent(csr.PublicKey, identity.Agent{Tenant: row.Tenant, Site: row.Site, ID: row.ID}, uint64(row.Generation), s.life())
		return cert, nil, err
	case kept.Key == asked.Key && kept.State == "declined":
		return nil, refuse(identity.Declined, "an admin declined to attest agent %s anew on host %s: if this host shall work, enrol it with a join token of its own", row.ID, host), nil
	case kept.Key == asked.Key:
	case kept.State == "waiting" || kept.State == "approved":
		return nil, refuse(identity.Waiting, "%s; host %s asked for the same agent before, and an admin must decide about that first: drawbridge agent show %s", why, kept.Host, row.ID), nil
	default:
		text, err := json.Marshal(asked)
		if err == nil {
			err = tx.RequestAgent(row.Tenant, row.ID, string(text))
		}
		if err == nil {
			err = tx.AddHistory([]store.History{{Tenant: row.Tenant, Kind: "audit",
				Text: fmt.Sprintf("agent %s asks from host %s to be attested anew, key %s: %s", row.ID, host, asked.Fingerprint(), why)}})
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return nil, refuse(identity.Waiting, "%s; it works again once an admin has approved key %s: drawbridge agent approve %s", why, asked.Fingerprint(), row.ID), nil
}

// succeed signs the agent's next generation.
func (s *Service) succeed(tx *store.Tx, row store.Agent, csr *x509.CertificateRequest, kept Request) (*x509.Certificate, error) {
	next := row
	next.Generation++
	next.Host = kept.Host
	kept.State = "attested"
	text, err := json.Marshal(kept)
	if err != nil {
		return nil, err
	}
	next.Request = string(text)
	cert, err := s.Authority.SignAgent(csr.PublicKey, identity.Agent{Tenant: row.Tenant, Site: row.Site, ID: row.ID}, uint64(next.Generation), s.life())
	if err != nil {
		return nil, err
	}
	next.CertSerial, next.CertExpires = cert.SerialNumber.Text(16), store.InstantOf(cert.NotAfter)
	return cert, errors.Join(tx.AttestAgent(next), tx.AddHistory([]store.History{{Tenant: row.Tenant, Kind: "audit",
		Text: fmt.Sprintf("agent %s attested anew on host %s; its certificates from before are no longer good", row.ID, kept.Host)}}))
}

// Decide approves or declines what an agent asks for, by whom the log shall
// name. key, if given, must be the fingerprint of the request. It returns
// store.ErrNone where there is no such agent, [ErrNoRequest] where it asks for nothing.
func (s *Service) Decide(ctx context.Context, tenant, agent, key, by string, approve bool) (Request, error) {
	var r Request
	err := s.Store.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.Agent(tenant, agent)
		if err != nil {
			return err
		}
		r = RequestOf(row)
		switch {
		case r.State != "waiting" && r.State != "approved":
			return ErrNoRequest
		case key != "" && key != r.Fingerprint():
			return fmt.Errorf("%w with key %s; the one that waits has key %s, from host %s", ErrNoRequest, key, r.Fingerprint(), r.Host)
		}
		r.State = "declined"
		if approve {
			r.State = "approved"
		}
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return errors.Join(tx.RequestAgent(tenant, agent, string(text)), tx.AddHistory([]store.History{{Tenant: tenant, Kind: "audit",
			Text: fmt.Sprintf("%s %s to attest agent %s anew on host %s, key %s", by, r.State, agent, r.Host, r.Fingerprint())}}))
	})
	return r, err
}

func (s *Service) grace() time.Duration {
	if s.RenewalGrace > 0 {
		return s.RenewalGrace
	}
	return DefaultRenewalGrace
}
