package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) jobs(doc huma.API) {
	route(doc, "GET", "/v1/jobs", "list-jobs", "List jobs, the latest first", access.Viewer, s.listJobs)
	route(doc, "GET", "/v1/jobs/{id}", "get-job", "Show a job with the exact request and answer", access.Viewer, s.getJob)
}

// JobFilter says which jobs are wanted. It is exported for the same reason as Page.
type JobFilter struct {
	System string `query:"system" doc:"Only of this system"`
	State  string `query:"state" enum:"held,queued,waiting,sent,rescinding,done,failed,dropped,open" doc:"Only in this state; open: not ended"`
	Class  string `query:"class" doc:"Only of this class"`
	Person string `query:"person" doc:"Only of the person with this key"`
	Cycle  int64  `query:"cycle" minimum:"0" doc:"Only planned out of this cycle"`
}

type jobQuery struct {
	JobFilter
	Page
}

func (q JobFilter) filter(tx *store.Tx, who caller, before int64) (store.JobFilter, error) {
	f := store.JobFilter{System: q.System, State: q.State, Class: q.Class, Cycle: q.Cycle, Before: before}
	if q.Person == "" {
		return f, nil
	}
	p, err := personRow(tx, who, q.Person)
	f.Person = p.ID
	return f, err
}

func (s *Server) listJobs(ctx context.Context, in *jobQuery) (*items[client.Job], error) {
	var list []client.Job
	next := int64(0)
	before, err := in.number()
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		f, err := in.filter(tx, who, before)
		if err != nil {
			return err
		}
		rows, more, err := tx.PageJobs(who.tenant, f, in.Limit)
		next = more
		if err != nil {
			return err
		}
		if list, err = jobsOf(tx, who.tenant, rows); err != nil {
			return err
		}
		return heldByAgents(tx, who.tenant, list)
	})
	return numbered(list, next), err
}

// heldByAgents says of jobs that were sent why they wait at a guardrail.
func heldByAgents(tx *store.Tx, tenant string, list []client.Job) error {
	var ids []string
	for _, j := range list {
		if j.State == "sent" && !slices.Contains(ids, j.Agent) {
			ids = append(ids, j.Agent)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	agents, err := tx.AgentsByID(tenant, ids)
	if err != nil {
		return err
	}
	waiting := make(map[string]string)
	for _, row := range agents {
		for _, w := range history.GuardrailOf(row).GetWaiting() {
			waiting[fmt.Sprint(row.ID, " ", w.GetJob())] = w.GetCause()
		}
	}
	for i := range list {
		if cause := waiting[fmt.Sprint(list[i].Agent, " ", list[i].ID)]; cause != "" && list[i].State == "sent" {
			list[i].Fault = &client.Trouble{Cause: "waits at the guardrail of the agent's host: " + cause,
				NextStep: "Wait, or approve it on the agent's host with `drawbridge-agent approve`."}
		}
	}
	return nil
}

// jobsOf gives jobs for people, with keys and names in the place of ids.
func jobsOf(tx *store.Tx, tenant string, rows []store.Job) ([]client.Job, error) {
	ids := make([]string, 0, len(rows))
	for _, r := range rows {
		ids = append(ids, r.Person)
	}
	people, err := peopleByID(tx, tenant, ids)
	if err != nil {
		return nil, err
	}
	list := make([]client.Job, len(rows))
	for i, r := range rows {
		list[i] = history.JobOf(r)
		if p, ok := people[r.Person]; ok {
			list[i].Person, list[i].Display = p.Shown(), p.Display
		}
	}
	return list, nil
}

func peopleByID(tx *store.Tx, tenant string, ids []string) (map[string]store.Person, error) {
	rows, err := tx.People(tenant, ids)
	people := make(map[string]store.Person, len(rows))
	for _, p := range rows {
		people[p.ID] = p
	}
	return people, err
}
