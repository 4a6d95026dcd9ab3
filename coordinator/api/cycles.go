package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/schedule"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) cycleRoutes(doc huma.API) {
	route(doc, "GET", "/v1/cycles", "list-cycles", "List cycles", access.Viewer, s.listCycles)
	route(doc, "GET", "/v1/cycles/{id}", "get-cycle", "Show a cycle", access.Viewer, s.getCycle)
	route(doc, "POST", "/v1/cycles/{id}/approve", "approve-cycle", "Believe a held cycle", access.Operator,
		func(ctx context.Context, in *byNumber) (*body[client.Cycle], error) {
			return s.decideCycle(ctx, in.ID, s.Cycles.Believe)
		})
	route(doc, "POST", "/v1/cycles/{id}/reject", "reject-cycle", "Disbelieve a held cycle", access.Operator,
		func(ctx context.Context, in *byNumber) (*body[client.Cycle], error) {
			return s.decideCycle(ctx, in.ID, s.Cycles.Discard)
		})
}

type byNumber struct {
	ID int64 `path:"id" minimum:"1" doc:"Number"`
}

type cycleQuery struct {
	System string `query:"system" doc:"Only of this system"`
	State  string `query:"state" enum:"reading,applied,held,failed,rejected" doc:"Only in this state"`
	Page
}

func (s *Server) listCycles(ctx context.Context, in *cycleQuery) (*items[client.Cycle], error) {
	var list []client.Cycle
	before, err := in.number()
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.ListCycles(who.tenant, store.CycleFilter{System: in.System, State: in.State, Before: before}, in.Limit)
		for _, row := range rows {
			list = append(list, cycle(row))
		}
		return err
	})
	return paged(list, in.Limit, func() string { return fmt.Sprint(list[len(list)-1].ID) }), err
}

func cycle(c store.Cycle) client.Cycle {
	return client.Cycle{ID: c.ID, System: c.System, Cause: c.Cause, Began: c.Began.Time(), Ended: c.Ended.Time(), State: c.State,
		Seen: c.Seen, Changed: c.Changed, Deleted: c.Deleted, Rejected: c.Rejected, Reason: c.Reason}
}

func (s *Server) getCycle(ctx context.Context, in *byNumber) (*body[client.CycleDetail], error) {
	var out client.CycleDetail
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := tx.Cycle(who.tenant, in.ID)
		if err != nil {
			return missing(err, "cycle", in.ID, "see drawbridge cycle list")
		}
		out, err = cycleDetail(tx, row)
		return err
	})
	return answer(out), err
}

func (s *Server) decideCycle(ctx context.Context, id int64, decide func(ctx context.Context, tenant string, cycle int64, who string) error) (*body[client.Cycle], error) {
	var row store.Cycle
	load := func(tx *store.Tx, who caller) (err error) {
		row, err = tx.Cycle(who.tenant, id)
		return missing(err, "cycle", id, "see drawbridge cycle list")
	}
	if err := s.read(ctx, load); err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	err := decide(ctx, who.tenant, id, who.name)
	if errors.Is(err, intake.ErrNotHeld) {
		return nil, problem(http.StatusConflict, fmt.Sprintf("cycle %d is %s, not held", id, row.State), "only a held cycle can be decided: see drawbridge cycle list --state held")
	}
	if err != nil {
		return nil, s.refuse(ctx, err)
	}
	err = s.read(ctx, load)
	return answer(cycle(row)), err
}

type runInput struct {
	SystemPath
	Body client.Run
}

func (s *Server) runSystem(ctx context.Context, in *runInput) (*body[client.Started], error) {
	if in.Body.Person == "" {
		if err := access.Of(ctx).Require(access.Operator, "to run a system for more than one person"); err != nil {
			return nil, err
		}
	}
	var out client.Started
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		if in.Body.Person != "" {
			access.About(ctx, in.Name, "for "+in.Body.Person)
		}
		row, err := systemRow(tx, who, in.Name)
		if err != nil {
			return err
		}
		system, err := s.systems.Get(row)
		if err != nil {
			return problem(http.StatusConflict, "the system's document cannot be used: "+err.Error(), "apply a document that can")
		}
		if in.Body.Person != "" {
			out, err = runPerson(tx, who, row, system, in.Body.Person)
			return err
		}
		if system.Pushed() {
			return problem(http.StatusConflict, row.Name+" is not read: its records are pushed to it by SCIM", "have the HR system push them again, see coordinator/scim/README.md")
		}
		var awaited bool
		out.Cycle, awaited, err = schedule.Demand(tx, row, system, in.Body.Full)
		if err == nil && in.Body.Preview {
			if awaited {
				return problem(http.StatusConflict, fmt.Sprintf("cycle %d of %s is under way, and is no preview", out.Cycle, row.Name), "ask again when it has ended: drawbridge cycle list")
			}
			err = tx.PreviewCycle(who.tenant, out.Cycle)
		}
		out.Job, out.Detail = out.Cycle, fmt.Sprintf("Cycle %d of %s has begun: drawbridge cycle show %d", out.Cycle, row.Name, out.Cycle)
		if in.Body.Preview {
			out.Detail = fmt.Sprintf("Cycle %d of %s has begun; what comes of it waits in a plan: drawbridge plan list", out.Cycle, row.Name)
		}
		if awaited {
			out.Detail = fmt.Sprintf("%s is read again as soon as cycle %d, which is under way, has ended: drawbridge cycle list", row.Name, out.Cycle)
		}
		return err
	})
	return answer(out), err
}

// runPerson makes one person due now, ahead of everybody, and has their record
// in the system looked up again where it is known.
func runPerson(tx *store.Tx, who caller, row store.System, system *mapping.System, key string) (out client.Started, err error) {
	p, err := personRow(tx, who, key)
	if err != nil {
		return out, err
	}
	if err := tx.MarkDue(who.tenant, tx.Now, plan.OnDemand, []string{p.ID}); err != nil {
		return out, err
	}
	out.Detail = fmt.Sprintf("%s is looked at now: drawbridge person show %s", p.Display, p.Shown())
	accounts, err := tx.AccountsOf(who.tenant, []string{p.ID})
	if err != nil {
		return out, err
	}
	if out.Job, err = findRecord(tx, row, system, accounts); out.Job != 0 {
		out.Detail = fmt.Sprintf("%s is looked up in %s and planned again (job %d): drawbridge person show %s", p.Display, row.Name, out.Job, p.Shown())
	}
	return out, err
}

// findRecord has the record among a person's accounts that a system tells of looked up there. It gives
// the search's job; 0 where there is no such record, or nothing to look it up by.
func findRecord(tx *store.Tx, row store.System, system *mapping.System, accounts []store.Account) (job int64, err error) {
	if system.Source == nil {
		return 0, nil
	}
	for _, a := range accounts {
		if a.System != row.Name || a.Class != system.Source.Class || a.Gone != 0 || a.Mirror != store.MirrorNone {
			continue
		}
		reasons, fault := system.Source.Explain(a.Object)
		if fault != nil || len(reasons) == 0 || len(reasons[0].From) != 1 {
			break // the key is no single attribute
		}
		key := reasons[0].From[0]
		if job, err = schedule.Find(tx, row, system, a.Class, key.Name, key.Value); err != nil {
			return job, err
		}
	}
	return job, nil
}

// personRow finds a person by any of their keys, or by their id.
func personRow(tx *store.Tx, who caller, key string) (store.Person, error) {
	rows, err := tx.PeopleByKey(who.tenant, []string{directory.Fold(key)})
	if err == nil && len(rows) == 0 { // an earlier key, or that of another record
		var known []store.Known
		if known, err = tx.KnownBy(who.tenant, "", []string{directory.Fold(key)}); err == nil {
			ids := []string{key}
			for _, k := range known {
				ids = append(ids, k.Person)
			}
			rows, err = tx.People(who.tenant, ids)
		}
	}
	if err == nil && len(rows) == 0 {
		err = none("person", key, "look for them with: drawbridge person list TEXT")
	}
	if err != nil {
		return store.Person{}, err
	}
	return rows[0], nil
}
