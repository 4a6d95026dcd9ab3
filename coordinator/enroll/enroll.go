// Package enroll lets agents in and shuts them out: the authority and its file,
// join tokens, certificates, revocation. What both ends agree on (names in
// certificates, TLS rules, the form of a token) is proto/identity; the streams
// of agents that are in are gateway.
//
//	admin                 coordinator                     agent
//	token create ───────► row of a token, hash only
//	             ◄─────── text, shown once ─────────────► enroll
//	                      token, clock and request checked,
//	                      token used and agent stored     ◄─ Enroll
//	                      in one transaction  ──────────► certificate, a day
//	                      agent not revoked?              ◄─ Renew, by certificate
//	agent revoke ───────► row; the stream is cut, open jobs go to others
//
// An agent that cannot just be believed is attested anew, never installed anew:
// its certificate ended longer ago than the grace, it is a clone or a restored
// snapshot (gateway notices), or another host was attested in its place.
//
//	admin                 coordinator                     agent
//	                      request kept with the agent     ◄─ Renew, with a key that it keeps and why
//	agent list   ◄─────── "awaits approval"  ───────────► WAITING: ask again
//	agent approve ──────► for this very key               ◄─ Renew, the same key
//	                      generation raised, counter and
//	                      batches anew; streams by older
//	                      certificates are cut ─────────► certificate of the new generation
//
// What may go wrong: a token that is unknown, used or late, a clock that is off,
// a request that cannot be read, an agent that is revoked: each an
// *identity.Refusal that says what to do. A coordinator killed before the
// transaction's end has not used the token; one killed after it, before the
// answer, has: the agent needs another token, and the row of the first stays,
// never connected.
package enroll

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// What holds if nothing else is said.
const (
	DefaultTokenLife       = time.Hour           // of a join token
	DefaultCertificateLife = 24 * time.Hour      // of an agent's certificate
	DefaultRenewalGrace    = 30 * 24 * time.Hour // after its end, in which it may still be renewed
)

// A Service is the EnrollmentService of the link, and what an admin does about
// agents. All fields must be set before first use.
type Service struct {
	linkv1.UnimplementedEnrollmentServiceServer

	Store           *store.Store
	Authority       *Authority
	CertificateLife time.Duration // 0 means [DefaultCertificateLife]
	RenewalGrace    time.Duration // 0 means [DefaultRenewalGrace]
	Log             *slog.Logger
}

// NewToken makes a join token for one agent of a site. Its text is to be shown
// once; only a hash is kept. A life of 0 means [DefaultTokenLife].
func (s *Service) NewToken(ctx context.Context, tenant, site string, life time.Duration) (token identity.Token, expires time.Time, err error) {
	if err := (identity.Agent{Tenant: tenant, Site: site, ID: "a"}).Validate(); err != nil {
		return identity.Token{}, time.Time{}, err
	}
	if life <= 0 {
		life = DefaultTokenLife
	}
	token = identity.NewToken(s.Authority.Certificate())
	err = s.Store.Write(ctx, func(tx *store.Tx) error {
		row := store.JoinToken{Tenant: tenant, ID: token.ID(), Secret: token.SecretHash(), Site: site, Made: tx.Now, Expires: tx.Now.Add(life)}
		expires = row.Expires.Time()
		return errors.Join(tx.AddJoinToken(row), tx.AddHistory([]store.History{{
			Tenant: tenant, Kind: "audit", Text: fmt.Sprintf("join token %.8s made for site %s, good until %s", row.ID, site, expires.Format(time.RFC3339)),
		}}))
	})
	return token, expires, err
}

// Revoke shuts an agent out: its stream is cut at once, and what it was sent is
// queued again for other agents of its site. It returns store.ErrNone where there is no such agent.
func (s *Service) Revoke(ctx context.Context, tenant, agent string) error {
	return s.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.RevokeAgent(tenant, agent); err != nil {
			return fmt.Errorf("revoke agent %q: %w", agent, err)
		}
		if _, err := tx.RequeueAgent(tenant, agent); err != nil {
			return err
		}
		return tx.AddHistory([]store.History{{Tenant: tenant, Kind: "audit", Text: "agent " + agent + " revoked"}})
	})
}

// Enroll implements linkv1.EnrollmentServiceServer.
func (s *Service) Enroll(ctx context.Context, req *linkv1.EnrollRequest) (*linkv1.EnrollResponse, error) {
	now := time.Now().UTC()
	token, err := identity.ParseToken(req.GetToken())
	if err != nil {
		return nil, s.refuse(ctx, req.GetHost(), identity.TokenUnknown, now, err.Error())
	}
	if err := req.GetClock().CheckValid(); err != nil {
		return nil, s.refuse(ctx, req.GetHost(), identity.BadRequest, now, "the request does not tell the agent's clock: use an agent of this release")
	}
	if err := identity.CheckClock(req.GetClock().AsTime(), now); err != nil {
		s.Log.WarnContext(ctx, "Enrolment refused", "host", req.GetHost(), "err", err)
		return nil, err
	}
	csr, err := parseRequest(req.GetCsr())
	if err != nil {
		return nil, s.refuse(ctx, req.GetHost(), identity.BadRequest, now, err.Error())
	}

	var agent identity.Agent
	var cert *x509.Certificate
	err = s.Store.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.JoinToken(token.ID())
		if err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
		if refusal := check(token, row, now); refusal != nil {
			return refusal
		}
		agent = identity.Agent{Tenant: row.Tenant, Site: row.Site, ID: newAgentID()}
		if cert, err = s.Authority.SignAgent(csr.PublicKey, agent, 1, s.life()); err != nil {
			return err
		}
		if _, err := tx.UseJoinToken(row.Tenant, row.ID, req.GetHost()); err != nil {
			return err
		}
		if err := tx.AddAgent(store.Agent{
			Tenant: agent.Tenant, ID: agent.ID, Site: agent.Site, Host: req.GetHost(), Version: req.GetVersion(), Enrolled: tx.Now,
			CertSerial: cert.SerialNumber.Text(16), CertExpires: store.InstantOf(cert.NotAfter), Connectors: "[]", Generation: 1,
		}); err != nil {
			return err
		}
		return tx.AddHistory([]store.History{{
			Tenant: agent.Tenant, Kind: "audit", Text: fmt.Sprintf("agent %s enrolled at site %s from host %s", agent.ID, agent.Site, req.GetHost()),
		}})
	})
	if refusal := (*identity.Refusal)(nil); errors.As(err, &refusal) {
		return nil, s.refuse(ctx, req.GetHost(), refusal.Reason, now, refusal.Message)
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "Enrolment not stored", "host", req.GetHost(), "err", err)
		return nil, status.Error(codes.Unavailable, "the coordinator cannot store the agent now; enrol again with the same token")
	}
	s.Log.InfoContext(ctx, "Agent enrolled", "agent", agent.ID, "site", agent.Site, "host", req.GetHost())
	return &linkv1.EnrollResponse{Chain: [][]byte{cert.Raw}, Authority: s.Authority.cert.Raw, Agent: agent.ID, Site: agent.Site}, nil
}

// check says why a token does not serve, or nil.
func check(token identity.Token, row store.JoinToken, now time.Time) *identity.Refusal {
	refuse := func(reason identity.Reason, format string, args ...any) *identity.Refusal {
		return &identity.Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	const another = "make another with `drawbridge token create`"
	switch {
	case !token.Matches(row.Secret): // also where there is no row
		return refuse(identity.TokenUnknown, "the join token %.8s was not made by this coordinator, or was removed: %s", token.ID(), another)
	case row.Used != 0:
		return refuse(identity.TokenUsed, "the join token %.8s was used by host %s at %s, and serves once: if that was not you, revoke that agent; %s",
			token.ID(), row.UsedBy, row.Used.Time().Format(time.RFC3339), another)
	case !now.Before(row.Expires.Time()):
		return refuse(identity.TokenExpired, "the join token %.8s expired at %s: %s", token.ID(), row.Expires.Time().Format(time.RFC3339), another)
	}
	return nil
}

// Caller returns the agent whose certificate the caller of an RPC has shown. It
// returns an *identity.Refusal if the certificate's time is over.
func Caller(ctx context.Context) (identity.Caller, error) {
	c, err := holder(ctx)
	if now := time.Now().UTC(); err == nil && now.After(c.Expires) {
		err = &identity.Refusal{Reason: identity.Expired, Clock: now, Message: fmt.Sprintf(
			"the certificate of agent %s ended at %s: it renews by itself", c.ID, c.Expires.Format(time.RFC3339))}
	}
	return c, err
}

// holder is Caller for whom the certificate may have ended.
func holder(ctx context.Context) (identity.Caller, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return identity.Caller{}, identity.ErrNoAgent
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return identity.Caller{}, fmt.Errorf("%w: the connection is not secured", identity.ErrNoAgent)
	}
	return identity.Peer(info.State)
}

func (s *Service) life() time.Duration {
	if s.CertificateLife > 0 {
		return s.CertificateLife
	}
	return DefaultCertificateLife
}

func (s *Service) refuse(ctx context.Context, who string, reason identity.Reason, now time.Time, message string) error {
	s.Log.WarnContext(ctx, "Certificate refused", "who", who, "reason", reason, "message", message)
	return &identity.Refusal{Reason: reason, Message: message, Clock: now}
}

// parseRequest reads a certificate request whose sender has the key.
func parseRequest(der []byte) (*x509.CertificateRequest, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err == nil {
		err = csr.CheckSignature()
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate request cannot be read (%w): use an agent of this release", err)
	}
	return csr, nil
}

func newAgentID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand
	return hex.EncodeToString(b[:])
}
