package store

// A Problem stops a person's account from being as wanted. One without a person
// is a problem of the system itself.
type Problem struct {
	Tenant string
	Person string
	System string
	At     Instant
	Kind   string // ambiguous, invalid, denied, taken, expression, missing reference, schema
	Fault  string // connectorv1.Fault, JSON
	Retry  Instant
	Tries  int64
	Job    int64 // of which it is the answer; 0 where nothing was asked of the system
}

const problemColumns = "tenant, person, system, at, kind, fault, retry, tries, job"

func (p *Problem) fields() []any {
	return []any{&p.Tenant, &p.Person, &p.System, &p.At, &p.Kind, &p.Fault, &p.Retry, &p.Tries, &p.Job}
}

// PutProblems stores problems, each replacing that of its person and system.
func (tx *Tx) PutProblems(rows []Problem) error {
	for _, p := range rows {
		tx.touch(p.Tenant, TopicProblems)
	}
	return insert(tx, "problem", problemColumns, `ON CONFLICT (tenant, person, system) DO UPDATE SET at = excluded.at, kind = excluded.kind, fault = excluded.fault,
		retry = excluded.retry, tries = excluded.tries, job = excluded.job`, rows)
}

// ProblemsOf returns the problems of people.
func (tx *Tx) ProblemsOf(tenant string, people []string) ([]Problem, error) {
	return query[Problem](tx, "SELECT "+problemColumns+" FROM problem WHERE tenant = ? AND person IN (SELECT value FROM json_each(?))", tenant, list(people))
}

// Problems returns up to limit problems, the newest first.
func (tx *Tx) Problems(tenant string, limit int) ([]Problem, error) {
	return query[Problem](tx, "SELECT "+problemColumns+" FROM problem WHERE tenant = ? ORDER BY at DESC LIMIT ?", tenant, limit)
}

// RemoveProblems removes the problems that people have in a system.
func (tx *Tx) RemoveProblems(tenant, system string, people []string) error {
	tx.touch(tenant, TopicProblems)
	_, err := tx.exec("DELETE FROM problem WHERE tenant = ? AND system = ? AND person IN (SELECT value FROM json_each(?))", tenant, system, list(people))
	return err
}

// RetryProblems makes the people due whose problems are to be tried again by now, and returns how many.
func (tx *Tx) RetryProblems() (int, error) {
	n, err := tx.exec(`INSERT INTO due (tenant, person, at, why) SELECT tenant, person, ?, 'tried again: ' || kind FROM problem
		WHERE retry <> 0 AND retry <= ? AND person <> '' ON CONFLICT DO NOTHING`, tx.Now, tx.Now)
	if err != nil || n == 0 {
		return n, err
	}
	tx.raise(&tx.store.Due)
	_, err = tx.exec("UPDATE problem SET retry = 0 WHERE retry <> 0 AND retry <= ?", tx.Now)
	return n, err
}

// MarkProblemsDue makes the people due who have a problem of a kind in a system.
func (tx *Tx) MarkProblemsDue(tenant, system, kind, why string) error {
	people, err := column[string](tx, "SELECT person FROM problem WHERE tenant = ? AND system = ? AND kind = ? AND person <> ''", tenant, system, kind)
	if err != nil {
		return err
	}
	return tx.MarkDue(tenant, tx.Now, why, people)
}

// NextRetry returns when the earliest problem is to be tried again, or none.
func (tx *Tx) NextRetry() (Instant, error) {
	return value[Instant](tx, "SELECT coalesce(min(retry), 0) FROM problem WHERE retry <> 0")
}

// MarkKindDue makes the people of a tenant due who have a problem of a kind, in whatever system.
func (tx *Tx) MarkKindDue(tenant, kind, why string) error {
	people, err := column[string](tx, "SELECT person FROM problem WHERE tenant = ? AND kind = ? AND person <> ''", tenant, kind)
	if err != nil {
		return err
	}
	return tx.MarkDue(tenant, tx.Now, why, people)
}
