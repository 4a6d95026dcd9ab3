package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) drift(doc huma.API) {
	route(doc, "GET", "/v1/drift", "list-drift", "List where accounts are other than their rules want, and that is known", access.Viewer, s.listDrift)
	route(doc, "POST", "/v1/drift/adopt", "adopt-drift", "Let what somebody changed at a system stand", access.Operator,
		func(ctx context.Context, in *body[client.DriftDecision]) (*body[client.Decided], error) {
			return s.decideDrift(ctx, in.Body, true)
		})
	route(doc, "POST", "/v1/drift/revert", "revert-drift", "Write again what the rules want", access.Operator,
		func(ctx context.Context, in *body[client.DriftDecision]) (*body[client.Decided], error) {
			return s.decideDrift(ctx, in.Body, false)
		})
}

type driftQuery struct {
	System string `query:"system" doc:"Only of this system"`
	Kind   string `query:"kind" enum:"found,left,adopted,undone" doc:"Only of this kind"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"How many at most"`
}

func (s *Server) listDrift(ctx context.Context, in *driftQuery) (*items[client.Drift], error) {
	var list []client.Drift
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.Deviations(who.tenant, in.System, in.Kind, in.Limit)
		if err == nil {
			list, err = driftOf(tx, who.tenant, rows)
		}
		return err
	})
	return listed(list), err
}

func driftOf(tx *store.Tx, tenant string, rows []store.Deviation) ([]client.Drift, error) {
	ids := make([]string, len(rows))
	for i, d := range rows {
		ids[i] = d.Person
	}
	people, err := peopleByID(tx, tenant, ids)
	list := make([]client.Drift, len(rows))
	for i, d := range rows {
		list[i] = history.DriftOf(d, people[d.Person])
	}
	return list, err
}

// decideDrift lets what was found stand, or has the rules written again; whoever it is of is planned anew.
func (s *Server) decideDrift(ctx context.Context, d client.DriftDecision, adopt bool) (*body[client.Decided], error) {
	var out client.Decided
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		p, err := personRow(tx, who, d.Person)
		if err != nil {
			return err
		}
		access.About(ctx, strings.TrimSpace(p.Shown()+" "+d.System+" "+d.Attribute), "")
		all, err := tx.DeviationsOf(who.tenant, []string{p.ID})
		if err != nil {
			return err
		}
		var rows []store.Deviation
		for _, row := range all {
			if row.System == d.System && (d.Attribute == "" || directory.Fold(d.Attribute) == directory.Fold(row.Attribute)) {
				rows = append(rows, row)
			}
		}
		if len(rows) == 0 {
			return problem(http.StatusNotFound, "no drift of "+p.Shown()+" in "+d.System+" is known", "see drawbridge drift list")
		}
		out = client.Decided{Jobs: int64(len(rows)), Detail: "What the rules want is written now."}
		if adopt {
			out.Detail = "It is let be, until the rules want something else."
		}
		return settleDrift(tx, who, p, rows, adopt)
	})
	return answer(out), err
}

func settleDrift(tx *store.Tx, who caller, p store.Person, rows []store.Deviation, adopt bool) error {
	text := "reverted by "
	if adopt {
		text = "adopted by "
	}
	log := make([]store.History, len(rows))
	for i := range rows {
		rows[i].Kind, rows[i].Who = store.DeviationAdopted, who.name
		log[i] = store.History{Tenant: who.tenant, Kind: history.Drift, System: rows[i].System, Person: p.ID, Account: rows[i].Account,
			Text: rows[i].Attribute + " " + text + who.name}
	}
	put := tx.RemoveDeviations
	if adopt {
		put = tx.PutDeviations
	}
	if err := put(rows); err != nil {
		return err
	}
	if err := tx.AddHistory(log); err != nil {
		return err
	}
	return tx.MarkDue(who.tenant, tx.Now, plan.OnDemand, []string{p.ID})
}
