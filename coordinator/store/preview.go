package store

// States of a plan that a person looks at; coordinator/plan says what leads from one to another.
const (
	PlanOpen     = "open"
	PlanSealed   = "sealed"
	PlanApproved = "approved"
	PlanRejected = "rejected"
	PlanLapsed   = "lapsed" // nothing of it is wanted any more
)

// JobPreview is the outcome of a held job while it belongs to a plan that nobody has decided.
const JobPreview = "preview"

// A Plan is a list of held jobs that a person looks at before any of it is done.
type Plan struct {
	Tenant  string
	ID      int64
	Cause   string // why it is a preview: "system corp-ad", "cycle 17", "person E1001", "undo of job 12"
	State   string
	Hash    string // SHA-256 over what it does, hex; empty while it is open
	Made    Instant
	Sealed  Instant
	Decided Instant
	Who     string
	Note    string // what is not in it, and why
}

const planColumns = "tenant, id, cause, state, hash, made, sealed, decided, who, note"

func (p *Plan) fields() []any {
	return []any{&p.Tenant, &p.ID, &p.Cause, &p.State, &p.Hash, &p.Made, &p.Sealed, &p.Decided, &p.Who, &p.Note}
}

// PutPlan stores a plan, new or changed.
func (tx *Tx) PutPlan(p Plan) error {
	return insert(tx, "plan", planColumns, `ON CONFLICT (tenant, id) DO UPDATE SET state = excluded.state, hash = excluded.hash, sealed = excluded.sealed,
		decided = excluded.decided, who = excluded.who, note = excluded.note`, []Plan{p})
}

// Plan returns the plan, or [ErrNone].
func (tx *Tx) Plan(tenant string, id int64) (Plan, error) {
	return one[Plan](tx, "SELECT "+planColumns+" FROM plan WHERE tenant = ? AND id = ?", tenant, id)
}

// PlansHashed returns the plans whose hash begins with the text, the newest first.
func (tx *Tx) PlansHashed(tenant, prefix string) ([]Plan, error) {
	return query[Plan](tx, "SELECT "+planColumns+" FROM plan WHERE tenant = ? AND hash <> '' AND substr(hash, 1, ?) = ? ORDER BY id DESC LIMIT 2", tenant, len(prefix), prefix)
}

// Plans returns up to limit plans, the newest first; in a state where that is not empty.
func (tx *Tx) Plans(tenant, state string, limit int) ([]Plan, error) {
	w := filter{text: "tenant = ?", args: []any{tenant}}
	w.and("state = ?", state)
	return query[Plan](tx, "SELECT "+planColumns+" FROM plan WHERE "+w.text+" ORDER BY id DESC LIMIT ?", append(w.args, limit)...)
}

// OpenPlans returns the plans of a tenant that are not sealed.
func (tx *Tx) OpenPlans(tenant string) ([]Plan, error) {
	return query[Plan](tx, "SELECT "+planColumns+" FROM plan WHERE tenant = ? AND state = 'open' ORDER BY id", tenant)
}

// UndecidedPlan returns the latest plan of a cause that waits for a decision, a sealed one before an open one, or [ErrNone].
func (tx *Tx) UndecidedPlan(tenant, cause string) (Plan, error) {
	return one[Plan](tx, "SELECT "+planColumns+` FROM plan WHERE tenant = ? AND state IN ('open','sealed') AND cause = ?
		ORDER BY state DESC, id DESC LIMIT 1`, tenant, cause)
}

// A PlanItem is a job of a plan.
type PlanItem struct {
	Tenant string
	Plan   int64
	Job    int64
	Hash   []byte // SHA-256 of what the job does, for whom
}

func (i *PlanItem) fields() []any { return []any{&i.Tenant, &i.Plan, &i.Job, &i.Hash} }

// AddPlanItems adds jobs to plans.
func (tx *Tx) AddPlanItems(rows []PlanItem) error {
	return insert(tx, "plan_item", "tenant, plan, job, hash", "ON CONFLICT (tenant, plan, job) DO NOTHING", rows)
}

// KeepPlanItems takes out of a plan what is not held any more, and returns the hashes of the rest in ascending order.
func (tx *Tx) KeepPlanItems(tenant string, plan int64) ([][]byte, error) {
	if _, err := tx.exec(`DELETE FROM plan_item WHERE tenant = ? AND plan = ?
		AND NOT EXISTS (SELECT 1 FROM job j WHERE j.tenant = plan_item.tenant AND j.id = plan_item.job AND j.state = 'held')`, tenant, plan); err != nil {
		return nil, err
	}
	return column[[]byte](tx, "SELECT hash FROM plan_item WHERE tenant = ? AND plan = ? ORDER BY hash", tenant, plan)
}

// PlanItems returns up to limit jobs of a plan, also those that have ended, with work and reasons, with ids above after, in the order of ids.
func (tx *Tx) PlanItems(tenant string, plan, after int64, limit int) ([]Job, error) {
	return query[Job](tx, selectJob+` WHERE tenant = ? AND id IN (SELECT i.job FROM plan_item i WHERE i.tenant = ? AND i.plan = ? AND i.job > ?)
		ORDER BY id LIMIT ?`, tenant, tenant, plan, after, limit)
}

// A PlanCount is how many jobs of a plan are of a class in a system, and in which state.
type PlanCount struct {
	System, Class, State, Outcome string
	N                             int64
}

func (c *PlanCount) fields() []any { return []any{&c.System, &c.Class, &c.State, &c.Outcome, &c.N} }

// PlanCounts counts the jobs of a plan.
func (tx *Tx) PlanCounts(tenant string, plan int64) ([]PlanCount, error) {
	return query[PlanCount](tx, `SELECT system, class, state, outcome, count(*) FROM job WHERE tenant = ?
		AND id IN (SELECT i.job FROM plan_item i WHERE i.tenant = ? AND i.plan = ?) GROUP BY system, class, state, outcome ORDER BY system, class, state, outcome`, tenant, tenant, plan)
}

// PlansOf returns the undecided plans that the jobs belong to.
func (tx *Tx) PlansOf(tenant string, jobs []int64) ([]Plan, error) {
	return query[Plan](tx, "SELECT "+planColumns+` FROM plan WHERE tenant = ? AND state IN ('open','sealed')
		AND id IN (SELECT i.plan FROM plan_item i WHERE i.tenant = ? AND i.job IN (SELECT value FROM json_each(?))) ORDER BY id`, tenant, tenant, list(jobs))
}

// Outcomes of jobs that somebody made by hand, until they end: of one that undoes
// another, and of one that sets a new password. The rules know nothing of them.
const (
	JobUndo  = "undo"
	JobAsked = "asked for"
)

// Manual tells whether a job that has not ended was made by hand.
func (j Job) Manual() bool { return j.Outcome == JobUndo || j.Outcome == JobAsked }

// FoundLocked is the outcome of a create that was done because the account was
// there already, and is disabled.
const FoundLocked = "DONE, FOUND DISABLED"

// ReleaseJobs stores what held jobs become when they are let go: state, after, fence and not-after of each. mark
// is the outcome of those made by hand, else "".
func (tx *Tx) ReleaseJobs(rows []Job, mark string) error {
	tx.raise(&tx.store.Jobs)
	key := "id"
	if tx.store.Shared() {
		key = "tenant, id"
	}
	for i := range rows {
		rows[i].Outcome = mark
	}
	err := insertFields(tx, "job", jobRow, "ON CONFLICT ("+key+`) DO UPDATE SET state = excluded.state, after = excluded.after, fence = excluded.fence,
		not_after = excluded.not_after, fault = '', outcome = excluded.outcome WHERE job.state = 'held'`, rows, (*Job).row)
	if err != nil || tx.store.Shared() || len(rows) == 0 {
		return err
	}
	_, err = tx.exec("UPDATE sqlite_sequence SET seq = CASE WHEN seq < ? THEN ? ELSE seq END WHERE name = 'job'", rows[len(rows)-1].Fence, rows[len(rows)-1].Fence)
	return err
}

// A Preview is a person of whom nothing is done before somebody has seen it.
type Preview struct {
	Tenant string
	Person string
	Cause  string  // as that of a plan
	Lapses Instant // none: not by itself
}

const previewColumns = "tenant, person, cause, lapses"

func (p *Preview) fields() []any { return []any{&p.Tenant, &p.Person, &p.Cause, &p.Lapses} }

// PutPreviews has nothing done of people before somebody has seen it; each replaces what was said of its person.
func (tx *Tx) PutPreviews(rows []Preview) error {
	return insert(tx, "preview", previewColumns, "ON CONFLICT (tenant, person) DO UPDATE SET cause = excluded.cause, lapses = excluded.lapses", rows)
}

// Previews returns what is said of the people.
func (tx *Tx) Previews(tenant string, people []string) ([]Preview, error) {
	return query[Preview](tx, "SELECT "+previewColumns+" FROM preview WHERE tenant = ? AND person IN (SELECT value FROM json_each(?))", tenant, list(people))
}

// RemovePreviews has people planned as ever again.
func (tx *Tx) RemovePreviews(tenant string, people []string) error {
	if len(people) == 0 {
		return nil
	}
	_, err := tx.exec("DELETE FROM preview WHERE tenant = ? AND person IN (SELECT value FROM json_each(?))", tenant, list(people))
	return err
}

// PreviewCycle has the people whom a cycle tells of planned as a preview.
func (tx *Tx) PreviewCycle(tenant string, cycle int64) error {
	_, err := tx.exec("INSERT INTO preview_cycle (tenant, cycle) VALUES (?, ?) ON CONFLICT (tenant, cycle) DO NOTHING", tenant, cycle)
	return err
}

// IsPreview tells whether the people whom a cycle tells of are planned as a preview.
func (tx *Tx) IsPreview(tenant string, cycle int64) (bool, error) {
	n, err := value[int64](tx, "SELECT count(*) FROM preview_cycle WHERE tenant = ? AND cycle = ?", tenant, cycle)
	return n > 0, err
}

// A SystemMode is whether a system is written to at once, where somebody said otherwise than its document.
type SystemMode struct {
	Tenant string
	System string
	Mode   string // apply, preview
	At     Instant
	Who    string
}

const modeColumns = "tenant, system, mode, at, who"

func (m *SystemMode) fields() []any { return []any{&m.Tenant, &m.System, &m.Mode, &m.At, &m.Who} }

// PutSystemMode says how a system is written to; an empty mode leaves it to the document.
func (tx *Tx) PutSystemMode(m SystemMode) error {
	if m.Mode == "" {
		_, err := tx.exec("DELETE FROM system_mode WHERE tenant = ? AND system = ?", m.Tenant, m.System)
		return err
	}
	return insert(tx, "system_mode", modeColumns, "ON CONFLICT (tenant, system) DO UPDATE SET mode = excluded.mode, at = excluded.at, who = excluded.who", []SystemMode{m})
}

// SystemModes returns what was said of a tenant's systems.
func (tx *Tx) SystemModes(tenant string) ([]SystemMode, error) {
	return query[SystemMode](tx, "SELECT "+modeColumns+" FROM system_mode WHERE tenant = ? ORDER BY system", tenant)
}

// TenantsWithOpenPlans returns the tenants that have a plan that is not sealed.
func (tx *Tx) TenantsWithOpenPlans() ([]string, error) {
	return column[string](tx, "SELECT DISTINCT tenant FROM plan WHERE state = 'open' AND tenant <> '' ORDER BY tenant")
}

// SetFoundLocked notes of creates that have ended that they found an account which is disabled.
func (tx *Tx) SetFoundLocked(ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.exec("UPDATE job SET outcome = ? WHERE id IN (SELECT value FROM json_each(?))", FoundLocked, list(ids))
	return err
}
