package store

import (
	"fmt"
	"strings"
)

// Kinds of what is removed when its time is over.
const (
	RetireJobs       = "jobs"
	RetireAnswers    = "answers"
	RetireHistory    = "history"
	RetireCycles     = "cycles"
	RetirePlans      = "plans"
	RetireDeliveries = "deliveries"
	RetireAudit      = "audit"
)

// An aged is a row that may be removed: its number, when it was made, and whether nothing needs it any more.
type aged struct {
	id   int64
	at   Instant
	over bool
}

func (a *aged) fields() []any { return []any{&a.id, &a.at, &a.over} }

// ages gives, of the kinds whose rows have a number that rises with time, the next ones behind a number, in order.
//
// Not over, however old, are: a job that has not ended, or was rejected, which is why it is not planned again; a cycle
// that waits for a decision, and the last one, and the last that was believed, of each system; a plan that is undecided.
var ages = map[string]string{
	RetireJobs: `SELECT id, made, CASE WHEN ended <> 0 AND NOT (state = 'dropped' AND outcome = 'rejected') THEN 1 ELSE 0 END
		FROM job WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?`,
	RetireAnswers: `SELECT a.id, j.made, 1 FROM job_answer a JOIN job j ON j.id = a.id WHERE j.tenant = ? AND a.id > ? ORDER BY a.id LIMIT ?`,
	RetireHistory: `SELECT seq, at, 1 FROM history WHERE tenant = ? AND seq > ? ORDER BY seq LIMIT ?`,
	RetireCycles: `SELECT id, began, CASE WHEN ended <> 0 AND state <> 'held' AND id < (SELECT max(c.id) FROM cycle c
		WHERE c.tenant = cycle.tenant AND c.system = cycle.system AND c.state = 'applied') THEN 1 ELSE 0 END
		FROM cycle WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?`,
	RetirePlans: `SELECT id, made, CASE WHEN state IN ('open', 'sealed') THEN 0 ELSE 1 END FROM plan WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?`,
	RetireAudit: `SELECT seq, at, 1 FROM audit WHERE tenant = ? AND seq > ? ORDER BY seq LIMIT ?`,
}

// removals are the statements that remove rows of a kind by tenant and numbers, what hangs on them first. In the embedded
// database what a job is made of has no tenant.
var removals = map[string][]string{
	RetireJobs:    {"DELETE FROM job_answer WHERE tenant = ? AND id IN", "DELETE FROM job_work WHERE tenant = ? AND id IN", "DELETE FROM plan_item WHERE tenant = ? AND job IN", "DELETE FROM job WHERE tenant = ? AND id IN"},
	RetireAnswers: {"DELETE FROM job_answer WHERE tenant = ? AND id IN"},
	RetireHistory: {"DELETE FROM history WHERE tenant = ? AND seq IN"},
	RetireCycles:  {"DELETE FROM tally WHERE tenant = ? AND width = 0 AND at IN", "DELETE FROM preview_cycle WHERE tenant = ? AND cycle IN", "DELETE FROM image WHERE tenant = ? AND cycle IN", "DELETE FROM cycle WHERE tenant = ? AND id IN"},
	RetirePlans:   {"DELETE FROM plan_item WHERE tenant = ? AND plan IN", "DELETE FROM plan WHERE tenant = ? AND id IN"},
	RetireAudit:   {"DELETE FROM audit WHERE tenant = ? AND seq IN"},
}

// Retire removes up to limit rows of a kind that were made before an instant and
// that nothing needs any more, of those behind a number; the first time that is
// 0. It returns how many it removed, and the number to go on from, 0 once there
// are no more. Of deliveries it knows no number: there are no more once it removes fewer than limit.
func (tx *Tx) Retire(tenant, kind string, before Instant, behind int64, limit int) (n int, next int64, err error) {
	if kind == RetireDeliveries {
		n, err = tx.retireDeliveries(tenant, before, limit)
		return n, int64(n / limit), err
	}
	rows, err := query[aged](tx, tx.joined(ages[kind]), tenant, behind, limit)
	if err != nil {
		return 0, 0, err
	}
	if len(rows) == limit {
		next = rows[limit-1].id
	}
	var ids []int64
	for _, r := range rows {
		if r.at >= before { // whatever follows is younger
			next = 0
			break
		}
		if r.over {
			ids = append(ids, r.id)
		}
	}
	if len(ids) == 0 {
		return 0, next, nil
	}
	if kind == RetireAudit {
		_, err = tx.exec("INSERT INTO audit_end (tenant, before) VALUES (?, ?) ON CONFLICT (tenant) DO UPDATE SET before = excluded.before", tenant, before)
	}
	for _, statement := range removals[kind] {
		if err == nil {
			err = tx.remove(statement, tenant, ids)
		}
	}
	return len(ids), next, err
}

// joined has answers joined to jobs as the store keeps them: a shared one by tenant, too.
func (tx *Tx) joined(statement string) string {
	if !tx.Shared() {
		return statement
	}
	return strings.Replace(statement, "ON j.id = a.id", "ON j.tenant = a.tenant AND j.id = a.id", 1)
}

func (tx *Tx) remove(statement, tenant string, ids []int64) error {
	args := []any{tenant, list(ids)}
	if bare := strings.HasPrefix(statement, "DELETE FROM job_"); bare && !tx.Shared() {
		statement, args = strings.Replace(statement, "tenant = ? AND ", "", 1), args[1:]
	}
	_, err := tx.exec(statement+" (SELECT value FROM json_each(?))", args...)
	return err
}

func (tx *Tx) retireDeliveries(tenant string, before Instant, limit int) (int, error) {
	rows, err := query[Notice](tx, "SELECT "+noticeColumns+" FROM notice WHERE tenant = ? AND next = 0 AND made < ? LIMIT ?", tenant, before, limit)
	for _, n := range rows {
		if err == nil {
			_, err = tx.exec("DELETE FROM notice WHERE tenant = ? AND receiver = ? AND made = ? AND id = ?", n.Tenant, n.Receiver, n.Made, n.ID)
		}
	}
	return len(rows), err
}

// CountRetired notes that it was looked for rows of a kind that are over, and how many more were removed.
func (tx *Tx) CountRetired(tenant, kind string, n int) error {
	_, err := tx.exec("INSERT INTO retired (tenant, name, n, at) VALUES (?, ?, ?, ?) ON CONFLICT (tenant, name) DO UPDATE SET n = retired.n + excluded.n, at = excluded.at",
		tenant, kind, n, tx.Now)
	return err
}

// A Retired tells what was removed of a kind because its time was over.
type Retired struct {
	Name string
	N    int64
	At   Instant // when it was last looked
}

func (r *Retired) fields() []any { return []any{&r.Name, &r.N, &r.At} }

// Retired returns what was removed of a tenant because its time was over.
func (tx *Tx) Retired(tenant string) ([]Retired, error) {
	return query[Retired](tx, "SELECT name, n, at FROM retired WHERE tenant = ? ORDER BY name", tenant)
}

// oldest are where the first row of a kind is found; for those of jobs and history that is the lowest number's.
var oldest = map[string]string{
	RetireJobs: "SELECT made FROM job WHERE tenant = ? ORDER BY id LIMIT 1", RetireHistory: "SELECT at FROM history WHERE tenant = ? ORDER BY seq LIMIT 1",
	RetireAudit: "SELECT at FROM audit WHERE tenant = ? ORDER BY seq LIMIT 1", RetireCycles: "SELECT began FROM cycle WHERE tenant = ? ORDER BY id LIMIT 1",
	RetirePlans: "SELECT made FROM plan WHERE tenant = ? ORDER BY id LIMIT 1", RetireDeliveries: "SELECT coalesce(min(made), 0) FROM notice WHERE tenant = ?",
	RetireAnswers: "SELECT j.made FROM job_answer a JOIN job j ON j.id = a.id WHERE j.tenant = ? ORDER BY a.id LIMIT 1",
}

// Oldest returns when the first that is there of a kind was made; none where there is none.
func (tx *Tx) Oldest(tenant, kind string) (Instant, error) {
	statement, ok := oldest[kind]
	if !ok {
		return 0, fmt.Errorf("nothing is known of the age of %s", kind)
	}
	return value[Instant](tx, tx.joined(statement), tenant)
}
