package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// shownHeld is how many jobs of a class are listed with it.
const shownHeld = 10

func (s *Server) held(doc huma.API) {
	route(doc, "GET", "/v1/held", "list-held", "List what waits for approval", access.Viewer, s.listHeld)
	route(doc, "POST", "/v1/held/approve", "approve-held", "Let held jobs go", access.Operator,
		func(ctx context.Context, in *body[client.Decision]) (*body[client.Decided], error) {
			return s.decideHeld(ctx, in.Body, plan.Approve, "They go to the agents now.")
		})
	route(doc, "POST", "/v1/held/reject", "reject-held", "Drop held jobs", access.Operator,
		func(ctx context.Context, in *body[client.Decision]) (*body[client.Decided], error) {
			return s.decideHeld(ctx, in.Body, plan.Reject, "They are not planned again until the person changes, or by: drawbridge problem retry")
		})
}

func (s *Server) listHeld(ctx context.Context, _ *empty) (*items[client.Held], error) {
	var list []client.Held
	err := s.read(ctx, func(tx *store.Tx, who caller) (err error) {
		if list, err = heldOf(tx, who.tenant); err != nil {
			return err
		}
		for i := range list {
			h := &list[i]
			rows, err := tx.HeldJobs(who.tenant, store.HeldFilter{System: h.System, Class: h.Class}, shownHeld)
			if err != nil {
				return err
			}
			if h.Jobs, err = jobsOf(tx, who.tenant, rows); err != nil {
				return err
			}
		}
		return nil
	})
	return listed(list), err
}

func heldOf(tx *store.Tx, tenant string) ([]client.Held, error) {
	rows, err := tx.HeldClasses(tenant)
	list := make([]client.Held, len(rows))
	for i, h := range rows {
		list[i] = client.Held{System: h.System, Class: h.Class, Count: h.Count, Since: h.Since.Time(), Jobs: []client.Job{}}
		if f := history.TroubleOf(h.Fault); f != nil {
			list[i].Reason = f.Cause
		}
	}
	return list, err
}

// decidedAbout says what a decision is about, for the audit.
func decidedAbout(d client.Decision) string {
	about := strings.TrimSpace(d.System + " " + d.Class)
	if len(d.Jobs) > 0 {
		about = strings.TrimSpace(about + " jobs " + strings.Trim(fmt.Sprint(d.Jobs), "[]"))
	}
	return cmp.Or(about, "everything held")
}

func (s *Server) decideHeld(ctx context.Context, d client.Decision, decide func(*store.Tx, string, string, store.HeldFilter) (int, error), detail string) (*body[client.Decided], error) {
	f := store.HeldFilter{System: d.System, Class: d.Class, Jobs: d.Jobs}
	if f.System == "" && f.Class == "" && len(f.Jobs) == 0 && !d.All {
		return nil, problem(http.StatusUnprocessableEntity, "the decision says nothing of what it is about", "give system, class, jobs, or all")
	}
	var out client.Decided
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		access.About(ctx, decidedAbout(d), "")
		n, err := decide(tx, who.tenant, who.name, f)
		if err == nil && n == 0 {
			err = problem(http.StatusNotFound, "no held job matches", "see drawbridge held list")
		}
		out = client.Decided{Jobs: int64(n), Detail: detail}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Log.InfoContext(ctx, "Held jobs decided", "tenant", callerOf(ctx).tenant, "by", callerOf(ctx).name, "jobs", out.Jobs, "filter", fmt.Sprint(f.System, "/", f.Class))
	return answer(out), nil
}
