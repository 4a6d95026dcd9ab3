package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// maxJoin is how long a join token may be good.
const maxJoin = 7 * 24 * time.Hour

type empty struct{}

type byID struct {
	ID string `path:"id" doc:"Identifier"`
}

func (s *Server) tokens(doc huma.API) {
	route(doc, "POST", "/v1/join-tokens", "create-join-token", "Let one agent join", s.createJoinToken)
	route(doc, "GET", "/v1/join-tokens", "list-join-tokens", "List join tokens", s.listJoinTokens)
	route(doc, "POST", "/v1/api-tokens", "create-api-token", "Let somebody use the API", s.createAPIToken)
	route(doc, "GET", "/v1/api-tokens", "list-api-tokens", "List API tokens", s.listAPITokens)
	route(doc, "POST", "/v1/api-tokens/{id}/revoke", "revoke-api-token", "End an API token", s.revokeAPIToken)
}

func (s *Server) createJoinToken(ctx context.Context, in *body[client.NewJoinToken]) (*body[client.JoinToken], error) {
	life := enroll.DefaultTokenLife
	if in.Body.Valid != "" {
		var err error
		if life, err = time.ParseDuration(in.Body.Valid); err != nil || life <= 0 || life > maxJoin {
			return nil, problem(http.StatusUnprocessableEntity, "the token's life is not understood or too long", "give one such as 1h, at most 168h",
				client.Fault{Field: "body.valid", Message: in.Body.Valid + " is no duration between 0 and 168h"})
		}
	}
	who := callerOf(ctx)
	token, expires, err := s.Enroll.NewToken(ctx, who.tenant, in.Body.Site, life)
	if err != nil {
		return nil, s.refuse(ctx, err)
	}
	return answer(client.JoinToken{ID: token.ID(), Site: in.Body.Site, Token: token.Reveal(), Made: expires.Add(-life), Expires: expires, State: "open"}), nil
}

func (s *Server) listJoinTokens(ctx context.Context, _ *empty) (*items[client.JoinToken], error) {
	var list []client.JoinToken
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.JoinTokens(who.tenant)
		for _, t := range rows {
			state := "open"
			switch {
			case t.Used != 0:
				state = "used"
			case t.Expires <= tx.Now:
				state = "expired"
			}
			list = append(list, client.JoinToken{ID: t.ID, Site: t.Site, Made: t.Made.Time(), Expires: t.Expires.Time(),
				Used: t.Used.Time(), UsedBy: t.UsedBy, State: state})
		}
		return err
	})
	return listed(list), err
}

func (s *Server) createAPIToken(ctx context.Context, in *body[client.NewAPIToken]) (*body[client.APIToken], error) {
	var out client.APIToken
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		use, err := scimUse(tx, who, in.Body)
		if err != nil {
			return err
		}
		text, row, err := NewToken(tx, who.tenant, in.Body.Name)
		if err != nil {
			return err
		}
		if use != nil {
			use.Token = row.ID
			if err := tx.PutTokenSCIM(*use); err != nil {
				return err
			}
		}
		out = client.APIToken{ID: row.ID, Name: row.Name, Token: text, Made: row.Made.Time(), SCIM: use != nil, Source: in.Body.Source}
		return tx.AddHistory([]store.History{history.AuditEntry(who.tenant, "", who.name, "API token "+row.ID+" made for "+row.Name)})
	})
	return answer(out), err
}

// scimUse gives what the token is restricted to, nil where it is not.
func scimUse(tx *store.Tx, who caller, asked client.NewAPIToken) (*store.TokenSCIM, error) {
	if asked.Source == "" {
		if !asked.SCIM {
			return nil, nil
		}
		return &store.TokenSCIM{Tenant: who.tenant}, nil
	}
	row, err := systemRow(tx, who, asked.Source)
	if err != nil {
		return nil, err
	}
	if row.Connector != mapping.PushConnector {
		return nil, problem(http.StatusUnprocessableEntity, asked.Source+" is no source that records are pushed to",
			"apply a document with connector: "+mapping.PushConnector+" first, see coordinator/scim/README.md")
	}
	return &store.TokenSCIM{Tenant: who.tenant, Source: asked.Source}, nil
}

func (s *Server) listAPITokens(ctx context.Context, _ *empty) (*items[client.APIToken], error) {
	var list []client.APIToken
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.APITokens(who.tenant)
		if err != nil {
			return err
		}
		uses, err := tx.TokensSCIM(who.tenant)
		for _, t := range rows {
			i := slices.IndexFunc(uses, func(u store.TokenSCIM) bool { return u.Token == t.ID })
			source := ""
			if i >= 0 {
				source = uses[i].Source
			}
			list = append(list, client.APIToken{SCIM: i >= 0, Source: source, ID: t.ID, Name: t.Name, Made: t.Made.Time(), Used: t.Used.Time()})
		}
		return err
	})
	return listed(list), err
}

func (s *Server) revokeAPIToken(ctx context.Context, in *byID) (*empty, error) {
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		there, err := tx.RemoveAPIToken(who.tenant, in.ID)
		if err == nil && !there {
			err = none("API token", in.ID, "see drawbridge token list --api")
		}
		if err == nil {
			err = tx.RemoveTokenSCIM(who.tenant, in.ID)
		}
		if err != nil {
			return err
		}
		return tx.AddHistory([]store.History{history.AuditEntry(who.tenant, "", who.name, "API token "+in.ID+" revoked")})
	})
	return &empty{}, err
}
