package store

// LastFull returns when the latest cycle of a system began that read everything
// and did not fail, or none. Such a cycle's cause says so.
func (tx *Tx) LastFull(tenant, system string) (Instant, error) {
	return value[Instant](tx, `SELECT coalesce(max(began), 0) FROM cycle WHERE tenant = ? AND system = ?
		AND cause LIKE '%everything%' AND state <> 'failed'`, tenant, system)
}

// LastCycle returns the latest cycle of a system, or [ErrNone].
func (tx *Tx) LastCycle(tenant, system string) (Cycle, error) {
	return one[Cycle](tx, "SELECT "+cycleColumns+" FROM cycle WHERE tenant = ? AND system = ? ORDER BY id DESC LIMIT 1", tenant, system)
}

// OpenRead returns the id of a system's job of a class that concerns no object, such as a read, and has not ended; 0 when there is none.
func (tx *Tx) OpenRead(tenant, system, class string) (int64, error) {
	return value[int64](tx, `SELECT id FROM job WHERE tenant = ? AND system = ? AND object = '' AND class = ?
		AND ended = 0 ORDER BY id LIMIT 1`, tenant, system, class)
}
