package plan

import (
	"encoding/json"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A plan is what is new to be done for one person in one system.
type plan struct {
	target  target
	person  *person
	ops     []reconcile.Op
	settles bool
	cause   string // why nothing of it is done before somebody has seen it; empty where it is
	names   []store.Name
	jobs    []store.Job
}

// plan plans everybody of the batch in one target.
func (b *batch) plan(t target) error {
	candidates, err := b.candidates(t)
	if err != nil {
		return err
	}
	refs := &refs{batch: b, target: t}
	names := newNames(b, t)
	guesses, err := b.guess(t, refs, names, candidates)
	if err != nil {
		return err
	}
	for _, p := range b.people {
		if !t.of(p) {
			continue
		}
		busy, err := b.ahead(t, p)
		if err != nil {
			return err
		}
		open := p.open(t.row.Name)
		if busy || p.undoing(t.row.Name) || slices.ContainsFunc(open, underWay) {
			p.skipped = true
			b.unsettle(open)
			continue
		}
		in, ledger := b.input(t, p, refs), names.of(p, "")
		if a := p.account(t); a != nil {
			account := accountOf(*a)
			account.Granted = p.granted(t.row.Name)
			account.Added = p.added[accountKey(a.System, a.ID)]
			if in.Strangers, err = b.strangers(t, *a); err != nil {
				return err
			}
			in.Account, in.Home, ledger = &account, t.home(*a), names.of(p, a.ID)
		} else {
			in.Candidates = candidates[p.row.ID]
		}
		var out reconcile.Output
		if g := guesses[p]; g != nil && ledger.reserve(g.names) {
			out = g.out
		} else {
			in.Names = ledger
			out = reconcile.Plan(in)
		}
		if refs.err != nil || names.err != nil {
			return firstError(refs.err, names.err)
		}
		if err := b.take(t, p, open, out, names.reserved()); err != nil {
			return err
		}
	}
	return nil
}

// input is what planning somebody in a target depends on besides their account and the names.
func (b *batch) input(t target, p *person, refs *refs) reconcile.Input {
	return reconcile.Input{Now: b.tx.Now.Time(), Person: p.person, Target: t.system.Target, Refs: refs, Recipient: refs.Recipient, Groups: refs,
		ByHand: func() bool { return p.letIn(t.row.Name) }, Deviations: p.deviations(t.row.Name), Quarantined: b.quarantined(t, p),
		Outside: p.outside[t.row.Name]}
}

// A guess is what is planned for somebody if each name is free that they ask for first.
type guess struct {
	out   reconcile.Output
	names wishes
}

// guess plans those without an account as if every name were free, and reads at
// once who holds these names. Where they are free, which they are of most, that
// is the plan; the others are planned once more.
func (b *batch) guess(t target, refs *refs, names *names, candidates map[string][]reconcile.Account) (map[*person]*guess, error) {
	guesses := make(map[*person]*guess, len(b.people))
	wanted := map[string][]string{}
	for _, p := range b.people {
		if !t.of(p) || p.account(t) != nil || len(p.open(t.row.Name)) > 0 {
			continue
		}
		g := &guess{}
		in := b.input(t, p, refs)
		in.Candidates, in.Names = candidates[p.row.ID], &g.names
		if g.out = reconcile.Plan(in); refs.err != nil {
			return nil, refs.err
		}
		guesses[p] = g
		for _, key := range g.names {
			wanted[key.attribute] = append(wanted[key.attribute], key.value)
		}
	}
	for attribute, values := range wanted {
		if err := names.look(attribute, values); err != nil {
			return nil, err
		}
	}
	return guesses, nil
}

// underWay tells whether the outcome of a job must be known before anything
// else is planned: an agent has it, or it looks for what may have been made.
func underWay(j store.Job) bool { return j.State == store.JobSent || j.Class == "find" }

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// candidates finds accounts that are nobody's and match people without one.
func (b *batch) candidates(t target) (map[string][]reconcile.Account, error) {
	if t.system.Target.Match == "" {
		return nil, nil
	}
	wanted := map[string][]string{} // people by match value
	for _, p := range b.people {
		if !t.of(p) || p.account(t) != nil {
			continue
		}
		value, err := t.system.Target.MatchValue(p.person)
		if err != nil || value == "" {
			continue // reconcile meets the same error and says so
		}
		wanted[value] = append(wanted[value], p.row.ID)
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	values := make([]string, 0, len(wanted))
	for v := range wanted {
		values = append(values, v)
	}
	slices.Sort(values)
	rows, err := b.tx.AccountsByMatch(b.tenant, t.row.Name, values)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(x, y store.Account) int { return compare(x.ID, y.ID) })
	found := map[string][]reconcile.Account{}
	for _, a := range rows {
		if a.Class != t.system.Target.Class {
			continue
		}
		for _, id := range wanted[a.Match] {
			found[id] = append(found[id], accountOf(a))
		}
	}
	return found, nil
}

// take keeps what reconcile wants for a person in a target.
func (b *batch) take(t target, p *person, open []store.Job, out reconcile.Output, names []store.Name) error {
	for _, a := range out.Alarms {
		b.alarms = append(b.alarms, store.Alarm{Tenant: b.tenant, Person: p.row.ID, At: ceil(a.At), Why: a.Why})
	}
	for _, key := range out.Waits {
		b.waits = append(b.waits, store.Waiting{Tenant: b.tenant, System: t.row.Name, Key: key, Person: p.row.ID})
	}
	if out.Join != "" {
		if err := b.join(t, p, out.Join); err != nil {
			return err
		}
	}
	for i := range out.Ops {
		if op := out.Ops[i].Operation; op.ReturnAttributes == nil {
			op.ReturnAttributes = t.attributes
		}
	}
	b.wantMade(t, p, out)
	ops := b.problem(t, p, out)
	b.end(t, p, out.Ended)
	b.noteOutside(t, p, out)
	cause := b.cause(t, p)
	settles := out.Settles && len(ops) == 1 && !p.stopped(t.row.Name) && cause == ""
	p.wants = p.wants || len(ops) > 0
	if len(open) > 0 {
		if sameWork(open, ops) && heldAsPreview(open) == (cause != "") {
			if !settles {
				b.unsettle(open)
			}
			return nil
		}
		if err := b.drop(open); err != nil {
			return err
		}
	}
	pl := &plan{target: t, person: p, ops: ops, settles: settles, cause: cause, names: names}
	b.plans = append(b.plans, pl)
	return nil
}

// ceil gives the first instant of the store that is not before t: an alarm never rings early.
func ceil(t time.Time) store.Instant {
	return store.InstantOf(t.Add(time.Millisecond - 1))
}

// join gives the person the account with the id.
func (b *batch) join(t target, p *person, id string) error {
	rows, err := b.tx.Accounts(b.tenant, t.row.Name, []string{id})
	if err != nil {
		return err
	}
	for _, a := range rows {
		a.Person = p.row.ID
		p.accounts = append(p.accounts, a)
		if p.joins == nil {
			p.joins = map[string]bool{}
		}
		p.joins[a.System] = true
		b.joined = append(b.joined, a)
		b.history = append(b.history, store.History{Tenant: b.tenant, Kind: history.Matched, System: t.row.Name, Person: p.row.ID,
			Account: a.ID, Text: "the account that was there is theirs: " + a.Address})
	}
	return nil
}

// problem notes what stops something of a plan, and gives the operations left
// to be done: without those that were refused and whose time has not come again.
func (b *batch) problem(t target, p *person, out reconcile.Output) []reconcile.Op {
	var old *store.Problem
	for i := range p.problems {
		if p.problems[i].System == t.row.Name {
			old = &p.problems[i]
		}
	}
	if out.Problem != nil {
		b.note(t, p, old, out.Problem)
	} else if old != nil && len(out.Ops) == 0 && !out.Withheld {
		if b.cured == nil {
			b.cured = map[string][]string{}
		}
		b.cured[t.row.Name] = append(b.cured[t.row.Name], p.row.ID)
	}
	if old == nil || old.Kind != Rejected && old.Retry <= b.tx.Now {
		return out.Ops
	}
	return slices.DeleteFunc(out.Ops, func(op reconcile.Op) bool {
		return slices.ContainsFunc(p.refused, func(j store.Job) bool {
			return j.System == t.row.Name && j.Class == op.Class && same(j.Work, op.Operation)
		})
	})
}

// pauses are how long to wait before a problem is tried again by itself.
var pauses = [...]time.Duration{6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// RetryAt gives when something that has been tried so often is tried again.
func RetryAt(now store.Instant, tries int64) store.Instant {
	return now.Add(pauses[min(max(tries, 1), int64(len(pauses)))-1])
}

func (b *batch) note(t target, p *person, old *store.Problem, found *reconcile.Problem) {
	fault, err := json.Marshal(found.Fault)
	if err != nil {
		fault = []byte("{}")
	}
	row := store.Problem{Tenant: b.tenant, Person: p.row.ID, System: t.row.Name, At: b.tx.Now, Kind: found.Kind, Fault: string(fault), Tries: 1}
	if old != nil && old.Kind == row.Kind {
		if old.Fault == row.Fault && old.Retry > b.tx.Now {
			return // nothing new
		}
		row.At, row.Tries = old.At, old.Tries+1
	}
	row.Retry = RetryAt(b.tx.Now, row.Tries)
	b.problems = append(b.problems, row)
	if old == nil || old.Fault != row.Fault {
		b.history = append(b.history, store.History{Tenant: b.tenant, Kind: history.Failed, System: t.row.Name, Person: p.row.ID,
			Text: found.Kind + ": " + found.Fault.GetCause()})
	}
}

// unsettle has the person of open jobs planned again after them.
func (b *batch) unsettle(open []store.Job) {
	for _, j := range open {
		if j.Settles {
			b.unsettled = append(b.unsettled, j.ID)
		}
	}
}

// stopped tells whether the person has a problem in a system.
func (p *person) stopped(system string) bool {
	return slices.ContainsFunc(p.problems, func(pr store.Problem) bool { return pr.System == system })
}

// drop drops open jobs that are not what is wanted any more.
func (b *batch) drop(open []store.Job) error {
	ids := make([]int64, len(open))
	for i, j := range open {
		ids[i] = j.ID
	}
	if err := b.tx.EndJobs(ids, store.JobDropped, "planned anew", ""); err != nil {
		return err
	}
	b.forget(ids...)
	return nil
}

// open gives the person's jobs in a system that have not ended, in the order of
// ids, without those placed ahead and those made by hand.
func (p *person) open(system string) []store.Job {
	var open []store.Job
	for _, j := range p.jobs {
		if j.System == system && j.State != store.JobDone && j.State != store.JobFailed && j.Priority != store.PriorityPlaced && !j.Manual() {
			open = append(open, j)
		}
	}
	return open
}

// letIn tells whether the last of our jobs about it let the person's account in.
// One that nobody knows to have been done counts as done where it shut somebody
// out: else they could come back only by somebody's hand. An account that is
// there was made.
func (p *person) letIn(system string) bool {
	for _, j := range slices.Backward(p.jobs) {
		if j.System != system || j.State != store.JobDone && (j.State != store.JobFailed || j.Class == "enable") {
			continue
		}
		switch j.Class {
		case "enable":
			return true
		case "disable":
			return false
		case "create":
			return j.Outcome != store.FoundLocked && operation(j.Work).GetCreate().GetEnabled()
		}
	}
	return false
}

// granted gives the groups that our jobs put the account in, as far as anybody knows, and have not taken it out of.
func (p *person) granted(system string) []string {
	if p.past != nil {
		return p.past.granted[system]
	}
	var in []string
	for _, j := range p.jobs {
		if j.System != system || j.State != store.JobDone && j.State != store.JobFailed || j.Class != "membership" {
			continue
		}
		change := operation(j.Work).GetChangeMembership()
		for _, g := range change.GetJoin() {
			if !slices.Contains(in, g) {
				in = append(in, g)
			}
		}
		if j.State == store.JobFailed {
			continue
		}
		in = slices.DeleteFunc(in, func(g string) bool { return slices.Contains(change.GetLeave(), g) })
	}
	return in
}

// sameWork tells whether open jobs are just the operations wanted.
func sameWork(open []store.Job, ops []reconcile.Op) bool {
	return slices.EqualFunc(open, ops, func(j store.Job, op reconcile.Op) bool {
		return j.Class == op.Class && same(j.Work, op.Operation)
	})
}

func same(work []byte, op *connectorv1.Operation) bool { return proto.Equal(operation(work), op) }

// operation gives that of stored work, nil where there is none.
func operation(work []byte) *connectorv1.Operation {
	var job linkv1.Job
	if proto.Unmarshal(work, &job) != nil {
		return nil
	}
	return job.GetApply()
}
