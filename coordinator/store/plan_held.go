package store

import "slices"

// HoldJobs holds those of the jobs that have not been sent, and returns how many
// that were. What followed a job in its chain goes on without it: only the class
// that is held waits.
func (tx *Tx) HoldJobs(ids []int64, fault string) (int, error) {
	n, err := tx.exec("UPDATE job SET state = 'held', fault = ?, counts = 0 WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('queued','waiting')", fault, list(ids))
	if err != nil || n == 0 {
		return n, err
	}
	for bridged := 1; bridged > 0; { // once for each held job in a row
		if bridged, err = tx.exec(`UPDATE job SET after = (SELECT h.after FROM job h WHERE h.id = job.after) WHERE state = 'waiting'
			AND after IN (SELECT h.id FROM job h WHERE h.id IN (SELECT value FROM json_each(?)) AND h.state = 'held'
			AND h.class NOT IN ('disable','delete'))`, list(ids)); err != nil {
			return n, err
		}
	}
	_, err = tx.exec(`UPDATE job SET state = 'queued' WHERE state = 'waiting'
		AND person <> '' AND (tenant, person, system, object) IN (SELECT tenant, person, system, object FROM job h WHERE h.id IN (SELECT value FROM json_each(?)))
		AND NOT EXISTS (SELECT 1 FROM job p WHERE p.id = job.after AND p.ended = 0)`, list(ids))
	return n, err
}

// HeldFilter says which held jobs are meant: those that match every field set. Those of previews are meant only where Jobs names them.
type HeldFilter struct {
	System string
	Class  string
	Jobs   []int64
}

func (f HeldFilter) where(tenant string) (string, []any) {
	w := filter{text: "tenant = ? AND state = 'held' AND ended = 0", args: []any{tenant}}
	w.and("system = ?", f.System)
	w.and("class = ?", f.Class)
	if len(f.Jobs) == 0 {
		w.text += " AND outcome = ''" // those of previews wait for the decision on their plan
	} else {
		w.text += " AND id IN (SELECT value FROM json_each(?))"
		w.args = append(w.args, list(f.Jobs))
	}
	return w.text, w.args
}

// HeldJobs returns up to limit held jobs, in the order of ids.
func (tx *Tx) HeldJobs(tenant string, f HeldFilter, limit int) ([]Job, error) {
	where, args := f.where(tenant)
	return query[Job](tx, selectJob+" WHERE "+where+" ORDER BY id LIMIT ?", append(args, limit)...)
}

// ApproveJobs lets held jobs go: at once, or after what else is still to be
// done to their objects.
func (tx *Tx) ApproveJobs(ids []int64, notAfter map[int64]Instant) error {
	tx.raise(&tx.store.Jobs)
	for id, until := range notAfter { // what was held for days must not be stale the moment it is let go
		if _, err := tx.exec("UPDATE job SET not_after = ? WHERE id = ? AND state = 'held'", until, id); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(slices.Values(ids)) { // one by one: each becomes the end of its object's chain
		chain, err := tx.chainOf(id)
		if err != nil {
			return err
		}
		_, err = tx.exec(`UPDATE job SET fault = '', since = 0, (after, state) = (SELECT coalesce(max(p.id), 0), CASE WHEN max(p.id) IS NULL THEN 'queued' ELSE 'waiting' END
			FROM job p WHERE p.tenant = job.tenant AND p.person <> '' AND p.person = job.person
			AND p.system = job.system AND p.object = job.object AND p.state IN ('queued','waiting','sent') AND p.priority <> 40
			AND p.id NOT IN (SELECT value FROM json_each(?))
			AND NOT EXISTS (SELECT 1 FROM job q WHERE q.after = p.id AND q.after <> 0 AND q.state = 'waiting'))
			WHERE id = ? AND state = 'held'`, list(chain), id) // after none of those that wait for it
		if err != nil {
			return err
		}
		if err := tx.raiseFences(chain); err != nil {
			return err
		}
	}
	return nil
}

// chainOf returns a job and those that follow it in its chain.
func (tx *Tx) chainOf(id int64) ([]int64, error) {
	return column[int64](tx, `WITH RECURSIVE follow(id) AS (SELECT CAST(? AS BIGINT) UNION SELECT j.id FROM job j JOIN follow f ON j.after = f.id AND j.after <> 0 WHERE j.state = 'waiting')
		SELECT id FROM follow ORDER BY id`, id)
}

// raiseFences gives the jobs of a chain fences above that of every job there
// is, because some of these have passed them by.
func (tx *Tx) raiseFences(chain []int64) error {
	fence, err := tx.ReserveJobs(len(chain))
	if err != nil {
		return err
	}
	for i, id := range chain {
		if _, err := tx.exec("UPDATE job SET fence = ? WHERE id = ?", fence+int64(i), id); err != nil {
			return err
		}
	}
	if tx.store.Shared() {
		return nil
	}
	_, err = tx.exec("UPDATE sqlite_sequence SET seq = ? WHERE name = 'job'", fence+int64(len(chain))-1)
	return err
}

// A HeldClass is what is held of a class in a system.
type HeldClass struct {
	System string
	Class  string
	Count  int64
	Since  Instant
	Fault  string // connectorv1.Fault, JSON: of the first
}

func (h *HeldClass) fields() []any { return []any{&h.System, &h.Class, &h.Count, &h.Since, &h.Fault} }

// HeldClasses returns what is held by system and class, previews left out.
func (tx *Tx) HeldClasses(tenant string) ([]HeldClass, error) {
	return query[HeldClass](tx, `SELECT system, class, count(*), min(made), max(fault) FROM job
		WHERE tenant = ? AND state = 'held' AND ended = 0 AND outcome = '' GROUP BY system, class ORDER BY system, class`, tenant)
}

// A TakingJob is what thresholds count of a job.
type TakingJob struct {
	ID     int64
	Tenant string
	System string
	Class  string
	Made   Instant
}

func (t *TakingJob) fields() []any { return []any{&t.ID, &t.Tenant, &t.System, &t.Class, &t.Made} }

// TakingJobs returns the jobs made since an instant that count against a
// threshold and are not held or dropped, in the order of ids: the latest of at most limit.
func (tx *Tx) TakingJobs(since Instant, limit int) ([]TakingJob, error) {
	if tx.store.Shared() { // there is an index for it: every step asks
		return query[TakingJob](tx, `SELECT id, tenant, system, class, made FROM job WHERE made >= ? AND counts <> 0
			AND state IN ('queued','waiting','sent','done','failed') ORDER BY id LIMIT ?`, since, limit)
	}
	return query[TakingJob](tx, `SELECT id, tenant, system, class, made FROM (SELECT id, tenant, system, class, made, state, counts FROM job ORDER BY id DESC LIMIT ?) AS latest
		WHERE made >= ? AND counts <> 0 AND state IN ('queued','waiting','sent','done','failed') ORDER BY id`, limit, since)
}

// CountHeld returns how many jobs of a class in a system are held, those of previews left out.
func (tx *Tx) CountHeld(tenant, system, class string) (int, error) {
	return value[int](tx, "SELECT count(*) FROM job WHERE tenant = ? AND system = ? AND class = ? AND state = 'held' AND ended = 0 AND outcome = ''", tenant, system, class)
}

// SetOutcome sets what is said of jobs that were dropped.
func (tx *Tx) SetOutcome(ids []int64, outcome string) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.exec("UPDATE job SET outcome = ? WHERE id IN (SELECT value FROM json_each(?)) AND state = 'dropped'", outcome, list(ids))
	return err
}
