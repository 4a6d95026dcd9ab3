package access

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (g *Gate) sessions(doc huma.API) {
	huma.Register(doc, Operation(Administrator, get("/v1/sessions", "list-sessions", "Who is signed in")), g.listSessions)
	huma.Register(doc, Operation(Administrator, post("/v1/sessions/{id}/revoke", "revoke-session", "Sign somebody out")), g.revokeSession)
	huma.Register(doc, Operation(Administrator, post("/v1/sessions/revoke", "revoke-sessions", "Sign somebody out everywhere")), g.revokeSessions)
}

func (g *Gate) listSessions(ctx context.Context, _ *nothing) (*items[client.Session], error) {
	var list []client.Session
	err := g.read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Sessions(Of(ctx).Tenant)
		for _, s := range rows {
			if g.lives(s, tx.Now) {
				list = append(list, client.Session{ID: s.ID, Subject: s.Subject, Name: s.Name, Roles: namesOf(rolesOf(s.Roles)), How: s.Means,
					Made: s.Made.Time(), Seen: s.Seen.Time(), Expires: s.Expires.Time(), Address: s.Address, Browser: s.Browser})
			}
		}
		return err
	})
	return listed(list), err
}

func (g *Gate) revokeSession(ctx context.Context, in *byID) (*nothing, error) {
	return &nothing{}, g.write(ctx, func(tx *store.Tx) error {
		there, err := tx.RemoveSession(Of(ctx).Tenant, in.ID)
		if err == nil && !there {
			err = problem(http.StatusNotFound, fmt.Sprintf("there is no session %q", in.ID), "see drawbridge access sessions")
		}
		return err
	})
}

// revokeSessions ends what lets somebody in: their sessions, and the tokens of command lines that these let in.
func (g *Gate) revokeSessions(ctx context.Context, in *body[client.WhoToRevoke]) (*body[client.Revoked], error) {
	var out client.Revoked
	err := g.write(ctx, func(tx *store.Tx) (err error) {
		tenant := Of(ctx).Tenant
		if out.Sessions, err = tx.RemoveSessionsOf(tenant, in.Body.Subject); err != nil {
			return err
		}
		if out.Tokens, err = tx.RemoveAPITokensOf(tenant, in.Body.Subject); err != nil {
			return err
		}
		if out.Sessions+out.Tokens == 0 {
			return problem(http.StatusNotFound, fmt.Sprintf("nobody is signed in as %q", in.Body.Subject), "give the subject as drawbridge access sessions shows it")
		}
		About(ctx, in.Body.Subject, fmt.Sprintf("%d sessions and %d tokens ended", out.Sessions, out.Tokens))
		return nil
	})
	return &body[client.Revoked]{out}, err
}
