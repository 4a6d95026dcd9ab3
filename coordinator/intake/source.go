package intake

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A record is one source's word about a person.
type record struct {
	system     string
	id         string
	attributes directory.Attributes
}

// A draft is a person as the records leave them.
type draft struct {
	row     store.Person
	isNew   bool
	records []record
	moved   bool // a record came, went or returned
}

// source makes people of a source's records: who they are is their key.
func (s *scope) source(changes []*change) error {
	people, lost, err := s.evaluate(changes)
	if err != nil {
		return err
	}
	return s.settle(people, lost, changes)
}

// evaluate gives the people of the records by key, and the ids of those whose record became another's.
func (s *scope) evaluate(changes []*change) (people map[string]*draft, lost []string, err error) {
	src := s.system.Source
	type outcome struct {
		key        string
		attributes directory.Attributes
	}
	outcomes := make([]outcome, len(changes))
	var keys, taken []string
	var rejects []store.Reject
	for i, c := range changes {
		if c.account.Class != src.Class {
			continue
		}
		key, attributes, err := src.Person(c.account.Object)
		if err != nil {
			rejects = append(rejects, s.untaken(c, err))
			continue
		}
		if c.old != nil {
			taken = append(taken, c.account.ID)
		}
		outcomes[i] = outcome{key, attributes}
		keys = append(keys, key)
	}
	if err := s.tx.PutRejects(rejects); err != nil {
		return nil, nil, err
	}
	if len(taken) > 0 {
		if err := s.tx.RemoveRejectsOf(s.tenant, s.name, taken); err != nil {
			return nil, nil, err
		}
	}
	rows, err := s.tx.PeopleByKey(s.tenant, keys)
	if err != nil {
		return nil, nil, err
	}
	people = make(map[string]*draft, len(keys))
	for _, row := range rows {
		people[row.Key] = &draft{row: row}
	}
	for i, c := range changes {
		o := outcomes[i]
		if o.key == "" {
			continue
		}
		d := people[o.key]
		if d == nil {
			d = &draft{isNew: true, row: store.Person{Tenant: s.tenant, ID: newID(s.tx.Now.Time()), Key: o.key, Made: s.tx.Now, Changed: s.tx.Now}}
			people[o.key] = d
		}
		d.records = append(d.records, record{s.name, c.account.ID, o.attributes})
		if c.old == nil || c.account.Person != d.row.ID || c.old.Gone != 0 {
			d.moved = true
		}
		if c.account.Person != "" && c.account.Person != d.row.ID {
			lost = append(lost, c.account.Person)
		}
		c.account.Person = d.row.ID
	}
	return people, lost, nil
}

// untaken is the reject of a record that the mapping cannot take.
func (s *scope) untaken(c *change, err error) store.Reject {
	place := c.object.Address
	if place == "" {
		place = s.system.Source.Class + " " + c.account.ID
	}
	return store.Reject{Tenant: s.tenant, System: s.name, Place: place, Cycle: s.cycle, Object: c.account.ID, Stays: true,
		Reason: err.Error() + "; correct the record in the source, or the rule in the document; the person keeps what they had"}
}

// settle stores the people as all their records leave them, and makes those due for whom that changed something.
func (s *scope) settle(people map[string]*draft, lost []string, changes []*change) error {
	if err := s.complete(people, lost, changes); err != nil {
		return err
	}
	var rows []store.Person
	var log []store.History
	var due []string
	for _, d := range sorted(people) {
		before := d.row.Attributes
		if len(d.records) > 0 {
			attributes := merge(d.records)
			d.row.Attributes = string(attributes.AppendJSON(nil))
			d.row.Display = directory.Person{Key: d.row.Key, Attributes: attributes}.Display()
		}
		if d.row.Attributes == before && !d.moved {
			continue
		}
		d.row.Changed = s.tx.Now
		rows = append(rows, d.row)
		due = append(due, d.row.ID)
		log = append(log, s.told(d, before))
	}
	if err := s.tx.PutPeople(rows); err != nil {
		return err
	}
	if err := s.tx.AddHistory(log); err != nil {
		return err
	}
	return s.tx.MarkDue(s.tenant, s.tx.Now, "their record in "+s.name+" changed", due)
}

// complete adds to the people what other records say of them, and the people who lost a record.
func (s *scope) complete(people map[string]*draft, lost []string, changes []*change) error {
	byID := make(map[string]*draft, len(people))
	ids := lost
	for _, d := range people {
		byID[d.row.ID] = d
		if !d.isNew {
			ids = append(ids, d.row.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	left, err := s.tx.People(s.tenant, lost)
	if err != nil {
		return err
	}
	for _, row := range left {
		if d := byID[row.ID]; d != nil {
			d.moved = true
			continue
		}
		d := &draft{row: row, moved: true}
		people[row.Key], byID[row.ID] = d, d
	}
	sources, err := s.sources()
	if err != nil {
		return err
	}
	here := make(map[string]bool, len(changes))
	for _, c := range changes {
		here[c.account.ID] = true
	}
	accounts, err := s.tx.AccountsOf(s.tenant, ids)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		src, d := sources[a.System], byID[a.Person]
		if src == nil || d == nil || a.Gone != 0 || a.Class != src.Class || a.System == s.name && here[a.ID] {
			continue
		}
		if _, attributes, err := src.Person(a.Object); err == nil { // else it is a reject already
			d.records = append(d.records, record{a.System, a.ID, attributes})
		}
	}
	return nil
}

// sources gives the tenant's sources by the names of their systems.
func (s *scope) sources() (map[string]*mapping.Source, error) {
	rows, err := s.tx.Systems(s.tenant)
	if err != nil {
		return nil, err
	}
	out := make(map[string]*mapping.Source, len(rows))
	for _, row := range rows {
		system, err := s.Systems.Get(row)
		if err == nil && system.Source != nil {
			out[row.Name] = system.Source
		}
	}
	return out, nil
}

// merge gives the attributes that a person's records tell together: each from
// the first record that knows it. Systems come in the order of their names; of
// several records in one, that of the latest start.
func merge(records []record) directory.Attributes {
	if len(records) == 1 {
		return records[0].attributes
	}
	slices.SortFunc(records, func(a, b record) int {
		if n := strings.Compare(a.system, b.system); n != 0 {
			return n
		}
		if n := b.attributes.Time("startDate").Compare(a.attributes.Time("startDate")); n != 0 {
			return n
		}
		return strings.Compare(a.id, b.id)
	})
	var all directory.Attributes
	for _, r := range records {
		for path, value := range r.attributes.All() {
			if _, known := all.Get(path); !known {
				all.Set(path, value)
			}
		}
	}
	return all
}

// told is the entry of the log about what became of a person. It names attributes, never values.
func (s *scope) told(d *draft, before string) store.History {
	h := store.History{Tenant: s.tenant, Kind: "source-changed", System: s.name, Person: d.row.ID}
	switch {
	case d.isNew:
		h.Text = "new in " + s.name
		return h
	case len(d.records) == 0:
		h.Kind, h.Text = "source-gone", "no record in "+s.name+" any more"
		return h
	case before == d.row.Attributes:
		h.Text = "another record in " + s.name
		return h
	}
	was, err1 := directory.ParseAttributes(before)
	is, err2 := directory.ParseAttributes(d.row.Attributes)
	if err1 != nil || err2 != nil {
		h.Text = "changed in " + s.name
		return h
	}
	paths := is.Changes(was)
	h.Text = strings.Join(paths, ", ") + " changed in " + s.name
	h.Body, _ = json.Marshal(map[string]any{"changed": paths}) // strings always have a form
	return h
}

func sorted(people map[string]*draft) []*draft {
	all := make([]*draft, 0, len(people))
	for _, d := range people {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *draft) int { return strings.Compare(a.row.Key, b.row.Key) })
	return all
}

// newID returns an id of 20 characters; later ones sort behind.
func newID(now time.Time) string {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	rand.Read(b[6:]) // never fails: crypto/rand
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}
