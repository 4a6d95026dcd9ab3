package plan

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Previews. What may not be done before somebody has seen it is planned as ever,
// and its jobs are held in a plan:
//
//	why                       until
//	system in mode preview    decided
//	run SYSTEM --preview      decided, or lapsed after a day
//	person preview KEY        decided, or lapsed after a quarter of an hour
//	undo                      decided
//
// A plan is open while people are being planned for its cause, and sealed once
// nobody is due: its hash then says what it is. What becomes another in the
// meantime (the source has changed, somebody did it by hand) is dropped from it
// by planning, as any job is, and stands in the next plan; approving says so.
//
// The row in preview goes with the decision, or at once where nothing is to be
// done. A plan costs what the cycle costs that it previews, and a row for each job.

// cause gives why nothing is done for a person in a target before somebody has seen it; "" where it may be done.
func (b *batch) cause(t target, p *person) string {
	if pv, ok := b.previews[p.row.ID]; ok {
		return pv.Cause
	}
	if b.previewed(t) {
		return "system " + t.row.Name
	}
	return ""
}

// previewed tells whether a target is in mode preview.
func (b *batch) previewed(t target) bool {
	if mode := b.modes[t.row.Name]; mode != "" {
		return mode == ModePreview
	}
	return t.system.Target.Preview
}

// Modes of a system.
const (
	ModeApply   = "apply"
	ModePreview = "preview"
)

// loadPreviews loads who is not to be touched before somebody has seen it.
func (b *batch) loadPreviews(ids []string) error {
	modes, err := b.tx.SystemModes(b.tenant)
	if err != nil {
		return err
	}
	b.modes = make(map[string]string, len(modes))
	for _, m := range modes {
		b.modes[m.System] = m.Mode
	}
	rows, err := b.tx.Previews(b.tenant, ids)
	b.previews = make(map[string]store.Preview, len(rows))
	for _, pv := range rows {
		if pv.Lapses != 0 && pv.Lapses <= b.tx.Now {
			b.over = append(b.over, pv.Person)
			continue
		}
		b.previews[pv.Person] = pv
		if pv.Lapses != 0 {
			b.alarms = append(b.alarms, store.Alarm{Tenant: b.tenant, Person: pv.Person, At: pv.Lapses, Why: "the preview lapses: " + pv.Cause})
		}
	}
	return err
}

// heldAsPreview tells whether open jobs wait for somebody to see them.
func heldAsPreview(open []store.Job) bool {
	return slices.ContainsFunc(open, func(j store.Job) bool { return j.Outcome == store.JobPreview })
}

// plan gives the open plan of a cause, made if there is none.
func (b *batch) planFor(cause string) (*store.Plan, error) {
	if b.open == nil {
		rows, err := b.tx.OpenPlans(b.tenant)
		if err != nil {
			return nil, err
		}
		b.open = map[string]*store.Plan{}
		for i := range rows {
			b.open[rows[i].Cause] = &rows[i]
		}
	}
	if pl := b.open[cause]; pl != nil {
		return pl, nil
	}
	id, err := b.tx.ReserveJobs(1)
	if err != nil {
		return nil, err
	}
	pl := &store.Plan{Tenant: b.tenant, ID: id, Cause: cause, State: store.PlanOpen, Made: b.tx.Now}
	b.open[cause] = pl
	return pl, b.tx.PutPlan(*pl)
}

// preview holds a job in the plan of a cause.
func (b *batch) preview(cause string, job *store.Job, op *connectorv1.Operation, place int) error {
	pl, err := b.planFor(cause)
	if err != nil {
		return err
	}
	job.State, job.Outcome, job.After = store.JobHeld, store.JobPreview, 0
	if job.Fault == "" {
		job.Fault = faultText(&connectorv1.Fault{Cause: "preview (" + cause + "): nothing is done before somebody has seen it",
			NextStep: fmt.Sprintf("drawbridge plan show %d", pl.ID)})
	}
	hash, err := itemHash(job, op, place)
	if err != nil {
		return err
	}
	b.items = append(b.items, store.PlanItem{Tenant: b.tenant, Plan: pl.ID, Job: job.ID, Hash: hash})
	return nil
}

// itemHash says what a job does, for whom, and in which place among theirs; not when or with which id.
func itemHash(job *store.Job, op *connectorv1.Operation, place int) ([]byte, error) {
	work, err := proto.MarshalOptions{Deterministic: true}.Marshal(op)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00%d\x00", job.System, job.Person, job.Class, place)
	h.Write(work)
	return h.Sum(nil), nil
}

// sealAll closes the open plans of every tenant.
func sealAll(tx *store.Tx) error {
	tenants, err := tx.TenantsWithOpenPlans()
	for _, tenant := range tenants {
		if err == nil {
			err = seal(tx, tenant)
		}
	}
	return err
}

// seal closes the tenant's open plans: nobody is due. A plan of which nothing is wanted any more has lapsed.
func seal(tx *store.Tx, tenant string) error {
	open, err := tx.OpenPlans(tenant)
	for _, pl := range open {
		if err == nil {
			err = sealOne(tx, &pl)
		}
	}
	return err
}

func sealOne(tx *store.Tx, pl *store.Plan) error {
	hashes, err := tx.KeepPlanItems(pl.Tenant, pl.ID)
	if err != nil {
		return err
	}
	pl.State, pl.Sealed = store.PlanSealed, tx.Now
	if len(hashes) == 0 {
		pl.State = store.PlanLapsed
	}
	sum := sha256.Sum256(bytes.Join(hashes, nil))
	pl.Hash = hex.EncodeToString(sum[:])
	return tx.PutPlan(*pl)
}

// savePreviews stores what is in plans, and lets those be planned as ever of whom nothing is to be done.
func (b *batch) savePreviews() error {
	if err := b.tx.AddPlanItems(b.items); err != nil {
		return err
	}
	for _, p := range b.people {
		if _, ok := b.previews[p.row.ID]; ok && !p.skipped && !p.wants {
			b.over = append(b.over, p.row.ID)
		}
	}
	return b.tx.RemovePreviews(b.tenant, b.over)
}

// ErrNoPlan says that there is no such plan, ErrDecided that it waits for nobody, ErrOtherHash that it is not the one
// that was looked at. Test with [errors.Is].
var (
	ErrNoPlan    = errors.New("there is no such plan")
	ErrDecided   = errors.New("the plan waits for nobody's decision")
	ErrOtherHash = errors.New("the plan is not the one that was looked at")
)

// A Stale error says what of a plan no longer holds.
type Stale struct {
	Plan int64
	Jobs []store.Job // what the plan says and is not to be done any more
	Of   int         // how many it has
}

func (e *Stale) Error() string {
	return fmt.Sprintf("%d of %d changes of plan %d no longer hold", len(e.Jobs), e.Of, e.Plan)
}

// FindPlan finds a plan by its number, or by the beginning of its hash, at least six digits of it.
func FindPlan(tx *store.Tx, tenant, ref string) (store.Plan, error) {
	var id int64
	if n, err := fmt.Sscanf(ref, "%d", &id); err == nil && n == 1 && fmt.Sprint(id) == ref {
		pl, err := tx.Plan(tenant, id)
		if err == nil || !errors.Is(err, store.ErrNone) {
			return pl, err
		}
	}
	if len(ref) >= 6 {
		if found, err := tx.PlansHashed(tenant, strings.ToLower(ref)); err != nil || len(found) > 0 {
			if len(found) == 2 && found[0].State != store.PlanSealed {
				return found[1], err
			}
			return found[0], err
		}
	}
	return store.Plan{}, fmt.Errorf("%w: %s", ErrNoPlan, ref)
}

// undecided loads a plan that waits for a decision, and its jobs by whether they still wait for it.
func undecided(tx *store.Tx, tenant, ref, hash string) (pl store.Plan, held, gone []store.Job, err error) {
	if pl, err = FindPlan(tx, tenant, ref); err != nil {
		return pl, nil, nil, err
	}
	if pl.State == store.PlanOpen {
		if err = sealOne(tx, &pl); err != nil {
			return pl, nil, nil, err
		}
	}
	if pl.State != store.PlanSealed {
		return pl, nil, nil, fmt.Errorf("plan %d: %w: it is %s", pl.ID, ErrDecided, pl.State)
	}
	if hash != "" && !strings.HasPrefix(pl.Hash, strings.ToLower(hash)) {
		return pl, nil, nil, fmt.Errorf("plan %d: %w: its hash is %.12s", pl.ID, ErrOtherHash, pl.Hash)
	}
	items, err := tx.PlanItems(tenant, pl.ID, 0, maxDecided)
	for _, j := range items {
		if j.State == store.JobHeld {
			held = append(held, j)
		} else {
			gone = append(gone, j)
		}
	}
	return pl, held, gone, err
}

// ApprovePlan lets a plan go: exactly what it says, or, where something of it no longer holds and rest is not set,
// nothing, with a [*Stale] error. Whoever of it is due is planned first, so that what is known counts; what is not
// known yet ends in a conflict at the connector. hash, where it is given, must be the beginning of the plan's.
func (p *Planner) ApprovePlan(ctx context.Context, tenant, who, ref, hash string, rest bool) (pl store.Plan, n int, err error) {
	err = p.work(ctx, tenant, who, func(w *work) (err error) {
		pl, n, err = w.approve(ref, hash, rest)
		return err
	})
	return pl, n, err
}

func (w *work) approve(ref, hash string, rest bool) (store.Plan, int, error) {
	pl, held, gone, err := undecided(w.tx, w.tenant, ref, hash)
	if err != nil {
		return pl, 0, err
	}
	undo := strings.HasPrefix(pl.Cause, undoOf)
	if undo {
		held, gone, err = w.stillInverse(held, gone)
	} else if err = w.again(held); err == nil {
		pl, held, gone, err = undecided(w.tx, w.tenant, fmt.Sprint(pl.ID), "")
	}
	if err != nil {
		return pl, 0, err
	}
	if len(gone) > 0 && !rest {
		return pl, 0, &Stale{Plan: pl.ID, Jobs: gone, Of: len(held) + len(gone)}
	}
	if undo {
		if err := w.noteUndone(held); err != nil {
			return pl, 0, err
		}
		if err := w.tx.EndJobs(ids(gone), store.JobDropped, "no longer holds", ""); err != nil {
			return pl, 0, err
		}
	}
	mark := ""
	if undo {
		mark = store.JobUndo
	}
	if err := release(w.tx, w.tenant, held, mark); err != nil {
		return pl, 0, err
	}
	return pl, len(held), w.decide(&pl, store.PlanApproved, held, "approved by "+w.who+" with plan "+fmt.Sprint(pl.ID))
}

// RejectPlan drops what a plan says. It is not planned again until something else is wanted, or it is tried again by hand.
func (p *Planner) RejectPlan(ctx context.Context, tenant, who, ref, hash string) (pl store.Plan, n int, err error) {
	err = p.work(ctx, tenant, who, func(w *work) error {
		var held []store.Job
		if pl, held, _, err = undecided(w.tx, tenant, ref, hash); err != nil {
			return err
		}
		n = len(held)
		if strings.HasPrefix(pl.Cause, undoOf) {
			err = w.tx.EndJobs(ids(held), store.JobDropped, Rejected, "")
		} else if n > 0 {
			_, err = Reject(w.tx, tenant, who, store.HeldFilter{Jobs: ids(held)})
		}
		if err != nil {
			return err
		}
		if err := w.tx.RemovePreviews(tenant, peopleOf(held)); err != nil {
			return err
		}
		return w.decide(&pl, store.PlanRejected, nil, "")
	})
	return pl, n, err
}

// decide notes what was decided of a plan, and lets the people of its jobs be planned as ever.
func (w *work) decide(pl *store.Plan, state string, jobs []store.Job, text string) error {
	pl.State, pl.Decided, pl.Who = state, w.tx.Now, w.who
	if err := w.tx.PutPlan(*pl); err != nil {
		return err
	}
	if err := w.tx.RemovePreviews(pl.Tenant, peopleOf(jobs)); err != nil {
		return err
	}
	return w.tx.AddHistory(decided(jobs, history.Approved, text))
}

// A work is what somebody asked the planner for, in a transaction of its own.
type work struct {
	*Planner
	tx          *store.Tx
	tenant, who string
	counted     []func() // to be called once committed
}

func (p *Planner) work(ctx context.Context, tenant, who string, do func(*work) error) error {
	var w *work
	err := p.store.WriteTenant(ctx, tenant, func(tx *store.Tx) error {
		w = &work{Planner: p, tx: tx, tenant: tenant, who: who}
		return do(w)
	})
	if err != nil {
		return err
	}
	for _, count := range w.counted {
		count()
	}
	p.Alarms.Raise()
	return nil
}

// peopleOf gives whose jobs they are, each once.
func peopleOf(jobs []store.Job) []string {
	var people []string
	for _, j := range jobs {
		if j.Person != "" {
			people = append(people, j.Person)
		}
	}
	slices.Sort(people)
	return slices.Compact(people)
}

// again plans those of whom jobs are and who are due.
func (w *work) again(jobs []store.Job) error {
	for people := range slices.Chunk(peopleOf(jobs), slice) {
		due, err := w.tx.DueAmong(w.tenant, people)
		if err == nil && len(due) > 0 {
			err = w.plan(due)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// plan plans people, due or not.
func (w *work) plan(due []store.Due) error {
	if err := w.window.load(w.tx); err != nil {
		return err
	}
	b := &batch{tx: w.tx, planner: w.Planner, tenant: w.tenant}
	err := b.run(due)
	w.counted = append(w.counted, b.counted...)
	return err
}

// release lets held jobs go, each behind what is still to be done to its object, and with a fence above that of
// everything that has passed it by. Those made by hand keep the mark of it.
func release(tx *store.Tx, tenant string, held []store.Job, mark string) error {
	for jobs := range slices.Chunk(held, slice) {
		open, err := tx.OpenJobsOf(tenant, peopleOf(jobs))
		if err != nil {
			return err
		}
		last := map[string]int64{} // of an object's chain
		chain := func(j store.Job) string { return j.System + "\x00" + j.Person + "\x00" + j.Object }
		for _, j := range open {
			if j.Priority != store.PriorityPlaced && (j.State == store.JobQueued || j.State == store.JobWaiting || j.State == store.JobSent) {
				last[chain(j)] = max(last[chain(j)], j.ID)
			}
		}
		fence, err := tx.ReserveJobs(len(jobs))
		if err != nil {
			return err
		}
		rows := slices.Clone(jobs)
		slices.SortFunc(rows, func(a, b store.Job) int { return cmp.Compare(a.ID, b.ID) })
		for i := range rows {
			j := &rows[i]
			j.State, j.After, j.Fence = store.JobQueued, last[chain(*j)], fence+int64(i)
			if j.After != 0 {
				j.State = store.JobWaiting
			}
			if least := tx.Now.Add(hour); j.NotAfter != 0 && j.NotAfter < least {
				j.NotAfter = tx.Now.Add(stale(j.Class))
			}
			j.Fault, j.Outcome = "", ""
			last[chain(*j)] = j.ID
		}
		if err := tx.ReleaseJobs(rows, mark); err != nil {
			return err
		}
	}
	return nil
}
