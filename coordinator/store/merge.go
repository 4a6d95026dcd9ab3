package store

// Kinds of a [Merge].
const (
	Merged = "merge"
	Split  = "split"
)

// A Merge is what an admin did about who is whom: two people made one, or one made two.
type Merge struct {
	Tenant   string
	ID       int64
	Kind     string
	At       Instant
	Who      string
	Person   string // id of who stays
	Other    string // id of who was merged into them, or made of them
	Body     []byte // what changed hands: of coordinator/intake
	Undone   Instant
	UndoneBy string
}

const mergeColumns = "tenant, id, kind, at, who, person, other, body, undone, undone_by"

func (m *Merge) fields() []any {
	return []any{&m.Tenant, &m.ID, &m.Kind, &m.At, &m.Who, &m.Person, &m.Other, &m.Body, &m.Undone, &m.UndoneBy}
}

// PutMerge stores a merge; one without id gets one, and At.
func (tx *Tx) PutMerge(m *Merge) error {
	tx.touch(m.Tenant, TopicPeople)
	if m.ID == 0 {
		last, err := value[int64](tx, "SELECT coalesce(max(id), 0) FROM merge WHERE tenant = ?", m.Tenant)
		if err != nil {
			return err
		}
		m.ID, m.At = last+1, tx.Now
	}
	return insert(tx, "merge", mergeColumns, "ON CONFLICT (tenant, id) DO UPDATE SET undone = excluded.undone, undone_by = excluded.undone_by", []Merge{*m})
}

// Merge returns the merge, or [ErrNone].
func (tx *Tx) Merge(tenant string, id int64) (Merge, error) {
	return one[Merge](tx, "SELECT "+mergeColumns+" FROM merge WHERE tenant = ? AND id = ?", tenant, id)
}

// Merges returns up to limit merges before the given one, the newest first; 0 means from the end.
func (tx *Tx) Merges(tenant string, before int64, limit int) ([]Merge, error) {
	return query[Merge](tx, "SELECT "+mergeColumns+" FROM merge WHERE tenant = ? AND (CAST(? AS BIGINT) = 0 OR id < ?) ORDER BY id DESC LIMIT ?",
		tenant, before, before, limit)
}

// underIDs gives the ids under which the log tells of a person: theirs, and those of who was merged into them.
func (tx *Tx) underIDs(tenant, person string) (any, error) {
	ids, err := column[string](tx, "SELECT former FROM person_former WHERE tenant = ? AND person = ?", tenant, person)
	return list(append(ids, person)), err
}

// ofPerson is the condition that a row is of somebody, by [Tx.underIDs].
const ofPerson = "person <> '' AND person IN (SELECT value FROM json_each(?))"

// andPerson wants rows of somebody; "" wants all.
func (tx *Tx) andPerson(w *filter, tenant, person string) error {
	if person == "" {
		return nil
	}
	ids, err := tx.underIDs(tenant, person)
	w.text += " AND " + ofPerson
	w.args = append(w.args, ids)
	return err
}

// AddFormers notes that people were merged into a person; whoever had been merged into one of them is among them.
func (tx *Tx) AddFormers(tenant, person string, former []string) error {
	for _, f := range former {
		if _, err := tx.exec("INSERT INTO person_former (tenant, person, former) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", tenant, person, f); err != nil {
			return err
		}
		if _, err := tx.exec(`INSERT INTO person_former (tenant, person, former) SELECT tenant, ?, former FROM person_former
			WHERE tenant = ? AND person = ? ON CONFLICT DO NOTHING`, person, tenant, f); err != nil {
			return err
		}
	}
	return nil
}

// RemoveFormers takes back that a person, with who had been merged into them, was merged into another.
func (tx *Tx) RemoveFormers(tenant, person, former string) error {
	_, err := tx.exec(`DELETE FROM person_former WHERE tenant = ? AND person = ? AND (former = ? OR former IN
		(SELECT f.former FROM person_former f WHERE f.tenant = ? AND f.person = ?))`, tenant, person, former, tenant, former)
	return err
}

// GiveAccounts makes accounts of a system a person's, or nobody's.
func (tx *Tx) GiveAccounts(tenant, system string, ids []string, person string) error {
	_, err := tx.exec("UPDATE account SET person = ? WHERE tenant = ? AND system = ? AND id IN (SELECT value FROM json_each(?))", person, tenant, system, list(ids))
	return err
}

// GiveJobs makes another person's of a person's jobs in a system that are about one of the objects: those that have ended, and
// those that are placed ahead.
func (tx *Tx) GiveJobs(tenant, system, from, to string, objects []string) error {
	_, err := tx.exec(`UPDATE job SET person = ? WHERE tenant = ? AND person <> '' AND person = ? AND system = ? AND (ended <> 0 OR priority = ?)
		AND object IN (SELECT value FROM json_each(?))`, to, tenant, from, system, PriorityPlaced, list(objects))
	return err
}

// GivePasswords makes the passwords of a person another's.
func (tx *Tx) GivePasswords(tenant, system, from, to string) error {
	_, err := tx.exec("UPDATE password SET person = ? WHERE tenant = ? AND person = ? AND system = ?", to, tenant, from, system)
	return err
}

// NamesHeldBy returns the names of all systems that somebody holds.
func (tx *Tx) NamesHeldBy(tenant, holder string) ([]Name, error) {
	return query[Name](tx, "SELECT "+nameColumns+" FROM name WHERE tenant = ? AND holder = ? ORDER BY system, attribute, value", tenant, holder)
}

// KeptNamesOf returns the names of all systems that are kept for somebody.
func (tx *Tx) KeptNamesOf(tenant, holder string) ([]KeptName, error) {
	return query[KeptName](tx, "SELECT "+nameColumns+", until FROM name_kept WHERE tenant = ? AND holder = ? ORDER BY system, attribute, value", tenant, holder)
}

// PeopleNaming returns the ids of people in whose attributes a folded key stands: who may refer to the person by it.
func (tx *Tx) PeopleNaming(tenant, key string) ([]string, error) {
	return column[string](tx, "SELECT id FROM person WHERE tenant = ? AND instr(lower(attributes), ?) > 0", tenant, key)
}

// RemovePerson forgets a person who is nobody any more, with all that waits for
// them. The groups that they were in are due: nobody may be in them any more.
func (tx *Tx) RemovePerson(tenant, id string) error {
	tx.touch(tenant, TopicPeople, TopicProblems)
	for _, table := range []string{"due", "alarm", "waiting", "problem", "preview", "deviation", "known", "outside"} {
		if _, err := tx.exec("DELETE FROM "+table+" WHERE tenant = ? AND person = ?", tenant, id); err != nil {
			return err
		}
	}
	tx.raise(&tx.store.Due)
	if _, err := tx.exec("INSERT INTO due (tenant, person, at, why) SELECT tenant, id, CAST(? AS BIGINT), CAST(? AS TEXT) FROM person WHERE tenant = ? AND key IN (SELECT grp FROM member WHERE tenant = ? AND member = ?) "+dueSooner,
		tx.Now, "a member was made one with another", tenant, tenant, id); err != nil {
		return err
	}
	if _, err := tx.exec("DELETE FROM member WHERE tenant = ? AND member = ?", tenant, id); err != nil {
		return err
	}
	_, err := tx.exec("DELETE FROM person WHERE tenant = ? AND id = ?", tenant, id)
	return err
}
