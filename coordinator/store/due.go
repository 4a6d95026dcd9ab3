package store

// A Due is a person to be looked at again.
type Due struct {
	Tenant string
	Person string
	At     Instant
	Why    string
	Since  Instant // when the record of a source came that is the reason; none for another reason
	Cycle  int64   // in which that was; 0 for none
	Trace  string  // traceparent (W3C) of what that is part of; empty for none
}

const (
	alarmColumns = "tenant, person, at, why"
	dueColumns   = "tenant, person, at, why, since, cycle, trace"
	dueSooner    = `ON CONFLICT (tenant, person) DO UPDATE SET at = excluded.at, why = excluded.why, since = excluded.since, cycle = excluded.cycle,
		trace = excluded.trace WHERE excluded.at < due.at`
)

func (d *Due) fields() []any {
	return []any{&d.Tenant, &d.Person, &d.At, &d.Why, &d.Since, &d.Cycle, &d.Trace}
}

// MarkDue makes people due at an instant; one who is due sooner stays so.
func (tx *Tx) MarkDue(tenant string, at Instant, why string, people []string) error {
	return tx.MarkDueAs(Due{Tenant: tenant, At: at, Why: why}, people)
}

// MarkDueAs makes people due as the row says, which is of nobody; one who is due sooner stays so.
func (tx *Tx) MarkDueAs(as Due, people []string) error {
	if len(people) == 0 {
		return nil
	}
	rows := make([]Due, 0, len(people))
	for _, p := range people {
		if p != "" {
			as.Person = p
			rows = append(rows, as)
		}
	}
	tx.raise(&tx.store.Due)
	return insert(tx, "due", dueColumns, dueSooner, rows)
}

// MarkAllDue makes every person of a tenant due now, in the order of their keys: a mapping has changed, or a cycle has told of it.
func (tx *Tx) MarkAllDue(tenant, why string, cycle int64) error {
	tx.raise(&tx.store.Due)
	_, err := tx.exec("INSERT INTO due (tenant, person, at, why, cycle) SELECT tenant, id, ?, ?, ? FROM person WHERE tenant = ? ORDER BY key "+dueSooner,
		tx.Now, why, cycle, tenant)
	return err
}

// DuePeople returns up to limit people of all tenants that are due, the longest due first.
func (tx *Tx) DuePeople(limit int) ([]Due, error) {
	return query[Due](tx, "SELECT "+dueColumns+" FROM due WHERE at <= ? ORDER BY at LIMIT ?", tx.Now, limit)
}

// BusyAmong returns those of the people of whom something is yet to come in a system: they are due at any time, or have
// an open job or a problem there.
func (tx *Tx) BusyAmong(tenant, system string, people []string) ([]string, error) {
	among := list(people)
	return column[string](tx, `SELECT person FROM due WHERE tenant = ? AND person IN (SELECT value FROM json_each(?))
		UNION SELECT person FROM job WHERE tenant = ? AND system = ? AND person <> '' AND person IN (SELECT value FROM json_each(?)) AND ended = 0
		UNION SELECT person FROM problem WHERE tenant = ? AND system = ? AND person IN (SELECT value FROM json_each(?))`,
		tenant, among, tenant, system, among, tenant, system, among)
}

// DueAmong returns those of the people who are due by now.
func (tx *Tx) DueAmong(tenant string, people []string) ([]Due, error) {
	return query[Due](tx, "SELECT "+dueColumns+" FROM due WHERE tenant = ? AND at <= ? AND person IN (SELECT value FROM json_each(?)) ORDER BY at", tenant, tx.Now, list(people))
}

// NextDue returns when the earliest person is due, or none.
func (tx *Tx) NextDue() (Instant, error) {
	return value[Instant](tx, "SELECT coalesce(min(at), 0) FROM due")
}

// CountDue returns how many people of a tenant are due by now, and how many
// at a later instant.
func (tx *Tx) CountDue(tenant string) (now, later int, err error) {
	if now, err = value[int](tx, "SELECT count(*) FROM due WHERE tenant = ? AND at <= ?", tenant, tx.Now); err != nil {
		return 0, 0, err
	}
	later, err = value[int](tx, "SELECT count(*) FROM due WHERE tenant = ? AND at > ?", tenant, tx.Now)
	return now, later, err
}

// RemoveDue forgets that people were due by now.
func (tx *Tx) RemoveDue(tenant string, people []string) error {
	_, err := tx.exec("DELETE FROM due WHERE tenant = ? AND at <= ? AND person IN (SELECT value FROM json_each(?))", tenant, tx.Now, list(people))
	return err
}

// An Alarm is an instant at which a person's wanted state changes by itself.
type Alarm struct {
	Tenant string
	Person string
	At     Instant
	Why    string
}

func (a *Alarm) fields() []any { return []any{&a.Tenant, &a.Person, &a.At, &a.Why} }

// ReplaceAlarms makes alarms the only ones of people.
func (tx *Tx) ReplaceAlarms(tenant string, people []string, alarms []Alarm) error {
	if _, err := tx.exec("DELETE FROM alarm WHERE tenant = ? AND person IN (SELECT value FROM json_each(?))", tenant, list(people)); err != nil {
		return err
	}
	return insert(tx, "alarm", alarmColumns, "ON CONFLICT (tenant, person, at) DO UPDATE SET why = excluded.why", alarms)
}

// AlarmsOf returns the alarms of people, the earliest first.
func (tx *Tx) AlarmsOf(tenant string, people []string) ([]Alarm, error) {
	return query[Alarm](tx, "SELECT "+alarmColumns+" FROM alarm WHERE tenant = ? AND person IN (SELECT value FROM json_each(?)) ORDER BY at", tenant, list(people))
}

// RingAlarms makes the people of up to limit alarms whose instant has come due, and returns how many there were.
func (tx *Tx) RingAlarms(limit int) (int, error) {
	rang, err := query[Alarm](tx, "SELECT "+alarmColumns+" FROM alarm WHERE at <= ? ORDER BY at LIMIT ?", tx.Now, limit)
	if err != nil || len(rang) == 0 {
		return 0, err
	}
	tx.raise(&tx.store.Due)
	if err := insert(tx, "due", alarmColumns, dueSooner, rang); err != nil {
		return 0, err
	}
	last := rang[len(rang)-1].At
	if len(rang) < limit {
		_, err = tx.exec("DELETE FROM alarm WHERE at <= ?", tx.Now)
		return len(rang), err
	}
	// Those at the last instant ring again with the next ones: harmless.
	if rang[0].At == last {
		last++
	}
	_, err = tx.exec("DELETE FROM alarm WHERE at < ?", last)
	return len(rang), err
}

// NextAlarm returns the earliest alarm's instant, or none.
func (tx *Tx) NextAlarm() (Instant, error) {
	return value[Instant](tx, "SELECT coalesce(min(at), 0) FROM alarm")
}

// A Waiting is a person who waits for somebody else's account.
type Waiting struct {
	Tenant string
	System string
	Key    string // folded correlation key of the person waited for
	Person string // who waits
}

const waitingColumns = "tenant, system, key, person"

func (w *Waiting) fields() []any { return []any{&w.Tenant, &w.System, &w.Key, &w.Person} }

// ReplaceWaiting makes rows the only ones of people.
func (tx *Tx) ReplaceWaiting(tenant string, people []string, rows []Waiting) error {
	if _, err := tx.exec("DELETE FROM waiting WHERE tenant = ? AND person IN (SELECT value FROM json_each(?))", tenant, list(people)); err != nil {
		return err
	}
	return insert(tx, "waiting", waitingColumns, "ON CONFLICT DO NOTHING", rows)
}

// WaitingFor returns who waits in a system for the people with the ids.
func (tx *Tx) WaitingFor(tenant, system string, people []string) ([]Waiting, error) {
	return query[Waiting](tx, `SELECT w.tenant, w.system, w.key, w.person FROM json_each(?) i JOIN person p ON p.tenant = ? AND p.id = i.value
		JOIN waiting w ON w.tenant = p.tenant AND w.system = ? AND w.key = p.key
		UNION SELECT w.tenant, w.system, w.key, w.person FROM json_each(?) i JOIN known n ON n.tenant = ? AND n.person = i.value AND n.path = ''
		JOIN waiting w ON w.tenant = n.tenant AND w.system = ? AND w.key = n.value`, list(people), tenant, system, list(people), tenant, system)
}

// RemoveWaitingFor forgets who waited in a system for the people with the keys.
func (tx *Tx) RemoveWaitingFor(tenant, system string, keys []string) error {
	_, err := tx.exec("DELETE FROM waiting WHERE tenant = ? AND system = ? AND key IN (SELECT value FROM json_each(?))", tenant, system, list(keys))
	return err
}
