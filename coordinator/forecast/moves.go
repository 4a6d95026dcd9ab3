package forecast

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// place is where a record is.
type place struct{ system, id string }

// moves are the records that changed sources would give to other people than
// they have now, and the people who would be made.
type moves struct {
	*Forecaster
	tally *tally
	owner map[place]string     // whose a record would be; "": nobody's. Records that stay are not in it
	gets  map[string][]place   // by person: records that are somebody else's now
	fresh map[string]*newcomer // by folded key
}

// A newcomer is somebody who would be made.
type newcomer struct {
	key    string
	kind   string
	voices []intake.Voice
}

func newMoves(f *Forecaster, t *tally) *moves {
	return &moves{Forecaster: f, tally: t, owner: map[place]string{}, gets: map[string][]place{}, fresh: map[string]*newcomer{}}
}

// fresher begins the ids of people who are not there yet.
const fresher = "new:"

// source finds whose the records of a source would be.
func (m *moves) source(ctx context.Context, name string) error {
	next := m.next[name]
	if next.Source == nil || !m.known(name) {
		return nil // without a source its records are nobody's: see sourced
	}
	for last, more := "", true; more; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		rows, err := m.tx.AccountsAfter(m.tenant, name, last, page)
		if err != nil {
			return err
		}
		if more = len(rows) == page; len(rows) > 0 {
			last = rows[len(rows)-1].ID
		}
		for _, src := range []*mapping.Source{next.Source, next.GroupSource} {
			if src == nil {
				continue
			}
			if err := m.correlate(name, src, rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// correlate finds whose records would be: who has the key, or is known by
// same_as, as intake does.
func (m *moves) correlate(name string, src *mapping.Source, rows []store.Account) error {
	type candidate struct {
		store.Account
		mapping.Record
	}
	var ask []candidate
	var keys, alike []string
	for _, a := range rows {
		if a.Gone != 0 || a.Class != src.Class || src.OfAccounts || m.mirror(a) {
			continue
		}
		r, err := src.Read(a.Object)
		if err != nil {
			m.refused(name, a, err)
			continue
		}
		if a.Person != "" && m.sameKey(name, a, r) {
			continue
		}
		ask = append(ask, candidate{a, r})
		keys = append(keys, directory.Fold(r.Key))
		alike = append(alike, r.SameAs)
	}
	if len(ask) == 0 {
		return nil
	}
	byKey, err := m.byKey(keys)
	if err != nil {
		return err
	}
	known, err := m.tx.KnownBy(m.tenant, src.SameAs, nonEmpty(alike))
	if err != nil {
		return err
	}
	for _, c := range ask {
		key := directory.Fold(c.Record.Key)
		owner, same := byKey[key], knownAs(known, c.SameAs)
		switch {
		case key != "" && owner != "":
		case len(same) == 1 && src.SameAs != "":
			owner = same[0]
		case len(same) > 1 || key == "" || src.Joins:
			owner = ""
		default:
			owner = fresher + key
			n := m.fresh[key]
			if n == nil {
				n = &newcomer{key: c.Record.Key, kind: kindOf(src)}
				m.fresh[key] = n
			}
			n.voices = append(n.voices, intake.Voice{System: name, ID: c.Account.ID, Key: c.Record.Key, Source: src, Attributes: c.Record.Attributes})
		}
		if owner != c.Person {
			at := place{name, c.Account.ID}
			m.owner[at] = owner
			if owner != "" && !strings.HasPrefix(owner, fresher) {
				m.gets[owner] = append(m.gets[owner], at)
			}
		}
	}
	return nil
}

// sameKey tells whether the key of a record stays what it is.
func (m *moves) sameKey(name string, a store.Account, r mapping.Record) bool {
	before := recordOf(m.present[name], a, false)
	if before == nil {
		return false
	}
	was, err := before.Read(a.Object)
	return err == nil && directory.Fold(was.Key) == directory.Fold(r.Key)
}

// refused counts a record that the new rules cannot take, and the present ones can.
func (m *moves) refused(name string, a store.Account, err error) {
	if before := recordOf(m.present[name], a, false); before != nil {
		if _, was := before.Read(a.Object); was != nil {
			return
		}
	}
	m.tally.rejected(cmp.Or(a.Address, name+" "+a.ID), err)
}

// byKey gives the ids of people by their folded keys, present or earlier.
func (m *moves) byKey(keys []string) (map[string]string, error) {
	keys = nonEmpty(keys)
	people, err := m.tx.PeopleByKey(m.tenant, keys)
	if err != nil {
		return nil, err
	}
	known, err := m.tx.KnownBy(m.tenant, "", keys)
	ids := make(map[string]string, len(people))
	for _, k := range known {
		ids[k.Value] = k.Person
	}
	for _, p := range people {
		ids[p.Key] = p.ID
	}
	return ids, err
}

func knownAs(known []store.Known, value string) (people []string) {
	for _, k := range known {
		if value != "" && k.Value == value {
			people = append(people, k.Person)
		}
	}
	return people
}

// records gives the accounts of people that are records of sources, as they are
// now, and those that would be theirs.
func (m *moves) records(rows []store.Person) (map[string][]store.Account, error) {
	ids := make([]string, len(rows))
	here := make(map[string]bool, len(rows))
	gets := map[string][]string{} // ids of records by system
	for i, row := range rows {
		ids[i], here[row.ID] = row.ID, true
		for _, at := range m.gets[row.ID] {
			gets[at.system] = append(gets[at.system], at.id)
		}
	}
	accounts, err := m.tx.AccountsOf(m.tenant, ids)
	if err != nil {
		return nil, err
	}
	for system, ids := range gets {
		more, err := m.tx.Accounts(m.tenant, system, ids)
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, more...)
	}
	of := map[string][]store.Account{}
	for _, a := range accounts {
		if a.Gone != 0 || recordOf(m.present[a.System], a, false) == nil && recordOf(m.next[a.System], a, m.mirror(a)) == nil {
			continue
		}
		if here[a.Person] {
			of[a.Person] = append(of[a.Person], a)
		}
		if to := m.owner[place{a.System, a.ID}]; here[to] && to != a.Person {
			of[to] = append(of[to], a)
		}
	}
	return of, nil
}

// recordOf gives the source by which an account tells of its person; nil where it
// does not. It may be a mirror where it was none.
func recordOf(s *mapping.System, a store.Account, mirror bool) *mapping.Source {
	if s == nil {
		return nil
	}
	return s.RecordOf(a.Class, mirror || a.Mirror != store.MirrorNone)
}

// read reads a record by the new document of its system.
func (f *Forecaster) read(a store.Account, src *mapping.Source) (mapping.Record, error) {
	r, err := src.Read(a.Object)
	if err == nil {
		err = intake.WithoutMirrors(f.tx, f.tenant, f.next[a.System], &r.Attributes)
	}
	return r, err
}

// makes tells whether an account makes somebody of its person.
func makes(src *mapping.Source) bool { return src != nil && !src.Joins }

// mirror tells whether an account would be a mirror.
func (f *Forecaster) mirror(a store.Account) bool {
	return a.Mirror != store.MirrorNone || a.Person != "" && intake.Turns(f.present[a.System], f.next[a.System], a.Class)
}

// theirs tells whether a record would be the person's.
func (m *moves) theirs(a store.Account, person string) bool {
	if to, moved := m.owner[place{a.System, a.ID}]; moved {
		return to == person
	}
	return a.Person == person && recordOf(m.next[a.System], a, m.mirror(a)) != nil
}

// sourced tells whether the person has a record in a source that makes people, now and then.
func (m *moves) sourced(records []store.Account, person string) (was, is bool) {
	for _, a := range records {
		was = was || a.Person == person && makes(recordOf(m.present[a.System], a, false))
		is = is || m.theirs(a, person) && makes(recordOf(m.next[a.System], a, m.mirror(a)))
	}
	return was, is
}

// anew makes the person of their records as the new documents read them at an
// instant. One of whom a record cannot be taken keeps what they have.
func (m *moves) anew(row store.Person, records []store.Account, p *directory.Person, at time.Time) {
	var voices []intake.Voice
	for _, a := range records {
		if !m.theirs(a, row.ID) {
			continue
		}
		src := recordOf(m.next[a.System], a, m.mirror(a))
		if src == nil {
			continue
		}
		r, err := m.read(a, src)
		if err != nil {
			if a.Person == row.ID {
				return
			}
			continue
		}
		voices = append(voices, intake.Voice{System: a.System, ID: a.ID, Key: r.Key, Source: src, Attributes: r.Attributes})
	}
	if attributes, key, made := intake.Together(voices, at); made {
		p.Attributes, p.Key = attributes, directory.Fold(key)
	}
}

// A fresh is somebody, or a group, who would be made.
type fresh struct {
	directory.Person
	kind string
}

// made gives those who would be made, in the order of their keys.
func (m *moves) made() []fresh {
	var people []fresh
	for key, n := range m.fresh {
		p := directory.Person{ID: fresher + key, Key: key, HasSource: true, Changed: m.tx.Now.Time()}
		p.Attributes, _, _ = intake.Together(n.voices, m.tx.Now.Time())
		people = append(people, fresh{p, n.kind})
	}
	slices.SortFunc(people, func(a, b fresh) int { return strings.Compare(a.Key, b.Key) })
	return people
}

// kindOf gives of what kind those are that a source makes.
func kindOf(src *mapping.Source) string {
	if src.OfGroups {
		return store.KindGroup
	}
	return ""
}

func nonEmpty(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
}
