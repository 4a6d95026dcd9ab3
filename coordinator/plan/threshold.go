package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// hold decides which classes of the batch break their thresholds, and makes
// the jobs of its plans.
//
// What counts is what takes something away, in one system, within an hour:
// disables with deletes, every other class by itself. Where a class
// breaks its limit, the batch's jobs of it are held, and those of the last hour
// that no agent has yet as well.
func (b *batch) hold() error {
	for _, t := range b.targets {
		var mine []*plan
		taking := map[string]int{} // by class
		if t.system.Target.OfGroups {
			continue // they are counted, and held, with the accounts of people
		}
		for _, pl := range b.plans {
			if pl.target.row.Name != t.row.Name {
				continue
			}
			mine = append(mine, pl)
			if pl.cause != "" {
				continue // a person decides anyhow
			}
			for _, op := range pl.ops {
				if op.Takes {
					taking[op.Class]++
				}
			}
		}
		held := map[string]*connectorv1.Fault{}
		for class := range taking {
			fault, err := b.broken(t, class, taking)
			if err != nil {
				return err
			}
			if fault != nil {
				held[class] = fault
			}
		}
		for class, fault := range held {
			if err := b.holdQueued(t, class, fault); err != nil {
				return err
			}
		}
		if err := b.makeJobs(t, mine, held); err != nil {
			return err
		}
	}
	return nil
}

// together gives the classes that are counted with a class.
func together(class string) []string {
	if class == "disable" {
		return []string{"disable", "delete"}
	}
	return []string{class}
}

// broken gives why the class must be held, or nil.
func (b *batch) broken(t target, class string, taking map[string]int) (*connectorv1.Fault, error) {
	limit := t.system.Target.Threshold(class)
	if limit.None {
		return nil, nil
	}
	n, err := b.taken(t, class, taking)
	if err != nil || !limit.Holds(n, 0) {
		return nil, err // within the number that is always allowed
	}
	if err := b.correct(t, class); err != nil {
		return nil, err
	}
	if n, err = b.taken(t, class, taking); err != nil {
		return nil, err
	}
	managed, err := b.tx.CountManaged(b.tenant, t.row.Name)
	if err != nil || !limit.Holds(n, managed) {
		return nil, err
	}
	return &connectorv1.Fault{
		Cause:    fmt.Sprintf("%s within %s would touch %d of %d accounts; the threshold is %s", class, spanText(t.window()), n, managed, limitText(limit)),
		NextStep: fmt.Sprintf("see whether the source is right, then let them go with: drawbridge held approve --system %s --class %s", t.row.Name, class),
	}, nil
}

// taken gives how many jobs count for a class: those of the batch, the held ones, and those of the last hour.
func (b *batch) taken(t target, class string, taking map[string]int) (n int, err error) {
	for _, c := range together(class) {
		held, err := b.tx.CountHeld(b.tenant, t.row.Name, c)
		if err != nil {
			return 0, err
		}
		n += taking[c] + held + b.planner.window.count(b.tenant, t.row.Name, c, b.tx.Now.Add(-t.window()), b.dropped)
	}
	return n, nil
}

// correct takes jobs out of the window that were dropped since: somebody
// rejected them, or a job before them failed.
func (b *batch) correct(t target, class string) error {
	for _, c := range together(class) {
		rows, err := b.tx.Jobs(b.tenant, b.planner.window.ids(b.tenant, t.row.Name, c))
		if err != nil {
			return err
		}
		for _, j := range rows {
			if j.State == store.JobDropped || j.State == store.JobHeld {
				b.forget(j.ID)
			}
		}
	}
	return nil
}

// forget has a job no longer count, from now in the batch, and for good once that is committed.
func (b *batch) forget(ids ...int64) {
	if b.dropped == nil {
		b.dropped = map[int64]bool{}
	}
	for _, id := range ids {
		b.dropped[id] = true
	}
	b.counted = append(b.counted, func() { b.planner.window.forget(ids) })
}

// window gives within what time the thresholds of a target count.
func (t target) window() time.Duration { return cmp.Or(t.system.Target.Window, hour) }

func spanText(d time.Duration) string {
	switch {
	case d == hour:
		return "an hour"
	case d%(24*hour) == 0 && d > 24*hour:
		return fmt.Sprintf("%d days", d/(24*hour))
	}
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}

func limitText(l mapping.Limit) string {
	if l.Share > 0 {
		return fmt.Sprintf("%v and more than %d", l, l.Count)
	}
	return l.String()
}

// holdQueued holds the class's jobs of the last hour that no agent has yet.
func (b *batch) holdQueued(t target, class string, fault *connectorv1.Fault) error {
	ids := b.planner.window.ids(b.tenant, t.row.Name, class)
	if len(ids) == 0 {
		return nil
	}
	if _, err := b.tx.HoldJobs(ids, faultText(fault)); err != nil {
		return err
	}
	rows, err := b.tx.Jobs(b.tenant, ids)
	if err != nil {
		return err
	}
	var now []int64
	for _, j := range rows {
		if j.State == store.JobHeld {
			now = append(now, j.ID)
		}
	}
	b.forget(now...)
	return nil
}

// makeJobs makes rows of the plans' operations, each after the one before it.
func (b *batch) makeJobs(t target, plans []*plan, held map[string]*connectorv1.Fault) error {
	n := 0
	for _, pl := range plans {
		n += len(pl.ops)
	}
	if n == 0 {
		return nil
	}
	id, err := b.tx.ReserveJobs(n)
	if err != nil {
		return err
	}
	for _, pl := range plans {
		if len(pl.ops) == 0 {
			continue
		}
		pl.jobs = make([]store.Job, 0, len(pl.ops))
		priority, after := urgency(pl), int64(0)
		entry := store.History{Tenant: b.tenant, Kind: history.Planned, System: t.row.Name, Person: pl.person.row.ID, Job: id}
		if a := pl.person.account(pl.target); a != nil {
			entry.Account = a.ID
		}
		for i, op := range pl.ops {
			job, err := b.job(t, pl, op, id, after, priority)
			if err != nil {
				return err
			}
			switch fault := held[op.Class]; {
			case pl.cause != "":
				if err := b.preview(pl.cause, &job, op.Operation, i); err != nil {
					return err
				}
				entry.Kind = history.Held
			case fault != nil && op.Takes:
				job.State, job.Fault = store.JobHeld, faultText(fault)
				entry.Kind = history.Held
			case op.Takes:
				job.Counts = true
				b.count(job)
			}
			if pl.cause == "" && (job.State != store.JobHeld || leaving(op.Class)) {
				after = id
			}
			if i > 0 {
				entry.Text += "; "
			}
			entry.Text += history.Operation(op.Operation)
			pl.jobs = append(pl.jobs, job)
			id++
		}
		b.history = append(b.history, entry)
	}
	return nil
}

func (b *batch) count(j store.Job) {
	b.counted = append(b.counted, func() {
		b.planner.window.add(store.TakingJob{ID: j.ID, Tenant: j.Tenant, System: j.System, Class: j.Class, Made: b.tx.Now})
	})
}

// leaving tells whether what follows an operation of the class is a consequence
// of it, and waits with it where it is held. What follows another goes on.
func leaving(class string) bool { return class == "disable" || class == "delete" }

// urgency puts leavers before everything, and what a person asked for before the rest.
func urgency(pl *plan) int64 {
	for _, op := range pl.ops {
		if leaving(op.Class) {
			return 20
		}
	}
	if pl.person.due.Why == OnDemand {
		return onDemand
	}
	return 0
}

// onDemand is the priority of what a person waits for.
const onDemand = 10

// OnDemand is why somebody is due whom a person wants to be looked at now.
const OnDemand = "on demand"

func (b *batch) job(t target, pl *plan, op reconcile.Op, id, after, priority int64) (store.Job, error) {
	until := op.NotAfter
	if until.IsZero() {
		until = b.tx.Now.Time().Add(stale(op.Class))
	}
	object := op.Operation.GetId()
	if object == "" {
		object = pl.person.row.ID
	}
	work, err := proto.Marshal(&linkv1.Job{
		System: t.row.Name, Object: object, NotAfter: timestamppb.New(until), Priority: uint32(priority),
		Work: &linkv1.Job_Apply{Apply: op.Operation},
	})
	if err != nil {
		return store.Job{}, err
	}
	state := store.JobQueued
	if after != 0 {
		state = store.JobWaiting
	}
	return store.Job{
		ID: id, Tenant: b.tenant, Site: t.row.Site, System: t.row.Name, Object: object, Person: pl.person.row.ID, Class: op.Class,
		State: state, After: after, Priority: priority, NotAfter: store.InstantOf(until), Work: work, Reasons: string(mapping.AppendReasons(nil, op.Reasons)), Settles: pl.settles,
		Since: pl.person.due.Since, Cycle: cmp.Or(pl.person.due.Cycle, pl.person.cycle(t)), Trace: pl.person.due.Trace,
	}, nil
}

// stale is how long an operation stays true: days for what shuts out, hours for
// what lets in, a day for the rest.
func stale(class string) time.Duration {
	switch class {
	case "disable", "delete":
		return 7 * 24 * time.Hour
	case "create", "enable", "password":
		return 6 * time.Hour
	}
	return 24 * time.Hour
}

func faultText(f *connectorv1.Fault) string {
	text, err := json.Marshal(f)
	if err != nil {
		return "{}"
	}
	return string(text)
}

// A window is what was taken away within the last hour, or the longest window of a document. It is memory of what
// the store holds, read from there at the first step.
type window struct {
	mu     sync.Mutex
	loaded bool
	span   time.Duration
	jobs   []store.TakingJob
}

const hour = time.Hour

func newWindow() *window { return &window{span: hour} }

// widen has the window hold what was taken away within a longer time. It must be loaded again where it says so.
func (w *window) widen(span time.Duration) (again bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if span > w.span {
		w.span, w.loaded = span, false
	}
	return !w.loaded
}

// load reads the last hour's jobs: once, or at every step where other
// coordinators plan as well.
func (w *window) load(tx *store.Tx) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.loaded && !tx.Shared() {
		return nil
	}
	rows, err := tx.TakingJobs(tx.Now.Add(-w.span), 1_000_000)
	if err != nil {
		return err
	}
	w.jobs, w.loaded = rows, true
	return nil
}

func (w *window) add(j store.TakingJob) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old, from := 0, j.Made.Add(-w.span)
	for old < len(w.jobs) && w.jobs[old].Made < from {
		old++
	}
	w.jobs = w.jobs[old:]
	w.jobs = append(w.jobs, j)
}

// forget takes jobs out that were dropped or held.
func (w *window) forget(ids []int64) {
	gone := make(map[int64]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.jobs[:0]
	for _, j := range w.jobs {
		if !gone[j.ID] {
			kept = append(kept, j)
		}
	}
	w.jobs = kept
}

// count gives how many there are of a class in a system since an instant, without those in but.
func (w *window) count(tenant, system, class string, from store.Instant, but map[int64]bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, j := range w.jobs {
		if j.Made >= from && j.Tenant == tenant && j.System == system && j.Class == class && !but[j.ID] {
			n++
		}
	}
	return n
}

func (w *window) ids(tenant, system, class string) []int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []int64
	for _, j := range w.jobs {
		if j.Tenant == tenant && j.System == system && j.Class == class {
			ids = append(ids, j.ID)
		}
	}
	return ids
}
