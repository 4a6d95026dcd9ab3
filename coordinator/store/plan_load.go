package store

// PlanJobs returns what planning must know of people's jobs, with their work,
// in the order of ids: those that have not ended, and those done, or of which
// nobody knows whether they were, that tell whether an account was last let in or
// shut out by us, and into which groups we put it.
func (tx *Tx) PlanJobs(tenant string, people []string) ([]Job, error) {
	return query[Job](tx, selectWork+` WHERE tenant = ? AND person <> ''
		AND person IN (SELECT value FROM json_each(?))
		AND (ended = 0 OR (state = 'done' OR state = 'failed' AND outcome = 'UNKNOWN') AND class IN ('create','enable','disable','membership')) ORDER BY id`,
		tenant, list(people))
}

// PlanAccounts returns the accounts of people in every system, in no order,
// those gone left out, with the objects of those in the given systems only.
func (tx *Tx) PlanAccounts(tenant string, people, systems []string) ([]Account, error) {
	return query[Account](tx, `SELECT tenant, system, id, class, address, match, person,
		CASE WHEN system IN (SELECT value FROM json_each(?)) THEN object ELSE x'' END, changed, gone, missing, seen, mirror FROM account
		WHERE tenant = ? AND person <> '' AND person IN (SELECT value FROM json_each(?)) AND gone = 0`, list(systems), tenant, list(people))
}

// RefusedJobs returns the jobs of people, with their work, that a system will
// not take or that a person rejected, in the order of ids.
func (tx *Tx) RefusedJobs(tenant string, people []string) ([]Job, error) {
	return query[Job](tx, selectJob+` WHERE tenant = ? AND person <> '' AND person IN (SELECT value FROM json_each(?))
		AND (state = 'failed' AND (lower(outcome) LIKE '%invalid' OR lower(outcome) LIKE '%denied')
		OR state = 'dropped' AND outcome = 'rejected') ORDER BY id`, tenant, list(people))
}

// AccountIDs returns the native ids of the accounts of a class that the people
// with the folded keys have in a system, by key.
func (tx *Tx) AccountIDs(tenant, system, class string, keys []string) (map[string]string, error) {
	type pair struct{ key, id string }
	pairs, err := queryAny(tx, func(scan scan, p *pair) error { return scan(&p.key, &p.id) },
		`SELECT p.key, a.id FROM json_each(?) k JOIN person p ON p.tenant = ? AND p.key = k.value
		JOIN account a ON a.tenant = p.tenant AND a.person <> '' AND a.person = p.id
		WHERE a.system = ? AND a.class = ? AND a.gone = 0
		UNION ALL SELECT n.value, a.id FROM json_each(?) k JOIN known n ON n.tenant = ? AND n.path = '' AND n.value = k.value
		JOIN account a ON a.tenant = n.tenant AND a.person <> '' AND a.person = n.person
		WHERE a.system = ? AND a.class = ? AND a.gone = 0 ORDER BY 2 DESC`, list(keys), tenant, system, class, list(keys), tenant, system, class)
	ids := make(map[string]string, len(pairs))
	for _, p := range pairs {
		ids[p.key] = p.id // the lowest id is last
	}
	return ids, err
}

// Groups returns the accounts of a system that are of another class than the given one and not gone.
func (tx *Tx) Groups(tenant, system, notClass string) ([]Account, error) {
	return query[Account](tx, selectAccount+" AND system = ? AND class <> ? AND gone = 0 ORDER BY id", tenant, system, notClass)
}

// CountManaged returns how many accounts of a system are somebody's and not gone.
func (tx *Tx) CountManaged(tenant, system string) (int, error) {
	return value[int](tx, "SELECT count(*) FROM account WHERE tenant = ? AND person <> '' AND system = ? AND gone = 0", tenant, system)
}

// AppliedFilter says which done jobs are meant: one of the fields Job, Cycle and Person is set.
type AppliedFilter struct {
	Job    int64
	Cycle  int64
	Person string
	Since  Instant // with Person: that ended since
}

// AppliedJobs returns up to limit jobs of people that were done, with work and reasons, the newest first.
func (tx *Tx) AppliedJobs(tenant string, f AppliedFilter, limit int) ([]Job, error) {
	w := filter{text: "tenant = ? AND state = 'done' AND person <> '' AND class <> 'find'", args: []any{tenant}}
	switch {
	case f.Job != 0:
		w.text += " AND id = ?"
		w.args = append(w.args, f.Job)
	case f.Cycle != 0: // jobs of a cycle are younger than its read
		w.text += " AND id > ? AND cycle = ?"
		w.args = append(w.args, f.Cycle, f.Cycle)
	default:
		w.text += " AND person = ? AND ended >= ?"
		w.args = append(w.args, f.Person, f.Since)
	}
	return query[Job](tx, selectJob+" WHERE "+w.text+" ORDER BY id DESC LIMIT ?", append(w.args, limit)...)
}

// UnchangedJobs returns which jobs of people found their work done already.
func (tx *Tx) UnchangedJobs(tenant string, people []string) (map[int64]bool, error) {
	ids, err := column[int64](tx, `SELECT job FROM history WHERE tenant = ? AND kind = 'unchanged' AND kind NOT IN ('source-changed','planned','written')
		AND person IN (SELECT value FROM json_each(?))`, tenant, list(people))
	same := make(map[int64]bool, len(ids))
	for _, id := range ids {
		same[id] = true
	}
	return same, err
}
