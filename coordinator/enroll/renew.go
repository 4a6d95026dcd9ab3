package enroll

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Renew implements linkv1.EnrollmentServiceServer.
func (s *Service) Renew(ctx context.Context, req *linkv1.RenewRequest) (*linkv1.RenewResponse, error) {
	agent, err := holder(ctx)
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	now := time.Now().UTC()
	var cert *x509.Certificate
	var waits error
	err = s.Store.Write(ctx, func(tx *store.Tx) error {
		row, err := known(tx, agent)
		if err != nil {
			return err
		}
		csr, err := parseRequest(req.GetCsr())
		if err != nil {
			return &identity.Refusal{Reason: identity.BadRequest, Message: err.Error()}
		}
		if why := s.doubt(agent, row, req, now); why != "" {
			cert, waits, err = s.attest(tx, row, csr, why, req.GetHost())
			return err // waits is no reason to forget the request
		}
		if cert, err = s.Authority.SignAgent(csr.PublicKey, agent.Agent, agent.Generation, s.life()); err != nil {
			return err
		}
		return tx.RenewAgent(agent.Tenant, agent.ID, cert.SerialNumber.Text(16), store.InstantOf(cert.NotAfter))
	})
	if err == nil {
		err = waits
	}
	if refusal := (*identity.Refusal)(nil); errors.As(err, &refusal) {
		return nil, s.refuse(ctx, agent.ID, refusal.Reason, now, refusal.Message)
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "Renewal not stored", "agent", agent.ID, "err", err)
		return nil, status.Error(codes.Unavailable, "the coordinator cannot store the renewal now; try again")
	}
	s.Log.InfoContext(ctx, "Certificate renewed", "agent", agent.ID, "expires", cert.NotAfter)
	return &linkv1.RenewResponse{Chain: [][]byte{cert.Raw}}, nil
}

// doubt says why an admin must approve the renewal; "" if none must.
func (s *Service) doubt(agent identity.Caller, row store.Agent, req *linkv1.RenewRequest, now time.Time) string {
	switch late := now.Sub(agent.Expires); {
	case agent.Generation < uint64(row.Generation):
		return superseded(agent, row)
	case late > s.grace():
		return fmt.Sprintf("it was away too long: its certificate ended %s ago, and the grace for renewing it is %s", late.Round(time.Second), s.grace())
	}
	return req.GetAttest()
}

func superseded(agent identity.Caller, row store.Agent) string {
	return fmt.Sprintf("agent %s was attested anew on host %s, which made the certificates from before that invalid, this one among them", agent.ID, row.Host)
}

// known returns the row of the agent that a certificate names, or an
// *identity.Refusal if it is revoked or there is none.
func known(tx *store.Tx, agent identity.Caller) (store.Agent, error) {
	row, err := tx.Agent(agent.Tenant, agent.ID)
	switch {
	case errors.Is(err, store.ErrNone):
		return row, &identity.Refusal{Reason: identity.Revoked, Clock: tx.Now.Time(), Message: fmt.Sprintf(
			"agent %s is not known to this coordinator: enrol it again with a new join token", agent.ID)}
	case err == nil && row.Revoked != 0:
		return row, &identity.Refusal{Reason: identity.Revoked, Clock: tx.Now.Time(), Message: fmt.Sprintf(
			"agent %s was revoked at %s: if it shall work again, enrol it with a new join token", agent.ID, row.Revoked.Time().Format(time.RFC3339))}
	}
	return row, err
}

// Admitted returns the row of the agent that a certificate names, or an
// *identity.Refusal if it is revoked, not in the store, or its certificate was
// made invalid by an attestation.
func Admitted(tx *store.Tx, agent identity.Caller) (store.Agent, error) {
	row, err := known(tx, agent)
	if err == nil && agent.Generation < uint64(row.Generation) {
		err = &identity.Refusal{Reason: identity.Doubted, Clock: tx.Now.Time(), Message: superseded(agent, row)}
	}
	return row, err
}
