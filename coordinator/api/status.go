package api

import (
	"context"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) status(doc huma.API) {
	route(doc, "GET", "/v1/status", "get-status", "Everything at a glance", access.Viewer, s.getStatus)
}

// agentsShown is how many agents the status tells of at most, those somebody should look at first.
const agentsShown = 200

func (s *Server) getStatus(ctx context.Context, _ *empty) (*body[client.Status], error) {
	total, err := s.total(ctx)
	if err != nil {
		return nil, err
	}
	out, err := s.statuses.get(ctx, s, func(tx *store.Tx, tenant string) (client.Status, error) { return s.statusOf(tx, tenant, total) })
	return answer(out), err
}

// statusOf fills the status out of one snapshot of the store.
func (s *Server) statusOf(tx *store.Tx, tenant string, total totals) (out client.Status, err error) {
	out = client.Status{Version: s.Version, Now: tx.Now.Time(), People: total.people, Due: total.due, Later: total.later, Alarms: total.alarms,
		Accounts: map[string]int64{}, Jobs: map[string]int64{}, Cycles: []client.Cycle{}}
	for _, c := range total.jobs {
		out.Jobs[c.Name] = c.N
	}
	if out.Problems, err = tx.CountProblems(tenant); err != nil {
		return out, err
	}
	if out.Held, err = heldOf(tx, tenant); err != nil {
		return out, err
	}
	noted, err := tx.NotedAgents(tenant, agentsShown)
	if err != nil {
		return out, err
	}
	rest, err := tx.ListAgents(tenant, store.AgentFilter{}, agentsShown)
	if err != nil {
		return out, err
	}
	out.Agents = agentsOf(noted)
	for _, a := range agentsOf(rest) {
		if len(out.Agents) < agentsShown && !slices.ContainsFunc(out.Agents, func(b client.Agent) bool { return a.ID == b.ID }) {
			out.Agents = append(out.Agents, a)
		}
	}
	if out.Systems, err = s.systemsOf(tx, tenant, total.accounts); err != nil {
		return out, err
	}
	for _, y := range out.Systems {
		out.Accounts[y.Name] = y.Accounts
	}
	for _, state := range []string{store.CycleReading, store.CycleHeld} {
		rows, err := tx.ListCycles(tenant, store.CycleFilter{State: state}, 100)
		if err != nil {
			return out, err
		}
		for _, row := range rows {
			out.Cycles = append(out.Cycles, cycle(row))
		}
	}
	return out, nil
}
