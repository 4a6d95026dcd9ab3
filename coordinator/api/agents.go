package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

func (s *Server) agents(doc huma.API) {
	route(doc, "GET", "/v1/agents", "list-agents", "List agents", access.Viewer, s.listAgents)
	route(doc, "GET", "/v1/agents/{id}", "get-agent", "Show an agent", access.Viewer, s.getAgent)
	route(doc, "POST", "/v1/agents/{id}/revoke", "revoke-agent", "Shut an agent out", access.Administrator, s.revokeAgent)
	route(doc, "POST", "/v1/agents/{id}/approve", "approve-agent", "Let an agent be attested anew", access.Administrator, s.approveAgent)
	route(doc, "POST", "/v1/agents/{id}/ring", "set-ring", "Say in which ring of updates an agent is", access.Administrator, s.setRing)
	route(doc, "POST", "/v1/agents/{id}/decline", "decline-agent", "Do not let an agent be attested anew", access.Administrator, s.declineAgent)
}

const listAgents = "see drawbridge agent list"

func (s *Server) getAgent(ctx context.Context, in *byID) (*body[client.Agent], error) {
	var out client.Agent
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := tx.Agent(who.tenant, in.ID)
		if err != nil {
			return missing(err, "agent", in.ID, listAgents)
		}
		one := []client.Agent{agent(row)}
		err = queues(tx, who.tenant, one)
		out = one[0]
		return err
	})
	return answer(out), err
}

type agentQuery struct {
	Site  string `query:"site" doc:"Only of this site"`
	State string `query:"state" enum:"connected,away,revoked,asking" doc:"Only in this state; asking: that ask for approval"`
	Ring  string `query:"ring" maxLength:"40" doc:"Only of this ring of updates"`
	Text  string `query:"q" maxLength:"200" doc:"Only whose host's name holds this, or whose id it is"`
	Page
}

func (s *Server) listAgents(ctx context.Context, in *agentQuery) (*items[client.Agent], error) {
	var list []client.Agent
	next := ""
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.ListAgents(who.tenant, store.AgentFilter{Site: in.Site, State: in.State, Ring: in.Ring, Text: in.Text, After: in.Cursor}, in.Limit)
		if err != nil {
			return err
		}
		if list = agentsOf(rows); len(rows) == in.Limit {
			next = store.AgentPlace(rows[len(rows)-1])
		}
		return queues(tx, who.tenant, list)
	})
	out := listed(list)
	out.Body.Next = next
	return out, err
}

// queues says of agents how many jobs they have, and how many wait for their site.
func queues(tx *store.Tx, tenant string, list []client.Agent) error {
	if len(list) == 0 {
		return nil
	}
	sent, err := tx.SentCounts(tenant)
	if err != nil {
		return err
	}
	queued, err := tx.QueuedCounts(tenant)
	for i := range list {
		for _, c := range sent {
			if c.Name == list[i].ID {
				list[i].Queue = c.N
			}
		}
		for _, c := range queued {
			if c.Name == list[i].Site {
				list[i].SiteQueue = c.N
			}
		}
	}
	return err
}

func (s *Server) revokeAgent(ctx context.Context, in *byID) (*body[client.Agent], error) {
	err := s.Enroll.Revoke(ctx, callerOf(ctx).tenant, in.ID)
	if err != nil {
		return nil, s.refuse(ctx, missing(err, "agent", in.ID, listAgents))
	}
	return s.getAgent(ctx, in)
}

type ringInput struct {
	ID   string `path:"id" doc:"Identifier"`
	Body client.Ring
}

// setRing notes which ring an agent is in. A ring that its host names is said again by the agent.
func (s *Server) setRing(ctx context.Context, in *ringInput) (*body[client.Agent], error) {
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		row, err := tx.Agent(who.tenant, in.ID)
		if err != nil {
			return missing(err, "agent", in.ID, listAgents)
		}
		access.About(ctx, row.Host, "ring "+cmp.Or(in.Body.Ring, "none"))
		if err := tx.SetRing(who.tenant, in.ID, in.Body.Ring); err != nil {
			return err
		}
		return tx.AddHistory([]store.History{history.AuditEntry(who.tenant, "", who.name, "agent on "+row.Host+" is in ring "+cmp.Or(in.Body.Ring, "none"))})
	})
	if err != nil {
		return nil, err
	}
	return s.getAgent(ctx, &byID{in.ID})
}

// A decided agent is named in the path, what is decided about in the body.
type decided struct {
	ID   string `path:"id" doc:"Identifier"` // not embedded: huma fills no field of a type that is not exported
	Body *client.AgentDecision
}

func (s *Server) approveAgent(ctx context.Context, in *decided) (*body[client.Agent], error) {
	return s.decide(ctx, in, true)
}

func (s *Server) declineAgent(ctx context.Context, in *decided) (*body[client.Agent], error) {
	return s.decide(ctx, in, false)
}

func (s *Server) decide(ctx context.Context, in *decided, approve bool) (*body[client.Agent], error) {
	who := callerOf(ctx)
	key := ""
	if in.Body != nil {
		key = in.Body.Key
	}
	_, err := s.Enroll.Decide(ctx, who.tenant, in.ID, key, who.name, approve)
	if errors.Is(err, enroll.ErrNoRequest) {
		return nil, problem(http.StatusConflict, err.Error(), "see what it asks for with drawbridge agent show "+in.ID)
	}
	if err != nil {
		return nil, s.refuse(ctx, missing(err, "agent", in.ID, listAgents))
	}
	return s.getAgent(ctx, &byID{in.ID})
}

func agentsOf(rows []store.Agent) []client.Agent {
	list := make([]client.Agent, len(rows))
	for i, row := range rows {
		list[i] = agent(row)
	}
	return list
}

func agent(row store.Agent) client.Agent {
	a := client.Agent{ID: row.ID, Site: row.Site, Host: row.Host, Version: row.Version, Platform: row.Platform, State: "away",
		Enrolled: row.Enrolled.Time(), Connected: row.Connected.Time(), Seen: row.Seen.Time(), CertExpires: row.CertExpires.Time(), Connectors: []string{},
		Generation: row.Generation, Ring: row.Ring}
	if u := row.Update; u.State != "" {
		a.Update = &client.AgentUpdate{State: u.State, Version: u.Version, Cause: u.Cause, Previous: u.Previous, Since: u.Since.Time()}
	}
	if r := enroll.RequestOf(row); r.State != "" && r.State != "attested" {
		a.Approval = &client.Approval{State: r.State, Key: r.Fingerprint(), Host: r.Host, Why: r.Why, At: r.At}
	}
	switch {
	case row.Revoked != 0:
		a.State = "revoked"
	case row.Connected != 0:
		a.State = "connected"
	}
	for _, c := range connectorsOf(row) {
		a.Connectors = append(a.Connectors, c.Name+" "+c.Version)
	}
	if g := history.GuardrailOf(row); g.GetMode() != "" {
		a.Guardrail = client.Guardrail{Mode: g.GetMode(), Digest: g.GetDigest(), Signed: g.GetSigned(), Summary: g.GetSummary(),
			Waiting: len(g.GetWaiting()), Denied: g.GetDenied()}
		if g.GetFault() != nil {
			a.Guardrail.Fault = history.Trouble(g.GetFault())
		}
	}
	return a
}

type connector struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Capabilities as connectorv1 names them; none while the agent has not told.
	Capabilities []string `json:"capabilities"`
	Settings     string   `json:"settingsSchema"` // JSON Schema
}

// cannotWrite tells that the connector said what it can do, and that it cannot change objects.
func (c connector) cannotWrite() bool {
	return len(c.Capabilities) > 0 && !slices.Contains(c.Capabilities, connectorv1.Capability_CAPABILITY_MODIFY.String())
}

// connectorsOf gives the connectors that an agent's Hello named.
func connectorsOf(row store.Agent) []connector {
	var list []connector
	if json.Unmarshal([]byte(row.Connectors), &list) != nil {
		return nil
	}
	return list
}
