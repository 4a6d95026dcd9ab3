package store

// States of a job; coordinator/jobs says what leads from one to another.
const (
	JobHeld    = "held"
	JobQueued  = "queued"
	JobWaiting = "waiting"
	JobSent    = "sent"
	JobDone    = "done"
	JobFailed  = "failed"
	JobDropped = "dropped"
)

// A Job is an operation of a plan from the moment it is wanted, or a read.
type Job struct {
	ID        int64 // from ReserveJobs
	Tenant    string
	Site      string
	System    string
	Object    string // native id; the person's id for a create; empty for reads
	Person    string
	Cycle     int64
	Class     string // create, modify, move, enable, disable, membership, delete, read, probe, schema, find
	State     string
	After     int64 // job that must be done first
	Priority  int64
	NotBefore Instant
	NotAfter  Instant
	Agent     string // to whom it was sent
	Work      []byte // linkv1.Job without id, protobuf
	Reasons   string // JSON
	Made      Instant
	Sent      Instant
	Ended     Instant
	Outcome   string
	Fault     string  // connectorv1.Fault, JSON
	Settles   bool    // where it leaves what it wants, its person need not be planned again
	Fence     int64   // rises in the order in which the object's jobs may run; 0: the id
	Since     Instant // when the record of a source came that it answers; none where there is another reason
	Trace     string  // traceparent (W3C) of what it is part of; empty for none
	Counts    bool    // against the threshold of its class, within the window since Made
}

// The row of a job is narrow, because it is written anew with each step; what
// the job is made of is written once, in job_work.
const (
	jobRow     = `id, tenant, site, system, object, person, cycle, class, state, after, priority, not_before, not_after, agent, made, sent, ended, outcome, fault, settles, fence, since, trace, counts`
	jobColumns = jobRow + ", work, reasons"
	selectJob  = "SELECT " + jobColumns + " FROM job JOIN job_work USING (id)"
	selectWork = "SELECT " + jobRow + ", work, '[]' FROM job JOIN job_work USING (id)" // without reasons
	selectBare = "SELECT " + jobRow + ", x'', '[]' FROM job"                           // without work and reasons
)

func (j *Job) fields() []any { return append(j.row(), &j.Work, (*packed)(&j.Reasons)) }

func (j *Job) work() []any { return []any{&j.ID, &j.Work, (*packed)(&j.Reasons)} }

func (j *Job) row() []any {
	return append(make([]any, 0, 26), // with room for what fields adds
		&j.ID, &j.Tenant, &j.Site, &j.System, &j.Object, &j.Person, &j.Cycle, &j.Class, &j.State, &j.After, &j.Priority,
		&j.NotBefore, &j.NotAfter, &j.Agent, &j.Made, &j.Sent, &j.Ended, &j.Outcome, &j.Fault, &j.Settles, &j.Fence, &j.Since, &j.Trace, &j.Counts)
}

// ReserveJobs returns the first of n ids for new jobs; they are this transaction's.
func (tx *Tx) ReserveJobs(n int) (first int64, err error) {
	if tx.store.Shared() { // other transactions reserve meanwhile
		return value[int64](tx, "SELECT reserve_jobs(?)", n)
	}
	if tx.nextID == 0 {
		last, err := value[int64](tx, "SELECT seq FROM sqlite_sequence WHERE name = 'job'")
		if err != nil {
			return 0, err
		}
		tx.nextID = last + 1
	}
	first = tx.nextID
	tx.nextID += int64(n)
	return first, nil
}

// AddJobs stores new jobs. One without an id is given one, which is set in
// rows; Made is set to now where it is none.
func (tx *Tx) AddJobs(rows []Job) error {
	for i := range rows {
		j := &rows[i]
		if j.ID == 0 {
			id, err := tx.ReserveJobs(1)
			if err != nil {
				return err
			}
			j.ID = id
		}
		if j.Made == 0 {
			j.Made = tx.Now
		}
		if j.Reasons == "" {
			j.Reasons = "[]"
		}
		if j.Work == nil {
			j.Work = []byte{}
		}
		if j.State == JobQueued {
			tx.raise(&tx.store.Jobs)
		}
		tx.touch(j.Tenant, TopicJobs)
	}
	if err := insertFields(tx, "job", jobRow, "", rows, (*Job).row); err != nil {
		return err
	}
	if tx.store.Shared() {
		return insertFields(tx, "job_work", "tenant, id, work, reasons", "", rows, func(j *Job) []any { return append([]any{&j.Tenant}, j.work()...) })
	}
	return insertFields(tx, "job_work", "id, work, reasons", "", rows, (*Job).work)
}

// Jobs returns those that are there of the jobs with the ids, without reasons, in the order of ids.
func (tx *Tx) Jobs(tenant string, ids []int64) ([]Job, error) {
	return queryMost[Job](tx, len(ids), selectWork+" WHERE id IN (SELECT value FROM json_each(?)) AND tenant = ? ORDER BY id", list(ids), tenant)
}

// QueuedSystems returns the systems that have a queued job at a site that may be sent now, in the order of names. It goes
// from one system to the next by the index: how many jobs there are makes no difference.
func (tx *Tx) QueuedSystems(tenant, site string) ([]string, error) {
	const queued = "FROM job WHERE tenant = ? AND site = ? AND state = 'queued' AND ended = 0"
	return column[string](tx, `WITH RECURSIVE next (name) AS (SELECT min(system) `+queued+`
			UNION ALL SELECT (SELECT min(system) `+queued+` AND system > next.name) FROM next WHERE next.name IS NOT NULL)
		SELECT name FROM next WHERE name IS NOT NULL AND EXISTS (SELECT 1 `+queued+` AND system = next.name AND not_before <= ?) ORDER BY name`,
		tenant, site, tenant, site, tenant, site, tx.Now)
}

// A QueuedSite is a site that has queued jobs.
type QueuedSite struct {
	Site string
	From Instant // when the first of them may be sent; none where one may be now
}

// QueuedSites returns the sites of a tenant that have queued jobs. It goes from one to the next by the index, as QueuedSystems does.
func (tx *Tx) QueuedSites(tenant string) ([]QueuedSite, error) {
	const queued = "FROM job WHERE tenant = ? AND state = 'queued' AND ended = 0"
	return queryAny(tx, func(scan scan, q *QueuedSite) error { return scan(&q.Site, &q.From) },
		`WITH RECURSIVE next (site) AS (SELECT min(site) `+queued+`
			UNION ALL SELECT (SELECT min(site) `+queued+` AND site > next.site) FROM next WHERE next.site IS NOT NULL)
		SELECT site, CASE WHEN EXISTS (SELECT 1 `+queued+` AND site = next.site AND not_before <= ?) THEN 0
			ELSE (SELECT coalesce(min(not_before), 0) `+queued+` AND site = next.site) END FROM next WHERE site IS NOT NULL`,
		tenant, tenant, tenant, tx.Now, tenant)
}

// SentJobs returns up to limit jobs with ids after the given one that were sent to an agent and have not ended, without reasons, in the order of ids.
func (tx *Tx) SentJobs(tenant, agent string, after int64, limit int) ([]Job, error) {
	return query[Job](tx, selectWork+" WHERE tenant = ? AND agent = ? AND state = 'sent' AND ended = 0 AND id > ? ORDER BY id LIMIT ?",
		tenant, agent, after, limit)
}

// RequeueJobs makes sent jobs of an agent queued again, not to be sent before an instant.
func (tx *Tx) RequeueJobs(tenant, agent string, ids []int64, notBefore Instant) (int, error) {
	tx.raise(&tx.store.Jobs)
	return tx.exec(`UPDATE job SET state = 'queued', agent = '', sent = 0, not_before = CASE WHEN not_before < ? THEN ? ELSE not_before END
		WHERE id IN (SELECT value FROM json_each(?)) AND tenant = ? AND agent = ? AND state = 'sent'`, notBefore, notBefore, list(ids), tenant, agent)
}

// RequeueAgent makes everything that was sent to an agent queued again: it will not come back.
func (tx *Tx) RequeueAgent(tenant, agent string) (int, error) {
	tx.raise(&tx.store.Jobs)
	if _, err := tx.exec("UPDATE job SET state = 'dropped', outcome = 'taken back', ended = ? WHERE tenant = ? AND agent = ? AND state = 'rescinding' AND ended = 0", tx.Now, tenant, agent); err != nil {
		return 0, err
	}
	return tx.exec("UPDATE job SET state = 'queued', agent = '', sent = 0 WHERE tenant = ? AND agent = ? AND state = 'sent' AND ended = 0", tenant, agent)
}

// EndJobs ends jobs that have not ended, as done with no fault when fault is
// empty, in the given state otherwise.
func (tx *Tx) EndJobs(ids []int64, state, outcome, fault string) error {
	return tx.later(`UPDATE job SET state = ?, outcome = ?, fault = ?, ended = ? WHERE id IN (SELECT value FROM json_each(?))
		AND ended = 0`, state, outcome, fault, tx.Now, list(ids))
}

// UnsettleJobs has the people of jobs planned again once these are done.
func (tx *Tx) UnsettleJobs(ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.exec("UPDATE job SET settles = 0 WHERE id IN (SELECT value FROM json_each(?))", list(ids))
	return err
}

// ReleaseAfter queues the jobs that waited for the given ones, which are done,
// and returns which of the given ones had such.
func (tx *Tx) ReleaseAfter(ids []int64) ([]int64, error) {
	had, err := column[int64](tx, `UPDATE job SET state = 'queued' WHERE after <> 0 AND after IN (SELECT value FROM json_each(?))
		AND state = 'waiting' RETURNING after`, list(ids))
	if len(had) > 0 {
		tx.raise(&tx.store.Jobs)
	}
	return had, err
}

// DropAfter drops all jobs that follow the given ones in their chains and have not been sent, and returns their ids.
func (tx *Tx) DropAfter(ids []int64) ([]int64, error) {
	follow, err := column[int64](tx, `WITH RECURSIVE follow(id) AS (
		SELECT id FROM job WHERE after <> 0 AND after IN (SELECT value FROM json_each(?)) AND state IN ('waiting','held','queued')
		UNION SELECT j.id FROM job j JOIN follow f ON j.after = f.id AND j.after <> 0 WHERE j.state IN ('waiting','held','queued'))
		SELECT id FROM follow`, list(ids))
	if err != nil || len(follow) == 0 {
		return nil, err
	}
	_, err = tx.exec(`UPDATE job SET state = ?, ended = ? WHERE id IN (SELECT value FROM json_each(?)) AND ended = 0
		AND state IN ('waiting','held','queued')`, JobDropped, tx.Now, list(follow)) // one may have been claimed meanwhile
	return follow, err
}

// OpenJobsOf returns the jobs of people that have not ended, without work and reasons, in the order of ids.
func (tx *Tx) OpenJobsOf(tenant string, people []string) ([]Job, error) {
	return query[Job](tx, selectBare+` WHERE tenant = ? AND person <> ''
		AND person IN (SELECT value FROM json_each(?)) AND ended = 0 ORDER BY id`, tenant, list(people))
}

// StaleJobs returns up to limit jobs, without work and reasons, that no agent has and that are not to be begun any more.
func (tx *Tx) StaleJobs(limit int) ([]Job, error) {
	return query[Job](tx, selectBare+` WHERE state = 'queued' AND ended = 0 AND not_after <> 0 AND not_after < ? LIMIT ?`, tx.Now, limit)
}

// CountJobs returns how many of a tenant's jobs are in a state.
func (tx *Tx) CountJobs(tenant, state string) (int, error) {
	return value[int](tx, "SELECT count(*) FROM job WHERE tenant = ? AND state = ?", tenant, state)
}
