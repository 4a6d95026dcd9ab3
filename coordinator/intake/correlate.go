package intake

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A saying is a record of the batch, and whose it is.
type saying struct {
	*change
	mapping.Record
	key   string // folded
	draft *draft // nil: nobody's
}

// correlate finds whose the records are: who has the key, now or earlier; else
// the one who is known by the value of same_as; else somebody new, unless the
// source makes nobody. Where several are known by the value nothing is done, and
// the reject names them.
func (s *scope) correlate(read []*saying) (people map[string]*draft, doubtful []store.Reject, err error) {
	people = make(map[string]*draft, len(read))
	if s.system.Source.OfAccounts {
		return people, nil, s.holders(read, people)
	}
	keys := make([]string, 0, len(read))
	for _, r := range read {
		if r.key != "" {
			keys = append(keys, r.key)
		}
	}
	byKey, err := s.people(keys, people)
	if err != nil {
		return nil, nil, err
	}
	alike, err := s.alike(read, byKey, people)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range read {
		if d := byKey[r.key]; d != nil && r.key != "" {
			r.draft = d
			continue
		}
		switch same := alike[r.SameAs]; {
		case r.SameAs != "" && len(same) > 1:
			doubtful = append(doubtful, s.doubtful(r, same))
			continue
		case r.SameAs != "" && len(same) == 1:
			r.draft = same[0]
		case !s.system.Source.Joins && r.key != "":
			r.draft = &draft{isNew: true, row: store.Person{Tenant: s.tenant, ID: NewID(s.tx.Now.Time()), Key: r.key, Spelled: r.Key, Kind: s.kind(), Made: s.tx.Now, Changed: s.tx.Now}}
			people[r.draft.row.ID] = r.draft
			if r.SameAs != "" {
				alike[r.SameAs] = append(alike[r.SameAs], r.draft)
			}
		default:
			continue
		}
		if r.key != "" {
			byKey[r.key] = r.draft
			r.draft.keys = append(r.draft.keys, r.key)
		}
	}
	return people, doubtful, nil
}

// holders finds whose the records are where they are accounts.
func (s *scope) holders(read []*saying, people map[string]*draft) error {
	known := make([]store.Known, len(read))
	for i, r := range read {
		known[i].Person = r.account.Person
	}
	if err := s.draw(known, people); err != nil {
		return err
	}
	for _, r := range read {
		r.draft = people[r.account.Person]
	}
	return nil
}

// people gives who has the folded keys, and adds them to the people of the batch.
func (s *scope) people(keys []string, people map[string]*draft) (map[string]*draft, error) {
	rows, err := s.tx.PeopleByKey(s.tenant, keys)
	if err != nil {
		return nil, err
	}
	byKey := make(map[string]*draft, len(keys))
	for _, row := range rows {
		d := &draft{row: row}
		byKey[row.Key], people[row.ID] = d, d
	}
	others := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return byKey[k] != nil })
	known, err := s.tx.KnownBy(s.tenant, "", others)
	if err != nil {
		return nil, err
	}
	if err := s.draw(known, people); err != nil {
		return nil, err
	}
	for _, k := range known {
		byKey[k.Value] = people[k.Person]
	}
	return byKey, nil
}

// alike gives the people known by the values of same_as of records whose key nobody has.
func (s *scope) alike(read []*saying, byKey, people map[string]*draft) (map[string][]*draft, error) {
	alike := map[string][]*draft{}
	path := s.system.Source.SameAs
	if path == "" {
		return alike, nil
	}
	if err := s.knowAll(path); err != nil {
		return nil, err
	}
	var values []string
	for _, r := range read {
		if r.SameAs != "" && byKey[r.key] == nil {
			values = append(values, r.SameAs)
		}
	}
	known, err := s.tx.KnownBy(s.tenant, path, values)
	if err != nil {
		return nil, err
	}
	if err := s.draw(known, people); err != nil {
		return nil, err
	}
	for _, k := range known {
		if d := people[k.Person]; d != nil {
			alike[k.Value] = append(alike[k.Value], d)
		}
	}
	return alike, nil
}

// draw loads the people of known that the batch does not have yet.
func (s *scope) draw(known []store.Known, people map[string]*draft) error {
	var ids []string
	for _, k := range known {
		if people[k.Person] == nil {
			ids = append(ids, k.Person)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := s.tx.People(s.tenant, ids)
	for _, row := range rows {
		people[row.ID] = &draft{row: row}
	}
	return err
}

// ambiguous begins the reason of a reject that is tried again with each read.
const ambiguous = "ambiguous: "

// doubtful is the reject of a record that may be that of several people.
func (s *scope) doubtful(r *saying, same []*draft) store.Reject {
	who := make([]string, len(same))
	for i, d := range same {
		who[i] = strings.TrimSpace(d.row.Shown() + " " + d.row.Display)
	}
	slices.Sort(who)
	place := cmp.Or(r.object.Address, s.system.Source.Class+" "+r.account.ID)
	return store.Reject{Tenant: s.tenant, System: s.name, Place: place, Cycle: s.cycle, Object: r.account.ID, Stays: true,
		Reason: fmt.Sprintf(ambiguous+"%s %q is that of %d people: %s; nobody was picked, and nobody made of it; correct it with all but the one, "+
			"and the record is theirs with the next read", s.system.Source.SameAs, r.SameAs, len(who), strings.Join(who, ", "))}
}

// lead gives the person the key of the record that leads.
func (d *draft) lead(spelled string) {
	if spelled == "" || spelled == d.row.Spelled {
		return
	}
	if key := directory.Fold(spelled); key != d.row.Key {
		d.was = d.row.Shown()
		d.keys = append(d.keys, d.row.Key, key)
		d.row.Key = key
	}
	d.respelled = true
	d.row.Spelled = spelled
}

// rekey stores the keys of people who have another one now, and keeps all they ever had.
func (s *scope) rekey(people []*draft) error {
	var known []store.Known
	for _, d := range people {
		for _, key := range d.keys {
			if d.isNew && key == d.row.Key && len(d.keys) == 1 {
				continue // the present key of who has only one stands with the person
			}
			known = append(known, store.Known{Tenant: s.tenant, Value: key, Person: d.row.ID})
		}
		if d.was != "" && !d.isNew {
			if err := s.tx.Rekey(s.tenant, d.row.ID, d.row.Key, d.row.Spelled); err != nil {
				return err
			}
		}
	}
	return s.tx.PutKnown(known)
}

// know keeps what people are known by as their attributes now are.
func (s *scope) know(people []*draft, before map[*draft]string) error {
	paths, err := s.tx.KnownPaths(s.tenant)
	if err != nil {
		return err
	}
	var put, remove []store.Known
	var fresh []string // keys and values that somebody is known by since now
	for _, d := range people {
		if d.isNew {
			fresh = append(fresh, d.row.Key)
		}
		fresh = append(fresh, d.keys...)
		if d.row.Attributes == before[d] {
			continue
		}
		was, is := valuesAt(before[d], paths), valuesAt(d.row.Attributes, paths)
		for i, path := range paths {
			k := store.Known{Tenant: s.tenant, Path: path, Person: d.row.ID}
			if was[i] == is[i] {
				continue
			}
			if k.Value = was[i]; k.Value != "" {
				remove = append(remove, k)
			}
			if k.Value = is[i]; k.Value != "" {
				put, fresh = append(put, k), append(fresh, k.Value)
			}
		}
	}
	if err := s.tx.RemoveKnown(remove); err != nil {
		return err
	}
	if err := s.tx.PutKnown(put); err != nil {
		return err
	}
	if s.fresh != nil { // whose records are yet to be stored: whoever is woken tells of people beside them
		*s.fresh = append(*s.fresh, fresh...)
		return nil
	}
	return s.wake(fresh)
}

// wake takes the records of sources that make nobody, and that were nobody's while nobody was known by their values.
func (s *scope) wake(values []string) error {
	if len(values) == 0 {
		return nil
	}
	sources, err := s.sources()
	if err != nil {
		return err
	}
	for name, src := range sources {
		if !src.Joins || src.OfAccounts {
			continue
		}
		rows, err := s.tx.AccountsByMatch(s.tenant, name, values)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			continue
		}
		other, err := s.scope(s.tx, s.tenant, name)
		if err != nil {
			return err
		}
		if err := other.again(rows); err != nil {
			return err
		}
	}
	return nil
}

// retry takes the records anew of which it could not be told whose they are.
func (s *scope) retry() error {
	if s.system.Source == nil || s.system.Source.SameAs == "" {
		return nil
	}
	rejects, err := s.tx.Rejects(s.tenant, s.name, 1000)
	if err != nil {
		return err
	}
	var ids []string
	for _, r := range rejects {
		if r.Stays && strings.HasPrefix(r.Reason, ambiguous) {
			ids = append(ids, r.Object)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := s.tx.Accounts(s.tenant, s.name, ids)
	if err != nil {
		return err
	}
	return s.again(rows)
}

// valuesAt gives the folded texts at paths of stored attributes.
func valuesAt(stored string, paths []string) []string {
	values := make([]string, len(paths))
	a, err := directory.ParseAttributes(stored)
	for i, path := range paths {
		if err == nil {
			values[i] = directory.Fold(a.Text(path))
		}
	}
	return values
}

// knowAll has every person known by their value at path, once and for all.
func (s *scope) knowAll(path string) error {
	paths, err := s.tx.KnownPaths(s.tenant)
	if err != nil || slices.Contains(paths, path) {
		return err
	}
	for last, more := "", true; more; {
		rows, err := s.tx.PeopleAfter(s.tenant, last, atOnce)
		if err != nil {
			return err
		}
		more = len(rows) == atOnce
		var known []store.Known
		for _, row := range rows {
			last = row.ID
			if value := valuesAt(row.Attributes, []string{path})[0]; value != "" {
				known = append(known, store.Known{Tenant: s.tenant, Path: path, Value: value, Person: row.ID})
			}
		}
		if err := s.tx.PutKnown(known); err != nil {
			return err
		}
	}
	return s.tx.AddKnownPath(s.tenant, path)
}
