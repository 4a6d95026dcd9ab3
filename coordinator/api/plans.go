package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// shownStale is how many changes that no longer hold are named in a refusal.
const shownStale = 20

// planner makes and decides plans; it is plan's.
type planner interface {
	// ApprovePlan lets a plan go, exactly as it says, or refuses with what no longer holds.
	ApprovePlan(ctx context.Context, tenant, who, ref, hash string, rest bool) (store.Plan, int, error)
	// RejectPlan drops what a plan says.
	RejectPlan(ctx context.Context, tenant, who, ref, hash string) (store.Plan, int, error)
	// PlanUndo makes a plan that undoes changes.
	PlanUndo(ctx context.Context, tenant, who string, u plan.Undo) (store.Plan, error)
	// NewPassword has a new password made for accounts of a person, and returns the jobs.
	NewPassword(ctx context.Context, tenant, who, person, system string) ([]store.Job, error)
}

func (s *Server) plans(doc huma.API) {
	route(doc, "GET", "/v1/plans", "list-plans", "List plans that wait for somebody or did, the latest first", access.Viewer, s.listPlans)
	route(doc, "GET", "/v1/plans/{ref}", "get-plan", "Show a plan: why, what it is made of, and its hash", access.Viewer, s.getPlan)
	route(doc, "GET", "/v1/plans/{ref}/changes", "list-plan-changes", "List the changes of a plan, with the values before and why", access.Viewer, s.planChanges)
	route(doc, "POST", "/v1/plans/{ref}/approve", "approve-plan", "Do just what a plan says", access.Operator, s.approvePlan)
	route(doc, "POST", "/v1/plans/{ref}/reject", "reject-plan", "Do nothing of what a plan says", access.Operator, s.rejectPlan)
	route(doc, "POST", "/v1/undo", "plan-undo", "Plan to undo a change, a cycle, or what was done to a person", access.Operator, s.planUndo)
}

// PlanPath names a plan. It is exported for the same reason as Page.
type PlanPath struct {
	Ref string `path:"ref" maxLength:"64" doc:"Number of the plan, or the beginning of its hash, at least six digits of it"`
}

type planQuery struct {
	State string `query:"state" enum:"open,sealed,approved,rejected,lapsed" doc:"Only in this state"`
	Limit int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"How many at most"`
}

func (s *Server) listPlans(ctx context.Context, in *planQuery) (*items[client.Plan], error) {
	var list []client.Plan
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.Plans(who.tenant, in.State, in.Limit)
		for _, row := range rows {
			if err == nil {
				var shown client.Plan
				shown, err = planOf(tx, row)
				list = append(list, shown)
			}
		}
		return err
	})
	return listed(list), err
}

// planOf shows a plan with the counts of what it is made of.
func planOf(tx *store.Tx, row store.Plan) (client.Plan, error) {
	shown := client.Plan{ID: row.ID, Cause: row.Cause, State: row.State, Hash: row.Hash, Made: row.Made.Time(), Sealed: row.Sealed.Time(),
		Decided: row.Decided.Time(), By: row.Who, Notes: []string{}, Counts: []client.PlanCount{}}
	if row.Note != "" {
		shown.Notes = strings.Split(row.Note, "\n")
	}
	counts, err := tx.PlanCounts(row.Tenant, row.ID)
	for _, c := range counts { // by system, class, state
		last := len(shown.Counts) - 1
		if last < 0 || shown.Counts[last].System != c.System || shown.Counts[last].Class != c.Class {
			shown.Counts = append(shown.Counts, client.PlanCount{System: c.System, Class: c.Class})
			last++
		}
		shown.Counts[last].Changes += c.N
		if c.State == store.JobHeld {
			shown.Counts[last].Waiting += c.N
		}
	}
	return shown, err
}

func (s *Server) getPlan(ctx context.Context, in *PlanPath) (*body[client.Plan], error) {
	var out client.Plan
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := plan.FindPlan(tx, who.tenant, in.Ref)
		if err == nil {
			out, err = planOf(tx, row)
		}
		return planRefusal(err, in.Ref)
	})
	return answer(out), err
}

type changesQuery struct {
	PlanPath
	Page
}

func (s *Server) planChanges(ctx context.Context, in *changesQuery) (*items[client.PlanChange], error) {
	after, err := in.number()
	if err != nil {
		return nil, err
	}
	var list []client.PlanChange
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := plan.FindPlan(tx, who.tenant, in.Ref)
		if err != nil {
			return planRefusal(err, in.Ref)
		}
		rows, err := tx.PlanItems(who.tenant, row.ID, after, in.Limit)
		if err != nil {
			return err
		}
		shown, err := jobsOf(tx, who.tenant, rows)
		for i := range shown {
			list = append(list, client.PlanChange{Job: shown[i], Reasons: reasonsOf(rows[i])})
		}
		return err
	})
	return paged(list, in.Limit, func() string { return fmt.Sprint(list[len(list)-1].ID) }), err
}

type decidePlan struct {
	PlanPath
	Body client.PlanDecision
}

func (s *Server) approvePlan(ctx context.Context, in *decidePlan) (*body[client.Plan], error) {
	who := callerOf(ctx)
	access.About(ctx, "plan "+in.Ref, "")
	row, n, err := s.Plans.ApprovePlan(ctx, who.tenant, who.name, in.Ref, in.Body.Hash, in.Body.Rest)
	return s.decided(ctx, in.Ref, row, n, err)
}

func (s *Server) rejectPlan(ctx context.Context, in *decidePlan) (*body[client.Plan], error) {
	who := callerOf(ctx)
	access.About(ctx, "plan "+in.Ref, "")
	row, n, err := s.Plans.RejectPlan(ctx, who.tenant, who.name, in.Ref, in.Body.Hash)
	return s.decided(ctx, in.Ref, row, n, err)
}

func (s *Server) decided(ctx context.Context, ref string, row store.Plan, n int, err error) (*body[client.Plan], error) {
	var stale *plan.Stale
	if errors.As(err, &stale) {
		return nil, s.stale(ctx, ref, stale)
	}
	if err != nil {
		return nil, s.refuse(ctx, planRefusal(err, ref))
	}
	who := callerOf(ctx)
	s.forget(who.tenant)
	s.Log.InfoContext(ctx, "Plan decided", "tenant", who.tenant, "by", who.name, "plan", row.ID, "state", row.State, "jobs", n)
	return s.shownPlan(ctx, row)
}

// shownPlan reads how a plan stands now.
func (s *Server) shownPlan(ctx context.Context, row store.Plan) (*body[client.Plan], error) {
	var out client.Plan
	err := s.read(ctx, func(tx *store.Tx, _ caller) (err error) {
		out, err = planOf(tx, row)
		return err
	})
	return answer(out), err
}

// stale says what of a plan no longer holds.
func (s *Server) stale(ctx context.Context, ref string, e *plan.Stale) error {
	var faults []client.Fault
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		list, err := jobsOf(tx, who.tenant, e.Jobs[:min(len(e.Jobs), shownStale)])
		for _, j := range list {
			faults = append(faults, client.Fault{Message: strings.TrimSpace(j.Person + " " + j.Display + " in " + j.System + ": " + j.Text + ": not wanted any more, or another by now")})
		}
		return err
	})
	if err != nil {
		return err
	}
	return problem(http.StatusConflict, e.Error(), fmt.Sprintf("do the rest with: drawbridge plan approve %s --rest; what is wanted instead stands in a new plan: drawbridge plan list", ref), faults...)
}

// planRefusal makes what stands against a decision into an answer; other errors pass.
func planRefusal(err error, ref string) error {
	switch {
	case errors.Is(err, plan.ErrNoPlan):
		return none("plan", ref, "see drawbridge plan list")
	case errors.Is(err, plan.ErrDecided):
		return problem(http.StatusConflict, err.Error(), "see drawbridge plan list --state sealed")
	case errors.Is(err, plan.ErrOtherHash):
		return problem(http.StatusConflict, err.Error(), "look at it again: drawbridge plan show "+ref)
	case errors.Is(err, plan.ErrNothing):
		return problem(http.StatusConflict, err.Error(), "see what was done with: drawbridge job list --state done")
	}
	return err
}

func (s *Server) planUndo(ctx context.Context, in *body[client.Undo]) (*body[client.Plan], error) {
	u, err := s.undoOf(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	row, err := s.Plans.PlanUndo(ctx, who.tenant, who.name, u)
	if err != nil {
		return nil, s.refuse(ctx, planRefusal(err, ""))
	}
	s.forget(who.tenant)
	return s.shownPlan(ctx, row)
}

// undoOf reads what is to be undone, and looks whether that is there.
func (s *Server) undoOf(ctx context.Context, in client.Undo) (u plan.Undo, err error) {
	named := 0
	for _, given := range []bool{in.Job != 0, in.Cycle != 0, in.Person != ""} {
		if given {
			named++
		}
	}
	if named != 1 {
		return u, problem(http.StatusUnprocessableEntity, "the request must name one thing to undo", "give job, cycle, or person")
	}
	u = plan.Undo{Job: in.Job, Cycle: in.Cycle}
	switch {
	case in.Job != 0:
		access.About(ctx, fmt.Sprintf("job %d", in.Job), "")
	case in.Cycle != 0:
		access.About(ctx, fmt.Sprintf("cycle %d", in.Cycle), "")
	default:
		access.About(ctx, "person "+in.Person, "")
	}
	err = s.read(ctx, func(tx *store.Tx, who caller) (err error) {
		switch {
		case in.Job != 0:
			_, err = tx.JobWithWork(who.tenant, in.Job)
			return missing(err, "job", in.Job, "see drawbridge job list --state done")
		case in.Cycle != 0:
			_, err = tx.Cycle(who.tenant, in.Cycle)
			return missing(err, "cycle", in.Cycle, "see drawbridge cycle list")
		}
		p, err := personRow(tx, who, in.Person)
		if u.Person = p.ID; !in.Since.IsZero() {
			u.Since = store.InstantOf(in.Since)
		}
		return err
	})
	return u, err
}
