package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// New passwords. That of a new account is forgotten when nobody picks it up, and
// people lose theirs: somebody asks for another. No rule wants one, so no plan has
// it; a job is made by hand, which passes queue, guardrail and connector as any
// other, behind what is under way for the account. What is planned meanwhile does
// not wait for it: a leaver is locked out first.
//
//	asked ─► job by the document's rule ─► the connector makes it, seals it ─► it waits to be picked up
//
//	what may go wrong                       then
//	the document, the account, a recipient  nothing is made; the error says why, for each system
//	the system is in mode preview           as above: nothing is written there
//	it is refused, or nobody knows          the job says so, and somebody asks again; it is never repeated by itself

// ErrNoPassword says that no account can have a new password; the text says why. Test with [errors.Is].
var ErrNoPassword = errors.New("no new password")

// NewPassword has a new password made for the account that a person has in a
// system, in every one whose document gives passwords where system is "". It
// returns the jobs, at least one.
func (p *Planner) NewPassword(ctx context.Context, tenant, who, person, system string) (jobs []store.Job, err error) {
	err = p.work(ctx, tenant, who, func(w *work) error {
		jobs, err = w.password(person, system)
		return err
	})
	return jobs, err
}

func (w *work) password(person, system string) ([]store.Job, error) {
	b := &batch{tx: w.tx, planner: w.Planner, tenant: w.tenant}
	if err := b.loadSystems(); err != nil {
		return nil, err
	}
	if err := b.load([]store.Due{{Tenant: w.tenant, Person: person}}); err != nil {
		return nil, err
	}
	var jobs []store.Job
	var not []string
	for _, p := range b.people {
		for _, t := range b.targets {
			if !t.of(p) || system != "" && t.row.Name != system || system == "" && (t.system.Target.Password == nil || p.account(t) == nil) {
				continue
			}
			j, why, err := w.passwordIn(b, t, p)
			if err != nil {
				return nil, err
			}
			if why != "" {
				not = append(not, t.row.Name+": "+why)
				continue
			}
			jobs = append(jobs, j)
		}
	}
	if len(jobs) == 0 {
		if len(not) == 0 {
			not = append(not, "there is no account in a system whose document gives passwords")
		}
		return nil, fmt.Errorf("%w: %s", ErrNoPassword, strings.Join(not, "; "))
	}
	return jobs, w.ask(jobs)
}

// passwordIn makes the job for a person's account in a target; why says why there is none.
func (w *work) passwordIn(b *batch, t target, p *person) (j store.Job, why string, err error) {
	if b.previewed(t) {
		return j, "the system is in mode preview, so nothing is written there (drawbridge system mode " + t.row.Name + " apply)", nil
	}
	refs := &refs{batch: b, target: t}
	in := b.input(t, p, refs)
	if a := p.account(t); a != nil {
		account := accountOf(*a)
		in.Account, in.Home = &account, t.home(*a)
	}
	op, problem := reconcile.NewPassword(in, "asked for by "+w.who)
	if refs.err != nil {
		return j, "", refs.err
	}
	if problem != nil {
		return j, strings.TrimSuffix(problem.Fault.GetCause(), ".") + " (" + strings.TrimSuffix(problem.Fault.GetNextStep(), ".") + ")", nil
	}
	j, err = manual(t, p.row.ID, op)
	j.Priority = onDemand
	return j, "", err
}

// ask stores jobs that somebody made by hand, and lets them go.
func (w *work) ask(jobs []store.Job) error {
	if err := w.tx.AddJobs(jobs); err != nil {
		return err
	}
	entries := make([]store.History, len(jobs))
	for i, j := range jobs {
		entries[i] = store.History{Tenant: j.Tenant, Kind: history.Planned, System: j.System, Person: j.Person, Account: j.Object, Job: j.ID,
			Text: history.Operation(operation(j.Work)) + ", asked for by " + w.who}
	}
	return errors.Join(release(w.tx, w.tenant, jobs, store.JobAsked), w.tx.AddHistory(entries))
}
