package store

// States of a cycle.
const (
	CycleReading  = "reading"
	CycleApplied  = "applied"  // what was read is believed
	CycleHeld     = "held"     // a person decides whether it is believed
	CycleFailed   = "failed"   // the read did not come to its end
	CycleRejected = "rejected" // a person did not believe it
)

// A Cycle is one read of a system and what came of it. Its id is its read job's.
type Cycle struct {
	Tenant   string
	ID       int64
	System   string
	Cause    string // schedule, changed, on demand
	Began    Instant
	Ended    Instant
	State    string
	Seen     int64
	Changed  int64
	Deleted  int64
	Rejected int64
	Reason   string // why held or failed
}

const cycleColumns = "tenant, id, system, cause, began, ended, state, seen, changed, deleted, rejected, reason"

func (c *Cycle) fields() []any {
	return []any{&c.Tenant, &c.ID, &c.System, &c.Cause, &c.Began, &c.Ended, &c.State, &c.Seen, &c.Changed, &c.Deleted, &c.Rejected, &c.Reason}
}

// PutCycle stores a cycle, new or changed.
func (tx *Tx) PutCycle(c Cycle) error {
	tx.touch(c.Tenant, TopicCycles, TopicHeld, TopicSystems)
	return insert(tx, "cycle", cycleColumns, `ON CONFLICT (tenant, id) DO UPDATE SET ended = excluded.ended, state = excluded.state, seen = excluded.seen,
		changed = excluded.changed, deleted = excluded.deleted, rejected = excluded.rejected, reason = excluded.reason`, []Cycle{c})
}

// Cycle returns the cycle, or [ErrNone].
func (tx *Tx) Cycle(tenant string, id int64) (Cycle, error) {
	return one[Cycle](tx, "SELECT "+cycleColumns+" FROM cycle WHERE tenant = ? AND id = ?", tenant, id)
}

// Cycles returns up to limit cycles, the newest first; of all systems when system is empty.
func (tx *Tx) Cycles(tenant, system string, limit int) ([]Cycle, error) {
	return query[Cycle](tx, "SELECT "+cycleColumns+` FROM cycle WHERE tenant = ? AND (? = '' OR system = ?)
		ORDER BY id DESC LIMIT ?`, tenant, system, system, limit)
}

// CyclesIn returns the cycles of a system that are in a state, the oldest first.
func (tx *Tx) CyclesIn(tenant, system, state string) ([]Cycle, error) {
	return query[Cycle](tx, "SELECT "+cycleColumns+" FROM cycle WHERE tenant = ? AND system = ? AND state = ? ORDER BY id", tenant, system, state)
}

// A Reject is what a source could not give as an object.
type Reject struct {
	Tenant string
	System string
	Place  string
	Cycle  int64
	Reason string
	Object string // native id, where it could be read
	Stays  bool   // the mapping could not take the object; until that changes
}

const rejectColumns = "tenant, system, place, cycle, reason, object, stays"

func (r *Reject) fields() []any {
	return []any{&r.Tenant, &r.System, &r.Place, &r.Cycle, &r.Reason, &r.Object, &r.Stays}
}

// PutRejects stores rejects, each replacing what was said of its place before.
func (tx *Tx) PutRejects(rows []Reject) error {
	return insert(tx, "reject", rejectColumns,
		"ON CONFLICT (tenant, system, place) DO UPDATE SET cycle = excluded.cycle, reason = excluded.reason, object = excluded.object, stays = excluded.stays", rows)
}

// Rejects returns up to limit of a system's rejects.
func (tx *Tx) Rejects(tenant, system string, limit int) ([]Reject, error) {
	return query[Reject](tx, "SELECT "+rejectColumns+" FROM reject WHERE tenant = ? AND system = ? ORDER BY place LIMIT ?", tenant, system, limit)
}

// RemoveRejectsBefore forgets what cycles before the given one could not read; what the mapping could not take stays.
func (tx *Tx) RemoveRejectsBefore(tenant, system string, cycle int64) error {
	_, err := tx.exec("DELETE FROM reject WHERE tenant = ? AND system = ? AND cycle < ? AND stays = 0", tenant, system, cycle)
	return err
}

// RemoveRejectsOf forgets that the mapping could not take the objects.
func (tx *Tx) RemoveRejectsOf(tenant, system string, objects []string) error {
	_, err := tx.exec(`DELETE FROM reject WHERE tenant = ? AND system = ? AND stays <> 0
		AND object IN (SELECT value FROM json_each(?))`, tenant, system, list(objects))
	return err
}
