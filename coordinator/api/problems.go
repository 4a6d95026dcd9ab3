package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) problems(doc huma.API) {
	route(doc, "GET", "/v1/problems", "list-problems", "List what stops accounts from being as wanted", access.Viewer, s.listProblems)
	route(doc, "POST", "/v1/problems/retry", "retry-problems", "Try again now", access.HelpDesk, s.retryProblems)
}

type problemQuery struct {
	System string `query:"system" doc:"Only of this system"`
	Kind   string `query:"kind" doc:"Only of this kind"`
	Person string `query:"person" doc:"Only of the person with this key"`
	Page
}

func (s *Server) listProblems(ctx context.Context, in *problemQuery) (*items[client.Obstacle], error) {
	var list []client.Obstacle
	next := ""
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		f := store.ProblemFilter{System: in.System, Kind: in.Kind, After: in.Cursor}
		if in.Person != "" {
			p, err := personRow(tx, who, in.Person)
			if err != nil {
				return err
			}
			f.Person = p.ID
		}
		rows, err := tx.ListProblems(who.tenant, f, in.Limit)
		if err != nil {
			return err
		}
		if len(rows) == in.Limit {
			next = store.ProblemPlace(rows[len(rows)-1])
		}
		ids := make([]string, len(rows))
		for i, r := range rows {
			ids[i] = r.Person
		}
		people, err := peopleByID(tx, who.tenant, ids)
		for _, r := range rows {
			list = append(list, history.ObstacleOf(r, people[r.Person]))
		}
		slices.SortFunc(list, func(a, b client.Obstacle) int {
			return cmp.Or(strings.Compare(a.System, b.System), strings.Compare(a.Person, b.Person))
		})
		return err
	})
	out := listed(list)
	out.Body.Next = next
	return out, err
}

func (s *Server) retryProblems(ctx context.Context, in *body[client.Retry]) (*body[client.Decided], error) {
	var out client.Decided
	if in.Body.Person == "" {
		if err := access.Of(ctx).Require(access.Operator, "to try again for more than one person"); err != nil {
			return nil, err
		}
	}
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		person := ""
		if in.Body.Person != "" {
			p, err := personRow(tx, who, in.Body.Person)
			if err != nil {
				return err
			}
			person = p.ID
		}
		access.About(ctx, strings.TrimSpace(in.Body.Person+" "+in.Body.System), "")
		// What was rejected is forgotten, so that it is planned again.
		people, err := tx.RemoveRejected(who.tenant, in.Body.System, person)
		if err != nil {
			return err
		}
		if err := tx.MarkDue(who.tenant, tx.Now, "tried again by hand", people); err != nil {
			return err
		}
		n, err := tx.RetryNow(who.tenant, in.Body.System, person)
		if err != nil {
			return err
		}
		if n += len(people); n == 0 {
			return problem(http.StatusNotFound, "no problem matches", "see drawbridge problem list")
		}
		out = client.Decided{Jobs: int64(n), Detail: fmt.Sprintf("%d problems are tried again now.", n)}
		return tx.AddHistory([]store.History{history.AuditEntry(who.tenant, in.Body.System, who.name, fmt.Sprintf("%d problems tried again", n))})
	})
	return answer(out), err
}
