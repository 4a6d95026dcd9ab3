package store

import "strings"

// AgentFilter says which agents are wanted: those that match every field set.
type AgentFilter struct {
	Site  string
	State string // connected, away, revoked, or asking for approval
	Ring  string
	Text  string // part of the host's name, in whatever case, or the id
	After string // place behind which to go on, as AgentPlace gives it
}

// AgentPlace is where an agent stands in the order of agents.
func AgentPlace(a Agent) string { return a.Site + "\x1f" + a.Host + "\x1f" + a.ID }

// agentStates are the conditions of the states of agents; who asks may be in each.
var agentStates = map[string]string{
	"connected": "revoked = 0 AND connected <> 0",
	"away":      "revoked = 0 AND connected = 0",
	"revoked":   "revoked <> 0",
	"asking":    "revoked = 0 AND " + asking,
}

// asking is the condition of an agent that asks to be attested anew: see enroll.Request.
const asking = `request LIKE '%"state":"waiting"%'`

// ListAgents returns up to limit agents by site, host and id.
func (tx *Tx) ListAgents(tenant string, f AgentFilter, limit int) ([]Agent, error) {
	w := filter{text: "tenant = ?", args: []any{tenant}}
	w.and("site = ?", f.Site)
	w.and("ring = ?", f.Ring)
	if state := agentStates[f.State]; state != "" {
		w.text += " AND " + state
	}
	if f.Text != "" {
		w.text += " AND (instr(lower(host), lower(?)) > 0 OR id = ?)"
		w.args = append(w.args, f.Text, f.Text)
	}
	if place := strings.Split(f.After, "\x1f"); len(place) == 3 {
		w.text += " AND (site, host, id) > (?, ?, ?)"
		w.args = append(w.args, place[0], place[1], place[2])
	}
	return query[Agent](tx, "SELECT "+agentColumns+" FROM agent WHERE "+w.text+" ORDER BY site, host, id LIMIT ?", append(w.args, limit)...)
}

// NotedAgents returns up to limit agents that somebody should look at: away,
// asking, with a guardrail that is broken or that jobs wait at, or that took back
// or refuse a release.
func (tx *Tx) NotedAgents(tenant string, limit int) ([]Agent, error) {
	return query[Agent](tx, "SELECT "+agentColumns+` FROM agent WHERE tenant = ? AND revoked = 0 AND (connected = 0 OR `+asking+`
		OR guardrail LIKE '%"waiting":%' OR guardrail LIKE '%"fault":%' OR update_state IN ('failed', 'refused')) ORDER BY site, host, id LIMIT ?`, tenant, limit)
}

// AgentCounts returns how many agents there are in each state; who asks is counted once more.
func (tx *Tx) AgentCounts(tenant string) ([]Count, error) {
	return query[Count](tx, `SELECT CASE WHEN revoked <> 0 THEN 'revoked' WHEN connected <> 0 THEN 'connected' ELSE 'away' END, count(*)
		FROM agent WHERE tenant = ? GROUP BY 1 UNION ALL SELECT 'asking', count(*) FROM agent WHERE tenant = ? AND revoked = 0 AND `+asking, tenant, tenant)
}

// SiteAgents are the agents of a site, counted.
type SiteAgents struct {
	Site      string
	Agents    int
	Connected int
}

func (s *SiteAgents) fields() []any { return []any{&s.Site, &s.Agents, &s.Connected} }

// AgentsBySite counts the agents of each site that are not revoked.
func (tx *Tx) AgentsBySite(tenant string) ([]SiteAgents, error) {
	return query[SiteAgents](tx, `SELECT site, count(*), CAST(sum(CASE WHEN connected <> 0 THEN 1 ELSE 0 END) AS BIGINT)
		FROM agent WHERE tenant = ? AND revoked = 0 GROUP BY site ORDER BY site`, tenant)
}

// Connectors are those that some agents of a site have.
type Connectors struct {
	Site   string
	Text   string // as in Agent
	Agents int
}

func (c *Connectors) fields() []any { return []any{&c.Site, &c.Text, &c.Agents} }

// ConnectorsBySite returns what agents that are not revoked tell of their connectors: each text once for a site.
func (tx *Tx) ConnectorsBySite(tenant, site string) ([]Connectors, error) {
	w := filter{text: "tenant = ? AND revoked = 0", args: []any{tenant}}
	w.and("site = ?", site)
	return query[Connectors](tx, "SELECT site, connectors, count(*) FROM agent WHERE "+w.text+" GROUP BY site, connectors ORDER BY site, connectors", w.args...)
}

// ProblemKinds counts problems by kind.
func (tx *Tx) ProblemKinds(tenant string) ([]Count, error) {
	return query[Count](tx, "SELECT kind, count(*) FROM problem WHERE tenant = ? GROUP BY kind ORDER BY kind", tenant)
}

// ProblemFilter says which problems are wanted: those that match every field set.
type ProblemFilter struct {
	System string
	Kind   string
	Person string // id
	After  string // person and system behind which to go on, as ProblemPlace gives them
}

// ProblemPlace is where a problem stands in the order of problems.
func ProblemPlace(p Problem) string { return p.Person + "\x1f" + p.System }

// ListProblems returns up to limit problems by person and system.
func (tx *Tx) ListProblems(tenant string, f ProblemFilter, limit int) ([]Problem, error) {
	w := filter{text: "tenant = ?", args: []any{tenant}}
	w.and("system = ?", f.System)
	w.and("kind = ?", f.Kind)
	w.and("person = ?", f.Person)
	if person, system, ok := strings.Cut(f.After, "\x1f"); ok {
		w.text += " AND (person, system) > (?, ?)"
		w.args = append(w.args, person, system)
	}
	return query[Problem](tx, "SELECT "+problemColumns+" FROM problem WHERE "+w.text+" ORDER BY person, system LIMIT ?", append(w.args, limit)...)
}

// CountPasswords returns how many new passwords nobody has picked up.
func (tx *Tx) CountPasswords(tenant string) (int64, error) {
	return value[int64](tx, "SELECT count(*) FROM password WHERE tenant = ?", tenant)
}

// HeldCountsOf counts the held jobs that were planned out of a cycle, by system and class.
func (tx *Tx) HeldCountsOf(tenant string, cycle int64) ([]HeldClass, error) {
	return query[HeldClass](tx, `SELECT system, class, count(*), min(made), '' FROM job
		WHERE tenant = ? AND state = 'held' AND ended = 0 AND cycle = ? GROUP BY system, class ORDER BY system, class`, tenant, cycle)
}

// OpenOfCycle returns how many jobs that were planned out of a cycle have not ended, limit at most.
func (tx *Tx) OpenOfCycle(tenant string, cycle int64, limit int) (int64, error) {
	return value[int64](tx, "SELECT count(*) FROM (SELECT 1 FROM job WHERE tenant = ? AND ended = 0 AND cycle = ? AND person <> '' LIMIT ?) AS of_it", tenant, cycle, limit)
}

// HistoryOfJob returns up to limit entries of the log about a job of a person, the oldest first.
func (tx *Tx) HistoryOfJob(tenant, person string, job int64, limit int) ([]History, error) {
	ids, err := tx.underIDs(tenant, person)
	if err != nil {
		return nil, err
	}
	return query[History](tx, "SELECT seq, "+historyColumns+" FROM history WHERE tenant = ? AND "+ofPerson+`
		AND job = ? ORDER BY seq LIMIT ?`, tenant, ids, job, limit)
}

// JobsBare returns those that are there of the jobs with the ids, without work and reasons, in the order of ids.
func (tx *Tx) JobsBare(tenant string, ids []int64) ([]Job, error) {
	return query[Job](tx, selectBare+" WHERE id IN (SELECT value FROM json_each(?)) AND tenant = ? ORDER BY id", list(ids), tenant)
}

// LikeCycle returns the latest believed cycle of a system before the given one that began for the same cause, or [ErrNone].
func (tx *Tx) LikeCycle(c Cycle) (Cycle, error) {
	return one[Cycle](tx, "SELECT "+cycleColumns+` FROM cycle WHERE tenant = ? AND system = ? AND id < ? AND state = 'applied' AND cause LIKE ?
		ORDER BY id DESC LIMIT 1`, c.Tenant, c.System, c.ID, likeEverything(c.Cause))
}

// likeEverything is a pattern of causes of cycles that read as much as one with this cause.
func likeEverything(cause string) string {
	if strings.HasSuffix(cause, "everything") {
		return "%everything"
	}
	return "%"
}

// CountDueOf returns how many people are still due because of a cycle.
func (tx *Tx) CountDueOf(tenant string, cycle int64) (int64, error) {
	return value[int64](tx, "SELECT count(*) FROM due WHERE tenant = ? AND cycle = ?", tenant, cycle)
}

// SentCounts returns how many jobs each agent has, where it has any.
func (tx *Tx) SentCounts(tenant string) ([]Count, error) {
	return query[Count](tx, "SELECT agent, count(*) FROM job WHERE tenant = ? AND state = 'sent' AND ended = 0 GROUP BY agent", tenant)
}

// QueuedCounts returns how many jobs wait for an agent of each site, where there are any.
func (tx *Tx) QueuedCounts(tenant string) ([]Count, error) {
	return query[Count](tx, "SELECT site, count(*) FROM job WHERE tenant = ? AND state = 'queued' AND ended = 0 GROUP BY site", tenant)
}

// AgentsByID returns those that are there of the agents with the ids, in no order.
func (tx *Tx) AgentsByID(tenant string, ids []string) ([]Agent, error) {
	return query[Agent](tx, "SELECT "+agentColumns+" FROM agent WHERE tenant = ? AND id IN (SELECT value FROM json_each(?))", tenant, list(ids))
}
