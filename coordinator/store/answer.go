package store

// An Answer is what came back of a job.
type Answer struct {
	Tenant string
	ID     int64  // of the job
	Answer []byte // linkv1.Result without what is secret, protobuf
}

func (a *Answer) fields() []any { return []any{&a.Tenant, &a.ID, &a.Answer} }

// AddAnswers stores what came back of jobs; one that is there stays.
func (tx *Tx) AddAnswers(rows []Answer) error {
	if tx.Shared() {
		return insert(tx, "job_answer", "tenant, id, answer", "ON CONFLICT DO NOTHING", rows)
	}
	return insertFields(tx, "job_answer", "id, answer", "ON CONFLICT DO NOTHING", rows, func(a *Answer) []any { return a.fields()[1:] })
}

// AnswerOf returns what came back of a job, or [ErrNone]. That the job is the tenant's was looked at before.
func (tx *Tx) AnswerOf(tenant string, job int64) ([]byte, error) {
	where := "id = ?"
	args := []any{job}
	if tx.Shared() {
		where, args = "tenant = ? AND id = ?", []any{tenant, job}
	}
	rows, err := column[[]byte](tx, "SELECT answer FROM job_answer WHERE "+where, args...)
	if err == nil && len(rows) == 0 {
		err = ErrNone
	}
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

// JobWithWork returns a job with its work and reasons, or [ErrNone].
func (tx *Tx) JobWithWork(tenant string, id int64) (Job, error) {
	return one[Job](tx, selectJob+" WHERE tenant = ? AND id = ?", tenant, id)
}
