package store

import (
	"encoding/json"
	"slices"
	"strings"
)

// A filter is a WHERE clause that grows.
type filter struct {
	text string
	args []any
}

// and adds a condition on a value, unless that is empty.
func (f *filter) and(condition, value string) {
	if value != "" {
		f.text += " AND " + condition
		f.args = append(f.args, value)
	}
}

// JobFilter says which jobs are wanted: those that match every field set.
type JobFilter struct {
	System string
	State  string // or "open" for all that have not ended
	Class  string
	Person string // id
	Cycle  int64  // that they were planned out of
	Before int64  // ids below it

	from int64 // ids not below it
}

// window is through how many rows a page is looked for at most, where no index leads to what is wanted.
const window = 50_000

// PageJobs is ListJobs that looks through a bounded number of jobs: there may be
// more, though fewer than limit are returned, where next, to be Before of the
// next page, is not 0.
func (tx *Tx) PageJobs(tenant string, f JobFilter, limit int) (rows []Job, next int64, err error) {
	from := int64(0)
	if f.Person == "" && f.State != "held" && f.State != "open" {
		if from, err = tx.lowest("job", "id", tenant, f.Before); err != nil {
			return nil, 0, err
		}
	}
	f.from = from
	if rows, err = tx.ListJobs(tenant, f, limit); len(rows) == limit && err == nil {
		return rows, rows[limit-1].ID, nil
	}
	return rows, from, err
}

// lowest returns the lowest number of the next window of rows of a table below a number; 0 where these are the last ones.
func (tx *Tx) lowest(table, column, tenant string, before int64) (int64, error) {
	w := filter{text: "tenant = ?", args: []any{tenant}}
	if before > 0 {
		w.text += " AND " + column + " < ?"
		w.args = append(w.args, before)
	}
	return value[int64](tx, "SELECT "+column+" FROM "+table+" WHERE "+w.text+" ORDER BY "+column+" DESC LIMIT 1 OFFSET ?", append(w.args, window-1)...)
}

// ListJobs returns up to limit jobs, the newest first.
func (tx *Tx) ListJobs(tenant string, f JobFilter, limit int) ([]Job, error) {
	w := filter{text: "tenant = ?", args: []any{tenant}}
	w.and("system = ?", f.System)
	if f.State == "open" {
		w.text += " AND ended = 0"
	} else {
		w.and("state = ?", f.State)
	}
	w.and("class = ?", f.Class)
	if err := tx.andPerson(&w, tenant, f.Person); err != nil {
		return nil, err
	}
	if f.Cycle > 0 {
		w.text += " AND cycle = ? AND id >= cycle" // what is planned out of a cycle is younger than its read
		w.args = append(w.args, f.Cycle)
	}
	if f.Before > 0 {
		w.text += " AND id < ?"
		w.args = append(w.args, f.Before)
	}
	if f.from > 0 {
		w.text += " AND id >= ?"
		w.args = append(w.args, f.from)
	}
	return query[Job](tx, selectJob+" WHERE "+w.text+" ORDER BY id DESC LIMIT ?", append(w.args, limit)...)
}

// LogFilter says which entries of the log are wanted: those that match every field set.
type LogFilter struct {
	System string
	Kind   string
	Person string // id
	Job    int64
	Text   string  // part of the text, in whatever case
	Since  Instant // not before it
	Until  Instant // before it; none: whatever is later
	Before int64   // numbers below it

	from int64 // numbers not below it
}

// PageHistory is ListHistory as PageJobs is ListJobs.
func (tx *Tx) PageHistory(tenant string, f LogFilter, limit int) (rows []History, next int64, err error) {
	from := int64(0)
	if f.Person == "" && (f.Kind == "" || slices.Contains(frequent, f.Kind)) || f.Text != "" {
		if from, err = tx.lowest("history", "seq", tenant, f.Before); err != nil {
			return nil, 0, err
		}
	}
	f.from = from
	if rows, err = tx.ListHistory(tenant, f, limit); len(rows) == limit && err == nil {
		return rows, rows[limit-1].Seq, nil
	}
	return rows, from, err
}

// frequent are the kinds of entries that history_rare has no place for.
var frequent = []string{"source-changed", "planned", "written"}

// ListHistory returns up to limit entries, the newest first, without their bodies.
func (tx *Tx) ListHistory(tenant string, f LogFilter, limit int) ([]History, error) {
	w := filter{text: "tenant = ?", args: []any{tenant}}
	w.and("system = ?", f.System)
	w.and("kind = ?", f.Kind)
	if f.Kind != "" && !slices.Contains(frequent, f.Kind) { // else the latest ones are found soon from the end
		w.text += " AND kind NOT IN ('" + strings.Join(frequent, "','") + "')"
	}
	if err := tx.andPerson(&w, tenant, f.Person); err != nil {
		return nil, err
	}
	if f.Text != "" {
		w.and("instr(lower(text), lower(?)) > 0", f.Text)
	}
	for _, bound := range []struct {
		condition string
		n         int64
	}{{" AND job = ?", f.Job}, {" AND at >= ?", int64(f.Since)}, {" AND at < ?", int64(f.Until)}, {" AND seq < ?", f.Before}, {" AND seq >= ?", f.from}} {
		if bound.n > 0 {
			w.text += bound.condition
			w.args = append(w.args, bound.n)
		}
	}
	return query[History](tx, "SELECT seq, tenant, at, kind, system, person, account, job, text, NULL FROM history WHERE "+w.text+
		" ORDER BY seq DESC LIMIT ?", append(w.args, limit)...)
}

// LastHistory returns the number of the latest entry of the log; 0 when there is none.
func (tx *Tx) LastHistory() (int64, error) {
	return value[int64](tx, "SELECT coalesce(max(seq), 0) FROM history")
}

// PeopleFrom returns up to limit people, no groups, in the order of keys, those after the given key.
func (tx *Tx) PeopleFrom(tenant, after string, limit int) ([]Person, error) {
	return query[Person](tx, "SELECT "+personColumns+" FROM person WHERE tenant = ? AND key > ? AND kind = '' ORDER BY key LIMIT ?", tenant, after, limit)
}

// CycleFilter says which cycles are wanted: those that match every field set.
type CycleFilter struct {
	System string
	State  string
	Before int64 // ids below it
}

// ListCycles returns up to limit cycles, the newest first.
func (tx *Tx) ListCycles(tenant string, f CycleFilter, limit int) ([]Cycle, error) {
	w := filter{text: "tenant = ?", args: []any{tenant}}
	w.and("system = ?", f.System)
	w.and("state = ?", f.State)
	if f.Before > 0 {
		w.text += " AND id < ?"
		w.args = append(w.args, f.Before)
	}
	return query[Cycle](tx, "SELECT "+cycleColumns+" FROM cycle WHERE "+w.text+" ORDER BY id DESC LIMIT ?", append(w.args, limit)...)
}

// A Count is how many there are of something.
type Count struct {
	Name string
	N    int64
}

func (c *Count) fields() []any { return []any{&c.Name, &c.N} }

// AccountCounts returns how many accounts exist in each system.
func (tx *Tx) AccountCounts(tenant string) ([]Count, error) {
	return query[Count](tx, `SELECT system, CAST(sum(n) AS BIGINT) FROM (
		SELECT system, count(*) AS n FROM account WHERE tenant = ? GROUP BY system
		UNION ALL SELECT system, -count(*) FROM account WHERE tenant = ? AND gone <> 0 GROUP BY system) AS counts GROUP BY system`, tenant, tenant)
}

// OpenJobCounts returns how many jobs that have not ended are in each state;
// those that agents hold for an instant ahead are "placed".
func (tx *Tx) OpenJobCounts(tenant string) ([]Count, error) {
	return query[Count](tx, `SELECT CASE WHEN priority = 40 AND state IN ('sent','rescinding') THEN 'placed' ELSE state END, count(*)
		FROM job WHERE tenant = ? AND ended = 0 GROUP BY 1`, tenant)
}

// WaitingJobs returns how many of a system's jobs wait for an agent of its site or are with one, most at most. What
// agents hold for an instant ahead is none of them.
func (tx *Tx) WaitingJobs(tenant, site, system string, most int) (int64, error) {
	return value[int64](tx, `SELECT count(*) FROM (SELECT 1 FROM job WHERE tenant = ? AND ended = 0 AND state IN ('queued','waiting','sent')
		AND site = ? AND system = ? AND priority <> 40 LIMIT ?) AS of_it`, tenant, site, system, most)
}

// CountProblems returns how many problems there are.
func (tx *Tx) CountProblems(tenant string) (int64, error) {
	return value[int64](tx, "SELECT count(*) FROM problem WHERE tenant = ?", tenant)
}

// CountAlarms returns how many alarms are ahead.
func (tx *Tx) CountAlarms(tenant string) (int64, error) {
	return value[int64](tx, "SELECT count(*) FROM alarm WHERE tenant = ?", tenant)
}

// DueOf returns why a person is due, or [ErrNone].
func (tx *Tx) DueOf(tenant, person string) (Due, error) {
	return one[Due](tx, "SELECT "+dueColumns+" FROM due WHERE tenant = ? AND person = ?", tenant, person)
}

// WaitsOf returns for whose accounts a person waits.
func (tx *Tx) WaitsOf(tenant, person string) ([]Waiting, error) {
	return query[Waiting](tx, "SELECT "+waitingColumns+" FROM waiting WHERE tenant = ? AND person = ? ORDER BY system, key", tenant, person)
}

// JobsOfPerson returns a person's applied and open jobs of every system with work and reasons, the newest first.
func (tx *Tx) JobsOfPerson(tenant, person string, limit int) ([]Job, error) {
	return query[Job](tx, selectJob+` WHERE tenant = ? AND person <> '' AND person = ?
		ORDER BY id DESC LIMIT ?`, tenant, person, limit)
}

// WrittenServers returns the server that each of a person's done jobs wrote to, as its history tells.
func (tx *Tx) WrittenServers(tenant, person string) (map[int64]string, error) {
	type entry struct {
		job  int64
		body []byte
	}
	ids, err := tx.underIDs(tenant, person)
	if err != nil {
		return nil, err
	}
	entries, err := queryAny(tx, func(scan scan, e *entry) error { return scan(&e.job, &e.body) },
		"SELECT job, body FROM history WHERE tenant = ? AND "+ofPerson+" AND job <> 0 AND body IS NOT NULL ORDER BY seq", tenant, ids)
	out := map[int64]string{}
	for _, e := range entries {
		var told struct{ Server string }
		if json.Unmarshal(e.body, &told) == nil && told.Server != "" { // bodies of other kinds say nothing of a server
			out[e.job] = told.Server
		}
	}
	return out, err
}

// RemoveRejected forgets the problems of a kind that match, empty fields matching all, and returns of which people they were.
func (tx *Tx) RemoveRejected(tenant, system, person string) ([]string, error) {
	w := filter{text: "tenant = ? AND kind = 'rejected'", args: []any{tenant}}
	w.and("system = ?", system)
	w.and("person = ?", person)
	return column[string](tx, "DELETE FROM problem WHERE "+w.text+" RETURNING person", w.args...)
}

// RetryNow makes the problems that match tried again now, empty fields matching all, and returns how many.
func (tx *Tx) RetryNow(tenant, system, person string) (int, error) {
	w := filter{text: "tenant = ?", args: []any{tenant}}
	w.and("system = ?", system)
	w.and("person = ?", person)
	people, err := column[string](tx, "UPDATE problem SET retry = 0 WHERE "+w.text+" RETURNING person", w.args...)
	if err != nil {
		return 0, err
	}
	return len(people), tx.MarkDue(tenant, tx.Now, "tried again by hand", people)
}
