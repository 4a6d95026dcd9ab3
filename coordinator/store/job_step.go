package store

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// The two steps that every job takes, to an agent and to its end, are one
// statement each for as many jobs as there are, on a server. A file, which has
// no way to it, looks first and writes then.

// mayBeClaimed is which jobs are queued for an agent of a site, of one system. A read waits for the agent that
// has read last, while that is here.
const mayBeClaimed = `tenant = ? AND site = ? AND system = ? AND state = 'queued' AND ended = 0
	AND not_before <= ? AND (class <> 'read' OR NOT EXISTS (SELECT 1 FROM system s JOIN agent a ON a.tenant = s.tenant AND a.id = s.reader
		WHERE s.tenant = job.tenant AND s.name = job.system AND a.id <> ? AND a.site = job.site AND a.connected <> 0 AND a.revoked = 0))
	ORDER BY priority DESC, id LIMIT ?`

var (
	claimJobs = `WITH next AS MATERIALIZED (SELECT tenant, id FROM job WHERE ` + mayBeClaimed + ` FOR UPDATE OF job SKIP LOCKED)
		UPDATE job SET state = 'sent', agent = ?, sent = ? FROM next, job_work WHERE job.tenant = next.tenant AND job.id = next.id
		AND job_work.tenant = next.tenant AND job_work.id = next.id RETURNING ` + returned
	endJobs = `UPDATE job SET ended = ?, agent = e.agent, state = CASE WHEN job.state = 'rescinding' AND e.back <> 0 THEN 'dropped' ELSE e.state END,
		outcome = CASE WHEN job.state = 'rescinding' AND e.back <> 0 THEN 'taken back' ELSE e.outcome END,
		fault = CASE WHEN job.state = 'rescinding' AND e.back <> 0 THEN '' ELSE e.fault END
		FROM unnest(CAST(? AS BIGINT[]),CAST(? AS TEXT[]),CAST(? AS TEXT[]),CAST(? AS TEXT[]),CAST(? AS TEXT[]),CAST(? AS TEXT[]),CAST(? AS BIGINT[]))
		AS e (id, site, agent, state, outcome, fault, back), job_work WHERE job.tenant = ? AND job.id = e.id AND job.site = e.site
		AND (job.agent = '' OR job.agent = e.agent) AND job.ended = 0 AND job.state IN ('sent','queued','rescinding')
		AND job_work.tenant = job.tenant AND job_work.id = job.id RETURNING ` + returned
	returned = "job." + strings.ReplaceAll(jobRow, ", ", ", job.") + ", work, '[]'" // as selectWork has it
)

// ClaimJobs makes queued jobs of a site sent to an agent, up to so many of each system, and returns them, without
// reasons: those of a system in the order to be sent.
func (tx *Tx) ClaimJobs(tenant, site, agent string, room map[string]int) ([]Job, error) {
	claim := tx.claimOne
	if tx.Shared() {
		claim = tx.claimThere
	}
	var claimed []Job
	for _, system := range slices.Sorted(maps.Keys(room)) {
		jobs, err := claim(tenant, site, system, agent, room[system])
		if err != nil {
			return nil, err
		}
		claimed = append(claimed, jobs...)
	}
	if len(claimed) > 0 {
		tx.touch(tenant, TopicJobs)
	}
	return claimed, nil
}

func (tx *Tx) claimThere(tenant, site, system, agent string, limit int) ([]Job, error) {
	jobs, err := query[Job](tx, claimJobs, tenant, site, system, tx.Now, agent, limit, agent, tx.Now)
	slices.SortFunc(jobs, func(a, b Job) int { return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.ID, b.ID)) })
	return jobs, err
}

func (tx *Tx) claimOne(tenant, site, system, agent string, limit int) ([]Job, error) {
	jobs, err := query[Job](tx, selectWork+" WHERE "+mayBeClaimed, tenant, site, system, tx.Now, agent, limit)
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	for i := range jobs {
		jobs[i].State, jobs[i].Agent, jobs[i].Sent = JobSent, agent, tx.Now
	}
	_, err = tx.exec("UPDATE job SET state = 'sent', agent = ?, sent = ? WHERE id IN (SELECT value FROM json_each(?))", agent, tx.Now, list(idsOf(jobs)))
	return jobs, err
}

// An Ending is what an agent has told of a job.
type Ending struct {
	ID      int64
	Site    string // of the agent
	Agent   string
	State   string // JobDone or JobFailed
	Outcome string
	Fault   string // connectorv1.Fault, JSON
	Back    bool   // where the job was to be taken back it was, and is dropped
}

// EndSent ends jobs as agents have told, and returns them as they are then, without reasons, in no order: each is the
// agent's who told. A job is left alone, and not among them, that has ended already, or is another agent's, or nobody's
// and of another site.
func (tx *Tx) EndSent(tenant string, endings []Ending) ([]Job, error) {
	if len(endings) == 0 {
		return nil, nil
	}
	if !tx.Shared() {
		return tx.endOnes(tenant, endings)
	}
	n := len(endings)
	ids, back := make(numbers, n), make(numbers, n)
	sites, agents, states, outcomes, faults := make(texts, n), make(texts, n), make(texts, n), make(texts, n), make(texts, n)
	for i, e := range endings {
		ids[i], sites[i], agents[i], states[i], outcomes[i], faults[i], back[i] = e.ID, e.Site, e.Agent, e.State, e.Outcome, e.Fault, number(e.Back)
	}
	return queryMost[Job](tx, n, endJobs, tx.Now, ids, sites, agents, states, outcomes, faults, back, tenant)
}

// SetFault says more of why a job failed.
func (tx *Tx) SetFault(id int64, fault string) error {
	return tx.later("UPDATE job SET fault = ? WHERE id = ? AND state = 'failed'", fault, id)
}

func (tx *Tx) endOnes(tenant string, endings []Ending) ([]Job, error) {
	ids := make([]int64, len(endings))
	for i, e := range endings {
		ids[i] = e.ID
	}
	rows, err := tx.Jobs(tenant, ids)
	if err != nil {
		return nil, err
	}
	open := make(map[int64]*Job, len(rows))
	for i, j := range rows {
		if j.Ended == 0 && (j.State == JobSent || j.State == JobQueued || j.State == JobRescinding) {
			open[j.ID] = &rows[i]
		}
	}
	var ended []Job
	same := map[Ending][]int64{} // most are just done
	for _, e := range endings {
		j := open[e.ID]
		if j == nil || j.Site != e.Site || j.Agent != "" && j.Agent != e.Agent {
			continue
		}
		delete(open, e.ID)
		if e.Back && j.State == JobRescinding {
			e.State, e.Outcome, e.Fault = JobDropped, "taken back", ""
		}
		if j.Agent == "" {
			if _, err := tx.exec("UPDATE job SET agent = ? WHERE id = ?", e.Agent, e.ID); err != nil {
				return nil, err
			}
		}
		j.State, j.Outcome, j.Fault, j.Ended, j.Agent = e.State, e.Outcome, e.Fault, tx.Now, e.Agent
		ended = append(ended, *j)
		how := Ending{State: e.State, Outcome: e.Outcome, Fault: e.Fault}
		same[how] = append(same[how], e.ID)
	}
	for how, ids := range same {
		if err := tx.EndJobs(ids, how.State, how.Outcome, how.Fault); err != nil {
			return nil, err
		}
	}
	return ended, nil
}

func idsOf(jobs []Job) []int64 {
	ids := make([]int64, len(jobs))
	for i := range jobs {
		ids[i] = jobs[i].ID
	}
	return ids
}
