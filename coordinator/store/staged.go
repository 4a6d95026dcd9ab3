package store

// A Staged is what a read said of a record that was known before, until the
// read is let pass.
type Staged struct {
	Tenant string
	System string
	ID     string // native id
	Cycle  int64  // that sent it
	Object []byte // connectorv1.Object, protobuf
	Trace  string // traceparent; may be empty
	Held   string // why it waits for a person; empty while it does not
	Free   bool   // it may pass, and has not yet
}

const stagedColumns = "tenant, system, id, cycle, object, trace, held, free"

func (s *Staged) fields() []any {
	return []any{&s.Tenant, &s.System, &s.ID, &s.Cycle, &s.Object, &s.Trace, &s.Held, &s.Free}
}

// PutStaged stages what a read said, each instead of what was staged of the record before.
func (tx *Tx) PutStaged(rows []Staged) error {
	return insert(tx, "staged", stagedColumns, `ON CONFLICT (tenant, system, id) DO UPDATE SET cycle = excluded.cycle, object = excluded.object,
		trace = excluded.trace, held = excluded.held, free = excluded.free`, rows)
}

// RemoveStaged forgets what was staged of records.
func (tx *Tx) RemoveStaged(tenant, system string, ids []string) error {
	_, err := tx.exec("DELETE FROM staged WHERE tenant = ? AND system = ? AND id IN (SELECT value FROM json_each(?))", tenant, system, list(ids))
	return err
}

// StagedAfter returns up to limit of what cycles up to the given one staged and nobody has let pass, in the order of ids,
// those after the given id.
func (tx *Tx) StagedAfter(tenant, system string, cycle int64, id string, limit int) ([]Staged, error) {
	return query[Staged](tx, "SELECT "+stagedColumns+` FROM staged WHERE tenant = ? AND system = ? AND cycle <= ? AND free = 0 AND id > ?
		ORDER BY id LIMIT ?`, tenant, system, cycle, id, limit)
}

// HeldStaged returns up to limit of what is held of a system's records, in the order of ids, those after the given id.
func (tx *Tx) HeldStaged(tenant, system, id string, limit int) ([]Staged, error) {
	return query[Staged](tx, "SELECT "+stagedColumns+` FROM staged WHERE tenant = ? AND system = ? AND held <> '' AND free = 0 AND id > ?
		ORDER BY id LIMIT ?`, tenant, system, id, limit)
}

// HoldStaged notes why staged records wait for a person; an empty reason that they do not.
func (tx *Tx) HoldStaged(tenant, system, reason string, ids []string) error {
	_, err := tx.exec("UPDATE staged SET held = ? WHERE tenant = ? AND system = ? AND id IN (SELECT value FROM json_each(?))", reason, tenant, system, list(ids))
	return err
}

// FreeStaged lets pass what cycles up to the given one staged: what waits for nobody, or, with all, everything.
func (tx *Tx) FreeStaged(tenant, system string, cycle int64, all bool) (int, error) {
	tx.raise(&tx.store.Systems)
	return tx.exec("UPDATE staged SET free = 1, held = '' WHERE tenant = ? AND system = ? AND cycle <= ? AND free = 0 AND (held = '' OR CAST(? AS BIGINT) = 1)",
		tenant, system, cycle, number(all))
}

// FreedStaged returns up to limit of what may pass, the oldest cycle first.
func (tx *Tx) FreedStaged(tenant, system string, limit int) ([]Staged, error) {
	return query[Staged](tx, "SELECT "+stagedColumns+" FROM staged WHERE tenant = ? AND system = ? AND free = 1 ORDER BY cycle, id LIMIT ?", tenant, system, limit)
}

// SystemsWithFreed returns the systems of all tenants of which something staged may pass.
func (tx *Tx) SystemsWithFreed() ([]System, error) {
	return query[System](tx, "SELECT "+systemColumns+` FROM system WHERE EXISTS (SELECT 1 FROM staged WHERE staged.tenant = system.tenant
		AND staged.system = system.name AND free = 1)`)
}

// DiscardStaged forgets what cycles up to the given one staged and nobody has let pass.
func (tx *Tx) DiscardStaged(tenant, system string, cycle int64) (int, error) {
	return tx.exec("DELETE FROM staged WHERE tenant = ? AND system = ? AND cycle <= ? AND free = 0", tenant, system, cycle)
}

// A Filled is how many records of a source have a value in a column.
type Filled struct {
	Tenant string
	System string
	Name   string // folded; empty: it was counted once
	N      int64
}

func (f *Filled) fields() []any { return []any{&f.Tenant, &f.System, &f.Name, &f.N} }

// Filled returns how many records of a system have a value, by column. It is empty until [Tx.SetFilled] was called.
func (tx *Tx) Filled(tenant, system string) (map[string]int64, error) {
	rows, err := query[Filled](tx, "SELECT tenant, system, name, n FROM filled WHERE tenant = ? AND system = ?", tenant, system)
	n := make(map[string]int64, len(rows))
	for _, r := range rows {
		n[r.Name] = r.N
	}
	if n[""] == 0 {
		return nil, err
	}
	return n, err
}

// AddFilled adds to the counts of [Tx.Filled].
func (tx *Tx) AddFilled(tenant, system string, more map[string]int64) error {
	rows := make([]Filled, 0, len(more))
	for name, n := range more {
		rows = append(rows, Filled{tenant, system, name, n})
	}
	return insert(tx, "filled", "tenant, system, name, n", "ON CONFLICT (tenant, system, name) DO UPDATE SET n = filled.n + excluded.n", rows)
}

// SetFilled replaces the counts of a system by what was counted.
func (tx *Tx) SetFilled(tenant, system string, counted map[string]int64) error {
	if _, err := tx.exec("DELETE FROM filled WHERE tenant = ? AND system = ?", tenant, system); err != nil {
		return err
	}
	counted[""] = 1
	return tx.AddFilled(tenant, system, counted)
}
