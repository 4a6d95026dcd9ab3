package intake

import (
	"cmp"
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

// A draft is a person as the records leave them.
type draft struct {
	row       store.Person
	isNew     bool
	records   []record
	moved     bool   // a record came, went or returned
	was       string // the key before, where it is another now
	respelled bool
	keys      []string // folded, that are new for the person
}

// source makes people of a source's records: who they are is their key.
func (s *scope) source(changes []*change) error {
	people, lost, err := s.evaluate(changes)
	if err != nil {
		return err
	}
	return s.settle(people, lost, changes)
}

// evaluate gives the people of the records by id, and the ids of those whose record became another's.
func (s *scope) evaluate(changes []*change) (people map[string]*draft, lost []string, err error) {
	src := s.system.Source
	var read []*saying
	var taken []string
	var rejects []store.Reject
	for _, c := range changes {
		if c.account.Class != src.Class {
			continue
		}
		if src.OfAccounts && c.account.Person == "" {
			continue // it tells of somebody once it is known whose account it is
		}
		r, err := src.Read(c.account.Object)
		if err != nil {
			rejects = append(rejects, s.untaken(c, err))
			continue
		}
		if c.old != nil {
			taken = append(taken, c.account.ID)
		}
		read = append(read, &saying{change: c, Record: r, key: directory.Fold(r.Key)})
	}
	if len(taken) > 0 {
		if err := s.tx.RemoveRejectsOf(s.tenant, s.name, taken); err != nil {
			return nil, nil, err
		}
	}
	said := make([]*directory.Attributes, len(read))
	for i, r := range read {
		said[i] = &r.Attributes
	}
	if err := s.foreign(s.whole, said...); err != nil {
		return nil, nil, err
	}
	people, doubtful, err := s.correlate(read)
	if err != nil {
		return nil, nil, err
	}
	if err := s.tx.PutRejects(append(rejects, doubtful...)); err != nil {
		return nil, nil, err
	}
	for _, r := range read {
		c, d := r.change, r.draft
		if d == nil {
			c.account.Match = cmp.Or(r.SameAs, r.key) // whoever comes and has it gets the record
			if c.account.Person != "" && src.Joins {
				lost = append(lost, c.account.Person)
				c.account.Person = ""
			}
			continue
		}
		d.records = append(d.records, record{s.name, c.account.ID, r.Key, src, r.Attributes})
		if (c.old == nil || c.account.Person != d.row.ID || c.old.Gone != 0) && c.account.Mirror == store.MirrorNone {
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
	all := sorted(people)
	if err := s.homes(all, changes); err != nil {
		return err
	}
	before := make(map[*draft]string, len(all))
	for _, d := range all {
		before[d] = d.row.Attributes
		if slices.ContainsFunc(d.records, func(r record) bool { return !r.source.Joins }) { // else they keep what they had
			attributes, lead := merge(d.records, s.tx.Now.Time())
			d.row.Attributes = string(attributes.AppendJSON(nil))
			d.lead(lead.key)
			p := directory.Person{Key: d.row.Shown(), Attributes: attributes}
			d.row.Display, d.row.Words = p.Display(), strings.Join(p.Words(), " ")
		}
		if d.row.Attributes == before[d] && !d.moved && d.was == "" && !d.respelled {
			continue
		}
		if d.row.Attributes != before[d] || d.moved {
			d.row.Changed = s.tx.Now
			due = append(due, d.row.ID)
			log = append(log, s.told(d, before[d]))
		}
		rows = append(rows, d.row)
	}
	if err := s.rekey(all); err != nil {
		return err
	}
	if err := s.tx.PutPeople(rows); err != nil {
		return err
	}
	if err := s.know(all, before); err != nil {
		return err
	}
	if err := s.members(all, before); err != nil {
		return err
	}
	if err := s.tx.AddHistory(log); err != nil {
		return err
	}
	if err := s.preview(due); err != nil {
		return err
	}
	if len(due) == 0 {
		return nil
	}
	if written, err := s.written(); err != nil || !written {
		return err
	}
	as := store.Due{Tenant: s.tenant, At: s.tx.Now, Why: "their record in " + s.name + " changed", Since: s.tx.Now, Cycle: max(s.cycle, 0)}
	for s.Follow != nil && len(due) > 0 && s.followed < followed {
		one := as
		one.Trace = s.Follow(s.tenant, s.name, as.Cycle, s.trace)
		if err := s.tx.MarkDueAs(one, due[:1]); err != nil {
			return err
		}
		s.followed, due = s.followed+1, due[1:]
	}
	return s.tx.MarkDueAs(as, due)
}

// followed is how many people of a batch are followed: a first import of everybody tells nothing more than the first of them.
const followed = 20

// complete adds to the people what other records say of them, and the people who lost a record.
func (s *scope) complete(people map[string]*draft, lost []string, changes []*change) error {
	ids := lost
	for _, d := range people {
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
		if d := people[row.ID]; d != nil {
			d.moved = true
			continue
		}
		people[row.ID] = &draft{row: row, moved: true}
	}
	systems, err := s.systems()
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
		i, d := slices.IndexFunc(systems, func(system *mapping.System) bool { return system.Name == a.System }), people[a.Person]
		if i < 0 || d == nil || a.Gone != 0 || a.System == s.name && here[a.ID] {
			continue
		}
		src := systems[i].RecordOf(a.Class, a.Mirror != store.MirrorNone)
		if src == nil {
			continue
		}
		r, err := src.Read(a.Object)
		if err != nil {
			continue // a reject already
		}
		if err := s.foreign(systems[i], &r.Attributes); err != nil {
			return err
		}
		d.records = append(d.records, record{a.System, a.ID, r.Key, src, r.Attributes})
	}
	return nil
}

// written tells whether there is a system that is written to, as far as this
// release can tell. Before there is one nothing is to be planned: the first that
// is applied makes everybody due.
func (s *scope) written() (bool, error) {
	if s.whole.Target != nil {
		return true, nil
	}
	rows, err := s.tx.Systems(s.tenant)
	for _, row := range rows {
		if system, err := s.Systems.Get(row); err != nil || system.Target != nil {
			return true, nil
		}
	}
	return false, err
}

// systems gives the tenant's documents that can be used.
func (s *scope) systems() ([]*mapping.System, error) {
	rows, err := s.tx.Systems(s.tenant)
	if err != nil {
		return nil, err
	}
	out := make([]*mapping.System, 0, len(rows))
	for _, row := range rows {
		if system, err := s.Systems.Get(row); err == nil {
			out = append(out, system)
		}
	}
	return out, nil
}

// sources gives the tenant's sources by the names of their systems.
func (s *scope) sources() (map[string]*mapping.Source, error) {
	systems, err := s.systems()
	out := make(map[string]*mapping.Source, len(systems))
	for _, system := range systems {
		if system.Source != nil {
			out[system.Name] = system.Source
		}
	}
	return out, err
}

// told is the entry of the log about what became of a person. It names attributes, never values.
func (s *scope) told(d *draft, before string) store.History {
	h := store.History{Tenant: s.tenant, Kind: "source-changed", System: s.name, Person: d.row.ID}
	if s.name == theirSources {
		h.System = "" // no system is called so
	}
	switch {
	case d.isNew:
		h.Text = "new in " + s.name
		return h
	case !slices.ContainsFunc(d.records, func(r record) bool { return !r.source.Joins }):
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
	if d.was != "" {
		h.Text += "; now known as " + d.row.Shown() + ", before as " + d.was
	}
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

// NewID returns an id of 20 characters; later ones sort behind.
func NewID(now time.Time) string {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	rand.Read(b[6:]) // never fails: crypto/rand
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}
