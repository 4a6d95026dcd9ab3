package store

import (
	"cmp"
	"errors"
)

// A Person of the directory.
type Person struct {
	Tenant     string
	ID         string
	Key        string // correlation key, folded; unique
	Display    string
	Attributes string // JSON of directory.Attributes
	Made       Instant
	Changed    Instant
	Spelled    string // the key as the source writes it; empty while it is not known
	Kind       string // empty for a person; [KindGroup]
	Words      string // by which the person is found, a space between; empty while they are not found out
}

// Shown is the key for people's eyes.
func (p Person) Shown() string { return cmp.Or(p.Spelled, p.Key) }

const personColumns = "tenant, id, key, display, attributes, made, changed, spelled, words, kind"

func (p *Person) fields() []any {
	return []any{&p.Tenant, &p.ID, &p.Key, &p.Display, &p.Attributes, &p.Made, &p.Changed, &p.Spelled, &p.Words, &p.Kind}
}

// People returns those that are there of the people with the ids, in no order.
func (tx *Tx) People(tenant string, ids []string) ([]Person, error) {
	return query[Person](tx, "SELECT "+personColumns+" FROM person WHERE tenant = ? AND id IN (SELECT value FROM json_each(?))", tenant, list(ids))
}

// PeopleByKey returns those that are there of the people with the keys, in no order.
func (tx *Tx) PeopleByKey(tenant string, keys []string) ([]Person, error) {
	return query[Person](tx, "SELECT "+personColumns+" FROM person WHERE tenant = ? AND key IN (SELECT value FROM json_each(?))", tenant, list(keys))
}

// PeopleAfter returns up to limit people in the order of their ids, those after the given id: a way to walk over all.
func (tx *Tx) PeopleAfter(tenant, id string, limit int) ([]Person, error) {
	return query[Person](tx, "SELECT "+personColumns+" FROM person WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?", tenant, id, limit)
}

// A Said is what is said of a person, for those who look at very many.
type Said struct {
	ID         string
	Attributes string // JSON of directory.Attributes
}

func (s *Said) fields() []any { return []any{&s.ID, &s.Attributes} }

// SaidAfter returns what is said of up to limit people in the order of their
// ids: those after the given id, up to and with the last, "" meaning no end.
func (tx *Tx) SaidAfter(tenant, id, last string, limit int) ([]Said, error) {
	if last == "" {
		return query[Said](tx, "SELECT id, attributes FROM person WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?", tenant, id, limit)
	}
	return query[Said](tx, "SELECT id, attributes FROM person WHERE tenant = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?", tenant, id, last, limit)
}

// DividePeople returns ids that divide a tenant's people into so many parts of about the same size: one less than these.
func (tx *Tx) DividePeople(tenant string, parts int) ([]string, error) {
	n, err := tx.CountPeople(tenant)
	var ids []string
	for i := 1; i < parts && err == nil && n >= parts; i++ {
		var id string
		if id, err = value[string](tx, "SELECT id FROM person WHERE tenant = ? ORDER BY id LIMIT 1 OFFSET ?", tenant, n*i/parts); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// PutPeople stores people, new or changed; key and Made of one that is there stay.
func (tx *Tx) PutPeople(rows []Person) error {
	for _, p := range rows {
		tx.touch(p.Tenant, TopicPeople)
	}
	return insert(tx, "person", personColumns, `ON CONFLICT (tenant, id) DO UPDATE SET display = excluded.display,
		attributes = excluded.attributes, changed = excluded.changed, spelled = excluded.spelled, words = excluded.words`, rows)
}

// KindGroup is the kind of a group of the directory, which stands among people.
const KindGroup = "group"

// CountPeople returns how many people a tenant has, without groups.
func (tx *Tx) CountPeople(tenant string) (int, error) {
	all, err1 := value[int](tx, "SELECT count(*) FROM person WHERE tenant = ?", tenant)
	groups, err2 := value[int](tx, "SELECT count(*) FROM person WHERE tenant = ? AND kind <> ''", tenant)
	return all - groups, errors.Join(err1, err2)
}
