package store

// PriorityPlaced is that of lock-outs placed with an agent ahead of their
// instant, and of nothing else: it goes before everything.
const PriorityPlaced = 40

// JobRescinding is the state of a placed job that its agent is to take back; it
// ends with the agent's result.
const JobRescinding = "rescinding"

// RescindJobs has agents take back jobs that they were sent.
func (tx *Tx) RescindJobs(ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	tx.raise(&tx.store.Jobs)
	_, err := tx.exec("UPDATE job SET state = 'rescinding' WHERE id IN (SELECT value FROM json_each(?)) AND state = 'sent' AND ended = 0", list(ids))
	return err
}

// RescindingJobs returns the jobs, without work and reasons, that an agent is to take back, in the order of ids.
func (tx *Tx) RescindingJobs(tenant, site, agent string) ([]Job, error) {
	return query[Job](tx, selectBare+" WHERE tenant = ? AND state = 'rescinding' AND ended = 0 AND site = ? AND agent = ? ORDER BY id", tenant, site, agent)
}

// RescindingSites returns the sites of a tenant whose agents are to take something back.
func (tx *Tx) RescindingSites(tenant string) ([]string, error) {
	return column[string](tx, "SELECT DISTINCT site FROM job WHERE tenant = ? AND state = 'rescinding' AND ended = 0", tenant)
}

// PlacedUntil returns until when the lock-outs placed for a system may be begun, in no order.
func (tx *Tx) PlacedUntil(tenant, system string) ([]Instant, error) {
	return column[Instant](tx, `SELECT not_after FROM job WHERE tenant = ? AND state IN ('queued','sent') AND ended = 0
		AND priority = ? AND system = ?`, tenant, PriorityPlaced, system)
}
