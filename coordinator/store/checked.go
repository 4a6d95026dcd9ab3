package store

// A Checked is the last check of a system from end to end.
type Checked struct {
	Tenant string
	System string
	At     Instant
	What   string  // class of the job that it was: read, probe, schema
	Good   Instant // when one last worked; none where none has
	Fault  string  // connectorv1.Fault, JSON; empty where it worked
	Took   int64   // milliseconds from when it was wanted until its result was in the store
	Job    int64   // whose request and answer it was
}

const checkedColumns = "tenant, system, at, what, good, fault, took, job"

func (c *Checked) fields() []any {
	return []any{&c.Tenant, &c.System, &c.At, &c.What, &c.Good, &c.Fault, &c.Took, &c.Job}
}

// PutChecked stores the last check of a system. When one last worked stays where this one did not.
func (tx *Tx) PutChecked(c Checked) error {
	tx.touch(c.Tenant, TopicSystems)
	return insert(tx, "checked", checkedColumns, `ON CONFLICT (tenant, system) DO UPDATE SET at = excluded.at, what = excluded.what,
		good = CASE WHEN excluded.good <> 0 THEN excluded.good ELSE checked.good END, fault = excluded.fault, took = excluded.took, job = excluded.job`, []Checked{c})
}

// AllChecked returns the last checks of a tenant's systems.
func (tx *Tx) AllChecked(tenant string) ([]Checked, error) {
	return query[Checked](tx, "SELECT "+checkedColumns+" FROM checked WHERE tenant = ? ORDER BY system", tenant)
}
