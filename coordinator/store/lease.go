package store

import "time"

// An agent that is alone at its site works on as long as it likes. One of
// several has a lease, and its jobs go to the others some time after it has
// ended: takeover says from when on.

// silentLeased is after how long without a sign of life an agent that has a
// lease is not here any more: its coordinator has ended without a word.
const silentLeased = 2 * time.Minute

// heardSince is since when an agent must have given a sign of life to be here;
// who has the store alone knows who is.
func (tx *Tx) heardSince() Instant {
	if !tx.Shared() {
		return 0
	}
	return tx.Now.Add(-silentLeased)
}

// AgentsOfSite counts the agents of a site that are not revoked.
func (tx *Tx) AgentsOfSite(tenant, site string) (int, error) {
	return value[int](tx, "SELECT count(*) FROM agent WHERE tenant = ? AND site = ? AND revoked = 0", tenant, site)
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

// SetTakeover notes from when on the jobs of an agent that has just gone may be
// another's; where it has no lease, or is here again, that is never.
func (tx *Tx) SetTakeover(tenant, id string, at Instant) error {
	_, err := tx.exec("UPDATE agent SET takeover = CASE WHEN leased = 1 AND connected = 0 THEN CAST(? AS BIGINT) ELSE 0 END WHERE tenant = ? AND id = ?", at, tenant, id)
	return err
}

// AgentsToRelieve returns the agents that are away, whose leases have ended, and
// whose jobs an agent of the same site that is here may have.
func (tx *Tx) AgentsToRelieve() ([]Agent, error) {
	return query[Agent](tx, "SELECT "+agentColumns+` FROM agent a WHERE leased = 1 AND revoked = 0
		AND (connected = 0 AND takeover <> 0 AND takeover <= ? OR connected <> 0 AND seen < ?)
		AND EXISTS (SELECT 1 FROM agent b WHERE b.tenant = a.tenant AND b.site = a.site AND b.id <> a.id AND b.connected <> 0 AND b.revoked = 0 AND b.seen >= ?)
		AND EXISTS (SELECT 1 FROM job j WHERE j.tenant = a.tenant AND j.agent = a.id AND j.state = 'sent' AND j.ended = 0)`,
		tx.Now, tx.heardSince(), tx.heardSince())
}

// RelieveAgent makes what was sent to an agent queued again, if it still is to
// be relieved, and returns how much that was.
func (tx *Tx) RelieveAgent(tenant, id string) (int, error) {
	away, err := value[int](tx, `SELECT count(*) FROM agent WHERE tenant = ? AND id = ? AND leased = 1
		AND (connected = 0 AND takeover <> 0 AND takeover <= ? OR connected <> 0 AND seen < ?)`, tenant, id, tx.Now, tx.heardSince())
	if err != nil || away == 0 {
		return 0, err
	}
	tx.raise(&tx.store.Jobs)
	return tx.exec("UPDATE job SET state = 'queued', agent = '', sent = 0 WHERE tenant = ? AND agent = ? AND state = 'sent' AND ended = 0", tenant, id)
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

// AssignedJobs returns the ids of all jobs that are an agent's.
func (tx *Tx) AssignedJobs(tenant, agent string) ([]int64, error) {
	return column[int64](tx, "SELECT id FROM job WHERE tenant = ? AND agent = ? AND state IN ('sent','rescinding') AND ended = 0", tenant, agent)
}
