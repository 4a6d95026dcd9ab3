package rehearsal

import (
	"context"
	"fmt"
	"slices"

	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// Claim makes up to limit queued jobs the agent's.
func (w *World) Claim(limit int) []*linkv1.Job {
	w.t.Helper()
	systems, err := w.Queue.Waiting(context.Background(), Tenant, Site)
	var claimed []*linkv1.Job
	for i := 0; i < len(systems) && err == nil && len(claimed) < limit; i++ {
		var jobs []*linkv1.Job
		jobs, err = w.Queue.Claim(context.Background(), Tenant, Site, Agent, w.Since, map[string]int{systems[i]: limit - len(claimed)})
		claimed = append(claimed, jobs...)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return claimed
}

// Work carries out up to limit queued operations.
func (w *World) Work(limit int) int {
	w.t.Helper()
	claimed := w.Claim(limit)
	if w.Meanwhile != nil {
		w.Meanwhile()
	}
	results := w.Results(claimed...)
	w.Finish(results...)
	return len(results)
}

// Results carries claimed jobs out and gives what an agent sends of them.
func (w *World) Results(claimed ...*linkv1.Job) []*linkv1.Result {
	results := make([]*linkv1.Result, 0, len(claimed))
	for _, j := range claimed {
		if j.GetNotBefore() != nil {
			w.Placed = append(w.Placed, j)
			continue
		}
		results = append(results, w.result(j))
	}
	return results
}

// Finish takes results as the agent of the site sends them.
func (w *World) Finish(results ...*linkv1.Result) {
	w.t.Helper()
	w.Write(func(tx *store.Tx) error {
		return w.Queue.Finish(tx, Tenant, jobs.Results{Site: Site, Agent: Agent, Results: results})
	})
}

func (w *World) result(j *linkv1.Job) *linkv1.Result {
	r := &linkv1.Result{Job: j.GetId(), Outcome: connectorv1.Outcome_OUTCOME_DONE, Server: "dc1.corp.example"}
	op := j.GetApply()
	if op == nil {
		if q := j.GetFind(); q != nil && w.Strict {
			w.find(r, q)
		}
		return r
	}
	if seen := w.fences[j.GetObject()]; j.GetFence() < seen {
		r.Outcome = connectorv1.Outcome_OUTCOME_CONFLICT
		r.Fault = &connectorv1.Fault{Cause: fmt.Sprintf("fence %d is older than %d", j.GetFence(), seen), NextStep: "Nothing."}
		return r
	}
	w.fences[j.GetObject()] = j.GetFence()
	if w.Refuse != nil {
		if outcome, fault := w.Refuse(op); outcome != connectorv1.Outcome_OUTCOME_UNSPECIFIED {
			r.Outcome, r.Fault = outcome, fault
			return r
		}
	}
	if w.Strict && w.refuse(r, op) {
		return r
	}
	if o := w.apply(op); o != nil {
		r.Object = record(o)
	}
	if w.Lost != nil && w.Lost(op) {
		return &linkv1.Result{Job: r.GetJob(), Outcome: connectorv1.Outcome_OUTCOME_UNKNOWN, Fault: &connectorv1.Fault{Cause: "the answer was lost", NextStep: "It is looked at again."}}
	}
	to := slices.Concat(op.GetCreate().GetPassword().GetRecipients(), op.GetSetPassword().GetRule().GetRecipients())
	if len(to) > 0 {
		box, err := sealed.Seal(sealed.New(Password), to)
		if err != nil {
			w.t.Fatal(err)
		}
		r.SealedPassword = box
	}
	return r
}
