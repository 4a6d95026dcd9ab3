package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) health(doc huma.API) {
	route(doc, "GET", "/v1/health", "get-health", "Does it work, from end to end?", access.Viewer, s.getHealth)
}

func (s *Server) getHealth(ctx context.Context, _ *empty) (*body[client.Health], error) {
	out := client.Health{Status: "good"}
	err := s.read(ctx, func(tx *store.Tx, who caller) (err error) {
		if out.Systems, err = s.Health.Verdicts(tx, who.tenant); err != nil {
			return err
		}
		for _, v := range out.Systems {
			if v.State == "failing" {
				out.Status = v.State
			}
		}
		rows, err := tx.NotedAgents(who.tenant, agentsShown)
		out.Agents = agentsOf(rows)
		return err
	})
	return answer(out), err
}
