package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (g *Gate) tokens(doc huma.API) {
	huma.Register(doc, Operation(Administrator, post("/v1/api-tokens", "create-api-token", "Let somebody use the API")), g.createToken)
	huma.Register(doc, Operation(Administrator, get("/v1/api-tokens", "list-api-tokens", "List API tokens")), g.listTokens)
	huma.Register(doc, Operation(Administrator, post("/v1/api-tokens/{id}/revoke", "revoke-api-token", "End an API token")), g.revokeToken)
}

type byID struct {
	ID string `path:"id" doc:"Identifier"`
}

func (g *Gate) createToken(ctx context.Context, in *body[client.NewAPIToken]) (*body[client.APIToken], error) {
	who := Of(ctx)
	row := store.APIToken{Tenant: who.Tenant, Name: in.Body.Name, Roles: string(Administrator), Maker: who.Name}
	if len(in.Body.Roles) > 0 {
		roles, err := ParseRoles(strings.Join(in.Body.Roles, ","))
		if err != nil {
			return nil, problem(http.StatusUnprocessableEntity, err.Error(), "give roles that there are")
		}
		row.Roles = joined(roles)
	}
	if in.Body.Valid != "" {
		life, err := time.ParseDuration(in.Body.Valid)
		if err != nil || life <= 0 {
			return nil, problem(http.StatusUnprocessableEntity, in.Body.Valid+" is no length of time", "give one such as 720h; without one the token has no end")
		}
		row.Expires = store.InstantOf(time.Now().Add(life))
	}
	var out client.APIToken
	err := g.write(ctx, func(tx *store.Tx) error {
		use, err := scimUse(tx, who.Tenant, in.Body)
		if err != nil {
			return err
		}
		text, row, err := NewToken(tx, row)
		if err != nil {
			return err
		}
		if use != nil {
			use.Token = row.ID
			if err := tx.PutTokenSCIM(*use); err != nil {
				return err
			}
		}
		out = tokenOf(row, use)
		out.Token = text
		About(ctx, row.ID, "for "+row.Name+", "+useOf(row, use))
		return tx.AddHistory([]store.History{history.AuditEntry(who.Tenant, "", who.Name, "API token "+row.ID+" made for "+row.Name)})
	})
	return &body[client.APIToken]{out}, err
}

// scimUse gives what the token is restricted to, nil where it is not.
func scimUse(tx *store.Tx, tenant string, asked client.NewAPIToken) (*store.TokenSCIM, error) {
	if asked.Source == "" {
		if !asked.SCIM {
			return nil, nil
		}
		return &store.TokenSCIM{Tenant: tenant}, nil
	}
	row, err := tx.System(tenant, asked.Source)
	if errors.Is(err, store.ErrNone) {
		err = problem(http.StatusNotFound, fmt.Sprintf("there is no system %q", asked.Source), "see drawbridge system list")
	}
	if err != nil {
		return nil, err
	}
	if row.Connector != mapping.PushConnector {
		return nil, problem(http.StatusUnprocessableEntity, asked.Source+" is no source that records are pushed to",
			"apply a document with connector: "+mapping.PushConnector+" first, see coordinator/scim/README.md")
	}
	return &store.TokenSCIM{Tenant: tenant, Source: asked.Source}, nil
}

// useOf says what a token is good for.
func useOf(row store.APIToken, use *store.TokenSCIM) string {
	switch {
	case use == nil:
		return "as " + row.Roles
	case use.Source != "":
		return "to push the records of " + use.Source
	}
	return "to read the directory by SCIM"
}

func (g *Gate) listTokens(ctx context.Context, _ *nothing) (*items[client.APIToken], error) {
	var list []client.APIToken
	err := g.read(ctx, func(tx *store.Tx) error {
		tenant := Of(ctx).Tenant
		rows, err := tx.APITokens(tenant)
		if err != nil {
			return err
		}
		uses, err := tx.TokensSCIM(tenant)
		for _, t := range rows {
			var use *store.TokenSCIM
			if i := slices.IndexFunc(uses, func(u store.TokenSCIM) bool { return u.Token == t.ID }); i >= 0 {
				use = &uses[i]
			}
			list = append(list, tokenOf(t, use))
		}
		return err
	})
	return listed(list), err
}

func tokenOf(t store.APIToken, use *store.TokenSCIM) client.APIToken {
	out := client.APIToken{ID: t.ID, Name: t.Name, Made: t.Made.Time(), Used: t.Used.Time(), Expires: t.Expires.Time(), Maker: t.Maker, Roles: namesOf(rolesOf(t.Roles))}
	if use != nil {
		out.SCIM, out.Source, out.Roles = true, use.Source, []string{}
	}
	return out
}

func (g *Gate) revokeToken(ctx context.Context, in *byID) (*nothing, error) {
	who := Of(ctx)
	return &nothing{}, g.write(ctx, func(tx *store.Tx) error {
		there, err := tx.RemoveAPIToken(who.Tenant, in.ID)
		if err == nil && !there {
			err = problem(http.StatusNotFound, fmt.Sprintf("there is no API token %q", in.ID), "see drawbridge token list --api")
		}
		if err == nil {
			err = tx.RemoveTokenSCIM(who.Tenant, in.ID)
		}
		if err != nil {
			return err
		}
		return tx.AddHistory([]store.History{history.AuditEntry(who.Tenant, "", who.Name, "API token "+in.ID+" revoked")})
	})
}

func (g *Gate) read(ctx context.Context, do func(tx *store.Tx) error) error {
	return g.told(ctx, g.store.Read(ctx, do))
}

func (g *Gate) write(ctx context.Context, do func(tx *store.Tx) error) error {
	return g.told(ctx, g.store.WriteTenant(ctx, Of(ctx).Tenant, do))
}

// told lets refusals pass. Anything else is the coordinator's own trouble: it
// is logged, and whoever asks learns no more than that.
func (g *Gate) told(ctx context.Context, err error) error {
	var p *client.Problem
	if err == nil || errors.As(err, &p) {
		return err
	}
	g.log.ErrorContext(ctx, "Request failed", "err", err)
	return problem(http.StatusInternalServerError, "the coordinator could not do it", "try again; if it stays so, the coordinator's log says why")
}
