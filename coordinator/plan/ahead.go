package plan

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// The fast lane of leavers. The lock-out of somebody whose end date lies within
// [reconcile.Lead] is a job of its own beside the chain of their account: sent at
// once, begun by the agent at the instant, coordinator or not. It holds nothing
// else back before that instant, and what the agent has not run of the account by
// then is refused there. When the end date changes, the job is taken back.
//
// What would break the threshold within an hour of the instant is not placed: at
// the instant it is planned as ever, and waits for somebody.

// placed gives the person's jobs in a system that were placed ahead and have not ended.
func (p *person) placed(system string) []store.Job {
	var placed []store.Job
	for _, j := range p.jobs {
		if j.System == system && j.Priority == store.PriorityPlaced && j.State != store.JobDone && j.State != store.JobFailed {
			placed = append(placed, j)
		}
	}
	return placed
}

// ahead places what is to be placed for a person, and takes back what is not
// wanted any more. It is busy while a job whose instant has come is with an
// agent: what became of it must be known first.
func (b *batch) ahead(t target, p *person) (busy bool, err error) {
	in := reconcile.Input{Now: b.tx.Now.Time(), Person: p.person, Target: t.system.Target}
	if a := p.account(t); a != nil && !t.home(*a) {
		account := accountOf(*a)
		in.Account = &account
	}
	leaves, op := reconcile.Ahead(in)
	if op != nil && op.Operation.ReturnAttributes == nil {
		op.Operation.ReturnAttributes = t.attributes
	}
	kept := false
	var drop, rescind []int64
	for _, j := range p.placed(t.row.Name) {
		at := begins(j)
		passed := !at.After(in.Now)
		switch {
		case j.State == store.JobRescinding:
			busy = busy || passed
		case passed && j.State == store.JobSent && !leaves.IsZero() && !leaves.After(in.Now):
			busy = true
		case !passed && !kept && op != nil && at.Equal(leaves) && same(j.Work, op.Operation):
			kept = true
		case j.State == store.JobSent:
			rescind = append(rescind, j.ID)
			busy = busy || passed
		default:
			drop = append(drop, j.ID)
		}
	}
	if len(rescind) > 0 {
		if err := b.tx.RescindJobs(rescind); err != nil {
			return false, err
		}
		b.tell(t, p, rescind[0], "the disable placed with the agent ahead of time is taken back")
	}
	if len(drop) > 0 {
		if err := b.tx.EndJobs(drop, store.JobDropped, "planned anew", ""); err != nil {
			return false, err
		}
	}
	if op == nil || kept || b.cause(t, p) != "" { // at the instant it waits for a decision, as everything does
		return busy, nil
	}
	return busy, b.place(t, p, op, leaves)
}

// place makes the job, unless it would break the threshold.
func (b *batch) place(t target, p *person, op *reconcile.Op, at time.Time) error {
	until := store.InstantOf(op.NotAfter)
	room, err := b.roomAhead(t, until)
	if err != nil || !room {
		return err
	}
	work, err := proto.Marshal(&linkv1.Job{NotBefore: timestamppb.New(at), Work: &linkv1.Job_Apply{Apply: op.Operation}})
	if err != nil {
		return err
	}
	jobs := []store.Job{{Tenant: b.tenant, Site: t.row.Site, System: t.row.Name, Object: op.Operation.GetId(), Person: p.row.ID, Class: op.Class,
		State: store.JobQueued, Priority: store.PriorityPlaced, NotAfter: until, Work: work, Reasons: string(mapping.AppendReasons(nil, op.Reasons))}}
	if err := b.tx.AddJobs(jobs); err != nil {
		return err
	}
	if b.until != nil {
		b.until[t.row.Name] = append(b.until[t.row.Name], until)
	}
	b.tell(t, p, jobs[0].ID, "disable at "+at.UTC().Format(time.RFC3339)+", placed with the agent ahead of time")
	return nil
}

// roomAhead tells whether one more lock-out may be placed: no more in any hour than the threshold lets pass.
func (b *batch) roomAhead(t target, until store.Instant) (bool, error) {
	limit := t.system.Target.Threshold("disable")
	if limit.None {
		return true, nil
	}
	if b.until == nil {
		b.until = map[string][]store.Instant{}
	}
	if _, known := b.until[t.row.Name]; !known {
		placed, err := b.tx.PlacedUntil(b.tenant, t.row.Name)
		if err != nil {
			return false, err
		}
		b.until[t.row.Name] = placed
	}
	n := 1
	for _, u := range b.until[t.row.Name] {
		if u > until.Add(-hour) && u < until.Add(hour) {
			n++
		}
	}
	if !limit.Holds(n, 0) {
		return true, nil
	}
	managed, err := b.tx.CountManaged(b.tenant, t.row.Name)
	return !limit.Holds(n, managed), err
}

func (b *batch) tell(t target, p *person, job int64, text string) {
	h := store.History{Tenant: b.tenant, Kind: history.Planned, System: t.row.Name, Person: p.row.ID, Job: job, Text: text}
	if a := p.account(t); a != nil {
		h.Account = a.ID
	}
	b.history = append(b.history, h)
}

// begins gives the instant of a job that was placed ahead.
func begins(j store.Job) time.Time {
	var work linkv1.Job
	if proto.Unmarshal(j.Work, &work) != nil {
		return time.Time{}
	}
	return work.GetNotBefore().AsTime()
}
