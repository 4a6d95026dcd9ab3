package api

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) agents(doc huma.API) {
	route(doc, "GET", "/v1/agents", "list-agents", "List agents", s.listAgents)
	route(doc, "POST", "/v1/agents/{id}/revoke", "revoke-agent", "Shut an agent out", s.revokeAgent)
}

func (s *Server) listAgents(ctx context.Context, _ *empty) (*items[client.Agent], error) {
	var list []client.Agent
	err := s.read(ctx, func(tx *store.Tx, who caller) (err error) {
		list, err = agentsOf(tx, who.tenant)
		return err
	})
	return listed(list), err
}

func (s *Server) revokeAgent(ctx context.Context, in *byID) (*body[client.Agent], error) {
	who := callerOf(ctx)
	err := s.Enroll.Revoke(ctx, who.tenant, in.ID)
	if errors.Is(err, store.ErrNone) {
		return nil, none("agent", in.ID, "see drawbridge agent list")
	}
	if err != nil {
		return nil, s.refuse(ctx, err)
	}
	var out client.Agent
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := tx.Agent(who.tenant, in.ID)
		out = agent(row)
		return err
	})
	return answer(out), err
}

func agentsOf(tx *store.Tx, tenant string) ([]client.Agent, error) {
	rows, err := tx.Agents(tenant)
	list := make([]client.Agent, len(rows))
	for i, row := range rows {
		list[i] = agent(row)
	}
	return list, err
}

func agent(row store.Agent) client.Agent {
	a := client.Agent{ID: row.ID, Site: row.Site, Host: row.Host, Version: row.Version, Platform: row.Platform, State: "away",
		Enrolled: row.Enrolled.Time(), Connected: row.Connected.Time(), Seen: row.Seen.Time(), CertExpires: row.CertExpires.Time(), Connectors: []string{}}
	switch {
	case row.Revoked != 0:
		a.State = "revoked"
	case row.Connected != 0:
		a.State = "connected"
	}
	for _, c := range connectorsOf(row) {
		a.Connectors = append(a.Connectors, c.Name+" "+c.Version)
	}
	return a
}

type connector struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// connectorsOf gives the connectors that an agent's Hello named.
func connectorsOf(row store.Agent) []connector {
	var list []connector
	if json.Unmarshal([]byte(row.Connectors), &list) != nil {
		return nil
	}
	return list
}
