package store

import "time"

// An agent that is alone at its site works on as long as it likes. One of
// several has a lease, and its jobs go to the others some time after it has
// ended: takeover says from when on.

// silentLeased is after how long an agent that has a lease is not here any more
// whose coordinator does not hear it: one of an earlier release, whose streams are
// noted each minute.
const silentLeased = 2 * time.Minute

// heardSince is since when an agent must have given a sign of life to be here;
// who has the store alone knows who is.
func (tx *Tx) heardSince(silence time.Duration) Instant {
	if !tx.Shared() {
		return 0
	}
	return tx.Now.Add(-silence)
}

// isSilent finds agents whose coordinator has ended without a word: it has heard them
// on their present connection, and not since; or it does not hear them, and has not noted them since.
const isSilent = `connected <> 0 AND (heard >= connected AND heard < ? OR heard < connected AND seen < ?)`

// HearAgents notes that agents of a tenant, given by the instants of their
// connections, are here now. It returns those that are not the coordinator's any
// more: they have connected elsewhere, or were not heard for so long that their
// jobs may be another's.
func (tx *Tx) HearAgents(tenant string, since map[string]Instant, silence time.Duration) (lost []string, err error) {
	type state struct {
		id               string
		connected, heard Instant
	}
	ids := make([]string, 0, len(since))
	for id := range since {
		ids = append(ids, id)
	}
	rows, err := queryAny(tx, func(scan scan, s *state) error { return scan(&s.id, &s.connected, &s.heard) },
		"SELECT id, connected, heard FROM agent WHERE tenant = ? AND id IN (SELECT value FROM json_each(?))", tenant, list(ids))
	if err != nil {
		return nil, err
	}
	var here []string
	for _, s := range rows {
		if s.connected != since[s.id] || s.heard >= s.connected && s.heard < tx.Now.Add(-silence) {
			lost = append(lost, s.id)
		} else {
			here = append(here, s.id)
		}
	}
	_, err = tx.exec("UPDATE agent SET heard = ?, seen = ? WHERE tenant = ? AND id IN (SELECT value FROM json_each(?))", tx.Now, tx.Now, tenant, list(here))
	return lost, err
}

// AgentsOfSite counts the agents of a site that are not revoked.
func (tx *Tx) AgentsOfSite(tenant, site string) (int, error) {
	return value[int](tx, "SELECT count(*) FROM agent WHERE tenant = ? AND site = ? AND revoked = 0", tenant, site)
}

// A Site is where agents of a tenant serve.
type Site struct{ Tenant, Name string }

func (s *Site) fields() []any { return []any{&s.Tenant, &s.Name} }

// SitesOfSeveral returns the sites of all tenants that have several agents that are not revoked.
func (tx *Tx) SitesOfSeveral() ([]Site, error) {
	return query[Site](tx, "SELECT tenant, site FROM agent WHERE revoked = 0 GROUP BY tenant, site HAVING count(*) > 1")
}

// Leased tells whether an agent knows, or may know, that it has a lease.
func (tx *Tx) Leased(tenant, id string) (bool, error) {
	n, err := value[int](tx, "SELECT leased FROM agent WHERE tenant = ? AND id = ?", tenant, id)
	return n != 0, err
}

// SetLeased notes whether an agent knows that it has a lease.
func (tx *Tx) SetLeased(tenant, id string, leased bool) error {
	n := 0
	if leased {
		n = 1
	}
	_, err := tx.exec("UPDATE agent SET leased = ? WHERE tenant = ? AND id = ? AND leased <> ?", n, tenant, id, n)
	return err
}

// AgentsToRelieve returns the agents that are away, whose leases have ended, and
// whose jobs an agent of the same site that is here may have. Silence is after
// how long an agent that nobody hears has no lease any more.
func (tx *Tx) AgentsToRelieve(silence time.Duration) ([]Agent, error) {
	return query[Agent](tx, "SELECT "+agentColumns+` FROM agent a WHERE leased = 1 AND revoked = 0
		AND (connected = 0 AND takeover <> 0 AND takeover <= ? OR `+isSilent+`)
		AND EXISTS (SELECT 1 FROM agent b WHERE b.tenant = a.tenant AND b.site = a.site AND b.id <> a.id AND b.connected <> 0 AND b.revoked = 0 AND b.seen >= ?)
		AND EXISTS (SELECT 1 FROM job j WHERE j.tenant = a.tenant AND j.agent = a.id AND j.state = 'sent' AND j.ended = 0)`,
		tx.Now, tx.heardSince(silence), tx.heardSince(silentLeased), tx.heardSince(silentLeased))
}

// RelieveAgent makes what was sent to an agent queued again, if it still is to
// be relieved, and returns how much that was. One that was silent is away then.
func (tx *Tx) RelieveAgent(tenant, id string, silence time.Duration) (int, error) {
	away, err := value[int](tx, `SELECT count(*) FROM agent WHERE tenant = ? AND id = ? AND leased = 1
		AND (connected = 0 AND takeover <> 0 AND takeover <= ? OR `+isSilent+`)`, tenant, id, tx.Now, tx.heardSince(silence), tx.heardSince(silentLeased))
	if err != nil || away == 0 {
		return 0, err
	}
	tx.raise(&tx.store.Jobs)
	if _, err := tx.exec("UPDATE agent SET connected = 0 WHERE tenant = ? AND id = ? AND connected <> 0", tenant, id); err != nil {
		return 0, err
	}
	return tx.exec("UPDATE job SET state = 'queued', agent = '', sent = 0 WHERE tenant = ? AND agent = ? AND state = 'sent' AND ended = 0", tenant, id)
}

// isParted is isSilent for every agent: one that has no lease is not heard, but noted each minute.
const isParted = `(leased = 1 AND ` + isSilent + ` OR leased = 0 AND connected <> 0 AND seen < ?)`

// SilentAgents returns the agents that are noted as connected and whose coordinator
// has ended without a word: silence is as for [Tx.AgentsToRelieve]; without a
// lease an agent is silent after five minutes.
func (tx *Tx) SilentAgents(silence time.Duration) ([]Agent, error) {
	if !tx.Shared() {
		return nil, nil
	}
	return query[Agent](tx, "SELECT "+agentColumns+" FROM agent WHERE "+isParted, tx.heardSince(silence), tx.heardSince(silentLeased), tx.heardSince(silent))
}

// PartSilent notes that an agent is away, if it is still silent, and tells
// whether it was. Its jobs stay its own until another of its site may have them.
func (tx *Tx) PartSilent(tenant, id string, silence time.Duration) (bool, error) {
	n, err := tx.exec("UPDATE agent SET connected = 0, takeover = leased * CAST(? AS BIGINT) WHERE tenant = ? AND id = ? AND "+isParted,
		tx.Now, tenant, id, tx.heardSince(silence), tx.heardSince(silentLeased), tx.heardSince(silent))
	if n > 0 {
		tx.touch(tenant, TopicAgents)
		tx.raise(&tx.store.Agents)
	}
	return n > 0, err
}

// SetReader notes that an agent's read of a system was the last.
func (tx *Tx) SetReader(tenant, system, agent string) error {
	_, err := tx.exec("UPDATE system SET reader = ? WHERE tenant = ? AND name = ? AND reader <> ?", agent, tenant, system, agent)
	return err
}

// ReadByAnother tells whether the last read of a system was another agent's.
func (tx *Tx) ReadByAnother(tenant, system, agent string) (bool, error) {
	reader, err := value[string](tx, "SELECT reader FROM system WHERE tenant = ? AND name = ?", tenant, system)
	return reader != "" && reader != agent, err
}

// AssignedJobs returns the ids of all jobs that are agents', of those who have any.
func (tx *Tx) AssignedJobs(tenant string, agents []string) (map[string][]int64, error) {
	type row struct {
		agent string
		id    int64
	}
	rows, err := queryAny(tx, func(scan scan, r *row) error { return scan(&r.agent, &r.id) },
		"SELECT agent, id FROM job WHERE tenant = ? AND agent IN (SELECT value FROM json_each(?)) AND state IN ('sent','rescinding') AND ended = 0", tenant, list(agents))
	jobs := map[string][]int64{}
	for _, r := range rows {
		jobs[r.agent] = append(jobs[r.agent], r.id)
	}
	return jobs, err
}
