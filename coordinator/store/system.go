package store

// A System is one configured instance of a connector at a site.
type System struct {
	Tenant    string
	Name      string
	Site      string
	Connector string
	Revision  int64
	Document  string // YAML as applied
	Applied   Instant
	Schema    []byte // connectorv1.SchemaResponse, protobuf; nil until read
	SchemaAt  Instant
	Health    string // linkv1.SystemHealth, JSON
	NextRead  Instant
	Evaluated int64 // revision by which its stored accounts were evaluated
	ReadAs    int64 // revision that was in force when the last believed read began: a target is planned only when it is the present one
	Asked     int64 // what somebody has asked for of the next read: [AskedNothing] …
	Planned   int64 // revision by which everybody was last planned, or found not to be touched by the edits since

	// Who and Note are said to ApplySystem alone: who applies the document, and why.
	Who, Note string
}

// What may be asked for of the next read.
const (
	AskedNothing int64 = iota
	AskedChanges
	AskedEverything
)

const systemColumns = "tenant, name, site, connector, revision, document, applied, schema, schema_at, health, next_read, evaluated, read_as, asked, planned"

func (s *System) fields() []any {
	return []any{&s.Tenant, &s.Name, &s.Site, &s.Connector, &s.Revision, &s.Document, &s.Applied, &s.Schema, &s.SchemaAt, &s.Health, &s.NextRead,
		&s.Evaluated, &s.ReadAs, &s.Asked, &s.Planned}
}

// ApplySystem stores a system's document with the next revision, which it
// returns, and keeps the documents before it as versions; schema, health and schedule stay as they are. NextRead of s is taken
// when the system is new.
func (tx *Tx) ApplySystem(s System) (revision int64, err error) {
	tx.touch(s.Tenant, TopicSystems)
	tx.raise(&tx.store.Systems)
	if s.Health == "" {
		s.Health = "{}"
	}
	s.Revision, err = tx.addVersion(Version{Tenant: s.Tenant, System: s.Name, Document: s.Document, Who: s.Who, Note: s.Note})
	if err != nil {
		return 0, err
	}
	s.Applied = tx.Now
	return s.Revision, insert(tx, "system", systemColumns, `ON CONFLICT (tenant, name) DO UPDATE SET site = excluded.site, connector = excluded.connector,
		revision = excluded.revision, document = excluded.document, applied = excluded.applied`, []System{s})
}

// System returns the system, or [ErrNone].
func (tx *Tx) System(tenant, name string) (System, error) {
	return one[System](tx, "SELECT "+systemColumns+" FROM system WHERE tenant = ? AND name = ?", tenant, name)
}

// Systems returns a tenant's systems by name.
func (tx *Tx) Systems(tenant string) ([]System, error) {
	return query[System](tx, "SELECT "+systemColumns+" FROM system WHERE tenant = ? ORDER BY name", tenant)
}

// SystemsOfSite returns the systems of a site by name.
func (tx *Tx) SystemsOfSite(tenant, site string) ([]System, error) {
	return query[System](tx, "SELECT "+systemColumns+" FROM system WHERE tenant = ? AND site = ? ORDER BY name", tenant, site)
}

// SystemRevisions returns the systems of all tenants, in the order of names, of each only which it is: Tenant, Site, Name and Revision.
func (tx *Tx) SystemRevisions() ([]System, error) {
	return queryAny(tx, func(scan scan, s *System) error { return scan(&s.Tenant, &s.Site, &s.Name, &s.Revision) },
		"SELECT tenant, site, name, revision FROM system ORDER BY name")
}

// SystemsToRead returns the systems whose next read is due.
func (tx *Tx) SystemsToRead() ([]System, error) {
	return query[System](tx, "SELECT "+systemColumns+" FROM system WHERE next_read <> 0 AND next_read <= ? ORDER BY next_read", tx.Now)
}

// NextRead returns when the earliest scheduled read is due, or none.
func (tx *Tx) NextRead() (Instant, error) {
	return value[Instant](tx, "SELECT coalesce(min(next_read), 0) FROM system WHERE next_read <> 0")
}

// SetNextRead sets when the schedule reads a system again; none means never.
func (tx *Tx) SetNextRead(tenant, name string, at Instant) error {
	return tx.changed(tx.exec("UPDATE system SET next_read = ? WHERE tenant = ? AND name = ?", at, tenant, name))
}

// AskRead has the schedule read a system as soon as the read that is open has
// ended; of what was asked for before, the more counts.
func (tx *Tx) AskRead(tenant, name string, what int64) error {
	tx.raise(&tx.store.Systems)
	return tx.changed(tx.exec("UPDATE system SET next_read = ?, asked = CASE WHEN asked < CAST(? AS BIGINT) THEN CAST(? AS BIGINT) ELSE asked END WHERE tenant = ? AND name = ?",
		tx.Now, what, what, tenant, name))
}

// AnswerRead notes that a read has begun that brings what was asked for.
func (tx *Tx) AnswerRead(tenant, name string) error {
	_, err := tx.exec("UPDATE system SET asked = 0 WHERE tenant = ? AND name = ? AND asked <> 0", tenant, name)
	return err
}

// ReadSooner has a system that the schedule reads read at an instant if that is sooner than it would be.
func (tx *Tx) ReadSooner(tenant, name string, at Instant) error {
	tx.raise(&tx.store.Systems)
	_, err := tx.exec("UPDATE system SET next_read = ? WHERE tenant = ? AND name = ? AND next_read > ?", at, tenant, name, at)
	return err
}

// SetEvaluated notes the revision by which a system's stored accounts were evaluated.
func (tx *Tx) SetEvaluated(tenant, name string, revision int64) error {
	tx.raise(&tx.store.Systems)
	_, err := tx.exec("UPDATE system SET evaluated = ? WHERE tenant = ? AND name = ? AND evaluated < ?", revision, tenant, name, revision)
	return err
}

// SystemsToEvaluate returns the systems whose stored accounts were evaluated by an older revision.
func (tx *Tx) SystemsToEvaluate() ([]System, error) {
	return query[System](tx, "SELECT "+systemColumns+" FROM system WHERE evaluated < revision ORDER BY tenant, name")
}

// SetPlanned notes the revision by which everybody was planned, or found not to be touched.
func (tx *Tx) SetPlanned(tenant, name string, revision int64) error {
	_, err := tx.exec("UPDATE system SET planned = ? WHERE tenant = ? AND name = ? AND planned < ?", revision, tenant, name, revision)
	return err
}

// SystemsToTouch returns the systems that were read and evaluated by the
// present revision, and that not everybody was planned by.
func (tx *Tx) SystemsToTouch() ([]System, error) {
	return query[System](tx, "SELECT "+systemColumns+" FROM system WHERE planned < revision AND read_as = revision AND evaluated = revision ORDER BY tenant, name")
}

// CountToTouch returns how many of a tenant's systems wait for SystemsToTouch, or will once they are evaluated.
func (tx *Tx) CountToTouch(tenant string) (int, error) {
	return value[int](tx, "SELECT count(*) FROM system WHERE tenant = ? AND planned < revision AND read_as = revision", tenant)
}

// Unsettled returns, each once, the people who have a job that has not ended, a problem or a deviation in a system, or wait for somebody there.
func (tx *Tx) Unsettled(tenant, system string) ([]string, error) {
	return column[string](tx, `SELECT person FROM job WHERE tenant = ? AND system = ? AND ended = 0 AND person <> ''
		UNION SELECT person FROM problem WHERE tenant = ? AND system = ? AND person <> ''
		UNION SELECT person FROM deviation WHERE tenant = ? AND system = ?
		UNION SELECT person FROM waiting WHERE tenant = ? AND system = ?`, tenant, system, tenant, system, tenant, system, tenant, system)
}

// SetReadAs notes the revision that was in force when a believed read began.
func (tx *Tx) SetReadAs(tenant, name string, revision int64) error {
	tx.raise(&tx.store.Systems)
	_, err := tx.exec("UPDATE system SET read_as = ? WHERE tenant = ? AND name = ?", revision, tenant, name)
	return err
}

// SetSchema stores a schema as read now.
func (tx *Tx) SetSchema(tenant, name string, schema []byte) error {
	tx.touch(tenant, TopicSystems)
	return tx.changed(tx.exec("UPDATE system SET schema = ?, schema_at = ? WHERE tenant = ? AND name = ?", schema, tx.Now, tenant, name))
}

// SetHealth stores a system's health as told now. A system that is not there is no error: its agent may not know yet.
func (tx *Tx) SetHealth(tenant, name, health string) error {
	n, err := tx.exec("UPDATE system SET health = ? WHERE tenant = ? AND name = ? AND health <> ?", health, tenant, name, health)
	if n > 0 {
		tx.touch(tenant, TopicSystems)
	}
	return err
}

// RemoveSystem removes a system with its accounts, names, waits and problems; its jobs that have not ended are
// dropped. It reports whether it was there. Nothing is changed at the system itself.
func (tx *Tx) RemoveSystem(tenant, name string) (bool, error) {
	tx.touch(tenant, TopicSystems)
	tx.raise(&tx.store.Systems)
	for _, table := range []string{"account", "name", "waiting", "problem", "reject", "pushed", "pushed_group", "pushed_member", "deviation", "name_kept", "system_mode", "staged", "filled", "outside"} {
		if _, err := tx.exec("DELETE FROM "+table+" WHERE tenant = ? AND system = ?", tenant, name); err != nil {
			return false, err
		}
	}
	if _, err := tx.exec(`UPDATE job SET state = 'dropped', ended = ? WHERE tenant = ? AND system = ?
		AND ended = 0`, tx.Now, tenant, name); err != nil {
		return false, err
	}
	n, err := tx.exec("DELETE FROM system WHERE tenant = ? AND name = ?", tenant, name)
	return n == 1, err
}
