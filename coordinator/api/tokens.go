package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// maxJoin is how long a join token may be good.
const maxJoin = 7 * 24 * time.Hour

type empty struct{}

type byID struct {
	ID string `path:"id" doc:"Identifier"`
}

func (s *Server) tokens(doc huma.API) {
	route(doc, "POST", "/v1/join-tokens", "create-join-token", "Let one agent join", access.Administrator, s.createJoinToken)
	route(doc, "GET", "/v1/join-tokens", "list-join-tokens", "List join tokens", access.Administrator, s.listJoinTokens)
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
	access.About(ctx, in.Body.Site, "good for "+life.String())
	token, expires, err := s.Enroll.NewToken(ctx, who.tenant, in.Body.Site, life)
	if err != nil {
		return nil, s.refuse(ctx, err)
	}
	return answer(client.JoinToken{ID: token.ID(), Site: in.Body.Site, Token: token.Reveal(), Dial: s.Link, Made: expires.Add(-life), Expires: expires, State: "open"}), nil
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
