package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Undo. Every job that was done holds what it replaced: the values it expected, the
// address it moved from, the groups joined and left. From that, newest first, the
// state before the changes is made up, compared with what the account holds now, and
// a plan made of the difference. It is a plan as any other: it waits for approval,
// its operations are compare and swap, and pass the guardrail.
//
//	modify, clear    the values before          enable    disable
//	move             the place and name before  disable   enable
//	membership       out of, back into          create    delete
//	delete, password not invertible: said in the plan's note
//
// What somebody has changed since is not touched; the note says so. The reconciler
// does not plan again what was undone: a deviation of kind undone says for each
// attribute what is refused, until the rules want something else (the source has
// changed) or somebody releases it.

// undoOf begins the cause of a plan that undoes something.
const undoOf = "undo of "

// Undo says what to undo: one of its fields is set.
type Undo struct {
	Job    int64
	Cycle  int64
	Person string        // id
	Since  store.Instant // with Person: what was done since
}

// ErrNothing says that there is nothing that can be undone; the text says why. Test with [errors.Is].
var ErrNothing = errors.New("nothing of it can be undone")

// PlanUndo makes a plan that undoes changes, and returns it with its note, a line for each thing that it cannot undo.
func (p *Planner) PlanUndo(ctx context.Context, tenant, who string, u Undo) (pl store.Plan, err error) {
	err = p.work(ctx, tenant, who, func(w *work) error {
		pl, err = w.undo(u)
		return err
	})
	return pl, err
}

func (w *work) undo(u Undo) (store.Plan, error) {
	rows, cause, err := w.applied(u)
	if err != nil {
		return store.Plan{}, err
	}
	back := &inverse{tx: w.tx, tenant: w.tenant, of: map[string]*before{}}
	if err := back.load(rows); err != nil {
		return store.Plan{}, err
	}
	b := &batch{tx: w.tx, planner: w.Planner, tenant: w.tenant}
	if err := b.loadSystems(); err != nil {
		return store.Plan{}, err
	}
	back.targets = b.targets
	for _, j := range rows { // the newest first
		back.take(j)
	}
	jobs, err := back.jobs(b.targets, cause)
	note := strings.Join(back.notes, "\n")
	if err != nil {
		return store.Plan{}, err
	}
	if len(jobs) == 0 {
		return store.Plan{}, fmt.Errorf("%w: %s", ErrNothing, cmp.Or(strings.Join(back.notes, "; "), "no change of ours was found"))
	}
	return w.keepUndo(jobs, cause, note)
}

// keepUndo stores the jobs as a sealed plan.
func (w *work) keepUndo(jobs []store.Job, cause, note string) (store.Plan, error) {
	id, err := w.tx.ReserveJobs(1 + len(jobs))
	if err != nil {
		return store.Plan{}, err
	}
	pl := store.Plan{Tenant: w.tenant, ID: id, Cause: cause, State: store.PlanOpen, Made: w.tx.Now, Note: note}
	items := make([]store.PlanItem, len(jobs))
	place := map[string]int{}
	for i := range jobs {
		j := &jobs[i]
		j.ID = id + 1 + int64(i)
		hash, err := itemHash(j, operation(j.Work), place[j.System+j.Person])
		if err != nil {
			return pl, err
		}
		place[j.System+j.Person]++
		items[i] = store.PlanItem{Tenant: w.tenant, Plan: id, Job: j.ID, Hash: hash}
	}
	if err := errors.Join(w.tx.AddJobs(jobs), w.tx.PutPlan(pl), w.tx.AddPlanItems(items)); err != nil {
		return pl, err
	}
	return pl, sealOne(w.tx, &pl)
}

// applied gives the done jobs that are meant, the newest first.
func (w *work) applied(u Undo) (rows []store.Job, cause string, err error) {
	switch {
	case u.Job != 0:
		rows, err = w.tx.AppliedJobs(w.tenant, store.AppliedFilter{Job: u.Job}, maxDecided)
		cause = fmt.Sprintf("job %d", u.Job)
	case u.Cycle != 0:
		rows, err = w.tx.AppliedJobs(w.tenant, store.AppliedFilter{Cycle: u.Cycle}, maxDecided)
		cause = fmt.Sprintf("cycle %d", u.Cycle)
	default:
		rows, err = w.tx.AppliedJobs(w.tenant, store.AppliedFilter{Person: u.Person, Since: u.Since}, maxDecided)
		people, e := w.tx.People(w.tenant, []string{u.Person})
		if err = errors.Join(err, e); len(people) == 1 {
			cause = "person " + people[0].Shown()
		}
	}
	return rows, undoOf + cause, err
}

// stillInverse tells jobs of an undo apart by whether their accounts are as they were when it was planned.
func (w *work) stillInverse(held, gone []store.Job) ([]store.Job, []store.Job, error) {
	var still []store.Job
	for jobs := range slices.Chunk(held, slice) {
		accounts, err := w.tx.AccountsOf(w.tenant, peopleOf(jobs))
		if err != nil {
			return nil, nil, err
		}
		for _, j := range jobs {
			i := slices.IndexFunc(accounts, func(a store.Account) bool {
				return a.System == j.System && strings.EqualFold(a.ID, j.Object) && a.Person == j.Person && a.Gone == 0
			})
			if i >= 0 && expects(operation(j.Work), accounts[i]) {
				still = append(still, j)
			} else {
				gone = append(gone, j)
			}
		}
	}
	return still, gone, nil
}

// expects tells whether an account is as an operation expects it.
func expects(op *connectorv1.Operation, a store.Account) bool {
	object, err := mapping.ReadObject(a.Object)
	if err != nil {
		return false
	}
	if m := op.GetMove(); m != nil {
		return reconcile.SameDN(m.GetExpectAddress(), a.Address)
	}
	for _, c := range op.GetModify().GetChanges() {
		if now, _ := object.Get(c.GetName()); !sameValues(now, c.GetExpect()) {
			return false
		}
	}
	return true
}

// noteUndone keeps the reconciler from planning again what is undone.
func (w *work) noteUndone(jobs []store.Job) error {
	var rows []store.Deviation
	for _, j := range jobs {
		add := func(attribute string, refused, found []string) {
			rows = append(rows, store.Deviation{Tenant: w.tenant, Person: j.Person, System: j.System, Attribute: attribute, Account: j.Object,
				Kind: store.DeviationUndone, Refused: store.TextList(refused), Found: store.TextList(found), At: w.tx.Now, Who: w.who, Job: j.ID})
		}
		op := operation(j.Work)
		switch verb := op.GetVerb().(type) {
		case *connectorv1.Operation_Modify:
			for _, c := range verb.Modify.GetChanges() {
				add(c.GetName(), c.GetExpect(), c.GetWant())
			}
		case *connectorv1.Operation_Move:
			add(reconcile.OfAddress, []string{verb.Move.GetExpectAddress()}, nil)
		case *connectorv1.Operation_SetEnabled:
			add(reconcile.OfEnabled, []string{strconv.FormatBool(!verb.SetEnabled.GetEnabled())}, []string{strconv.FormatBool(verb.SetEnabled.GetEnabled())})
		case *connectorv1.Operation_ChangeMembership:
			for _, g := range verb.ChangeMembership.GetLeave() {
				add(reconcile.OfGroup+g, []string{reconcile.Joins}, nil)
			}
			for _, g := range verb.ChangeMembership.GetJoin() {
				add(reconcile.OfGroup+g, []string{reconcile.Leaves}, nil)
			}
		case *connectorv1.Operation_Delete:
			add(reconcile.OfAccount, []string{"account"}, nil)
		}
	}
	return w.tx.PutDeviations(rows)
}
