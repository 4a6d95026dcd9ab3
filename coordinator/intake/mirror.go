package intake

import (
	"cmp"
	"errors"
	"slices"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Both ways: of a system that is source and target of one class, every object is
// a record or a mirror (mapping/mirror.go). Which, is decided once, when it is
// first seen, and kept with the account; so what we have written is never taken
// for news from there.
//
//	made by us                              mirror, with the result of the create
//	new, at the place of a create under way  not known yet: with that job's result, or at the end of a read after it
//	new                                     record
//	record, of somebody who has another     mirror from then on, where the other's source comes first (same_as)

// distinguish tells of new objects what they are.
func (s *scope) distinguish(changes []*change) error {
	var doubtful []*change
	for _, c := range changes {
		if !s.system.BothWays(c.account.Class) {
			continue
		}
		owner := s.owners[c.account.ID]
		switch {
		case owner != "" && (c.old == nil || c.old.Mirror != store.MirrorNone || c.old.Person != owner):
			c.account.Mirror = store.MirrorOurs
		case c.old == nil || c.old.Mirror == store.MirrorMaybe:
			doubtful = append(doubtful, c)
		}
	}
	if err := s.expected(doubtful); err != nil {
		return err
	}
	var known []store.Known
	var groups []store.Account
	for _, c := range changes {
		if c.account.Mirror == store.MirrorNone {
			continue
		}
		r, err := s.system.RecordOf(c.account.Class, false).Read(c.account.Object)
		if err != nil {
			continue // nothing can refer to it by its key
		}
		c.account.Match = directory.Fold(r.Key)
		if c.account.Class != s.system.Source.Class {
			groups = append(groups, c.account) // before the records of the batch that are in them
		} else if c.account.Person != "" {
			// Whoever names the mirror, as a manager, names its person.
			known = append(known, store.Known{Tenant: s.tenant, Value: c.account.Match, Person: c.account.Person})
		}
	}
	return errors.Join(s.tx.PutKnown(known), s.tx.PutAccounts(groups))
}

// expected tells of objects whether they stand where an account of ours is just being made.
func (s *scope) expected(doubtful []*change) error {
	if len(doubtful) == 0 {
		return nil
	}
	places := make([]string, len(doubtful))
	for i, c := range doubtful {
		places[i] = directory.Fold(c.account.Address)
		c.account.Mirror = store.MirrorNone
	}
	held, err := s.tx.Names(s.tenant, s.name, address, places)
	if err != nil || len(held) == 0 {
		return err
	}
	var holders []string
	for _, n := range held {
		holders = append(holders, n.Holder)
	}
	jobs, err := s.tx.PlanJobs(s.tenant, holders)
	if err != nil {
		return err
	}
	making := func(person string) bool {
		return slices.ContainsFunc(jobs, func(j store.Job) bool {
			return j.Person == person && j.System == s.name && j.Ended == 0 && (j.Class == "create" || j.Class == "find")
		})
	}
	for i, c := range doubtful {
		if slices.ContainsFunc(held, func(n store.Name) bool { return n.Value == places[i] && making(n.Holder) }) {
			c.account.Mirror = store.MirrorMaybe
		}
	}
	return nil
}

// decide takes as records what turned out to be none of ours: the create at whose place it stands has ended otherwise.
func (s *scope) decide() error {
	rows, err := s.tx.MaybeMirrors(s.tenant, s.name, atOnce)
	if err != nil || len(rows) == 0 {
		return err
	}
	return s.again(rows)
}

// foreign takes out of the groups that objects of a system say they are in those
// that are mirrors: who is in a group is for the system to say where its home is.
func (s *scope) foreign(system *mapping.System, records ...*directory.Attributes) error {
	return WithoutMirrors(s.tx, s.tenant, system, records...)
}

// WithoutMirrors takes out of the groups of attributes, which objects of a
// system gave, those whose home is elsewhere.
func WithoutMirrors(tx *store.Tx, tenant string, system *mapping.System, of ...*directory.Attributes) error {
	if system.GroupTarget == nil || !system.GroupTarget.BothWays {
		return nil
	}
	key := func(group string) string { return directory.Fold(directory.GroupKey(group)) }
	var keys []string
	for _, a := range of {
		v, _ := a.Get(inGroups)
		list, _ := v.([]string)
		for _, group := range list {
			keys = append(keys, key(group))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	rows, err := tx.MirrorsByMatch(tenant, system.Name, slices.Compact(keys))
	if err != nil || len(rows) == 0 {
		return err
	}
	for _, a := range of {
		v, _ := a.Get(inGroups)
		if list, ok := v.([]string); ok {
			a.Set(inGroups, slices.DeleteFunc(slices.Clone(list), func(group string) bool {
				return slices.ContainsFunc(rows, func(m store.Account) bool { return m.Mirror == store.MirrorOurs && m.Match == key(group) })
			}))
		}
	}
	return nil
}

// homes finds the one home of each person who has records in several systems:
// where the source of the lowest precedence is, and of equal ones the first by
// name. Their objects in other systems that go both ways are mirrors from then on.
func (s *scope) homes(people []*draft, changes []*change) error {
	for _, d := range people {
		lead := d.home()
		if lead == nil {
			continue
		}
		for i := range d.records {
			if r := &d.records[i]; !r.source.Joins && r.system != lead.system {
				if err := s.mirror(d, r, lead.system, changes); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// home gives the record of the system where the person has their home; nil where there is no question.
func (d *draft) home() *record {
	var lead *record
	several := false
	for i := range d.records {
		r := &d.records[i]
		if r.source.Joins {
			continue
		}
		if several = several || lead != nil && r.system != lead.system; lead == nil ||
			cmp.Or(cmp.Compare(r.source.Precedence, lead.source.Precedence), cmp.Compare(r.system, lead.system)) < 0 {
			lead = r
		}
	}
	if !several {
		return nil
	}
	return lead
}

// mirror makes a mirror of a record, if its system goes both ways.
func (s *scope) mirror(d *draft, r *record, home string, changes []*change) error {
	row, err := s.tx.System(s.tenant, r.system)
	if err != nil {
		return err
	}
	system, err := s.Systems.Get(row)
	if err != nil || !system.BothWays(r.source.Class) {
		return nil // a source, and nothing else
	}
	r.source = system.RecordOf(r.source.Class, true)
	var groups directory.Attributes
	if v, known := r.attributes.Get(inGroups); known {
		groups.Set(inGroups, v)
	}
	r.attributes, d.moved = groups, true
	here := slices.IndexFunc(changes, func(c *change) bool { return r.system == s.name && c.account.ID == r.id })
	if here >= 0 {
		changes[here].account.Mirror = store.MirrorOurs
	}
	return errors.Join(s.tx.SetMirrors(s.tenant, r.system, []string{r.id}, store.MirrorOurs), s.tx.AddHistory([]store.History{{
		Tenant: s.tenant, Kind: history.Matched, System: r.system, Person: d.row.ID, Account: r.id,
		Text: "the object that was there is theirs; their home is " + home}}))
}

// turn makes mirrors of a system's accounts where a document that goes both ways takes the place of one that only wrote.
func turn(tx *store.Tx, tenant string, before, after *mapping.System) error {
	for _, t := range []*mapping.Target{after.Target, after.GroupTarget} {
		if t != nil && Turns(before, after, t.Class) {
			if err := tx.MirrorAll(tenant, after.Name, t.Class); err != nil {
				return err
			}
		}
	}
	return nil
}

// Turns tells whether the accounts of a class become mirrors where one document
// takes the place of another, which made nobody of them.
func Turns(before, after *mapping.System, class string) bool {
	if before == nil || after == nil || !after.BothWays(class) {
		return false
	}
	was, src := before.TargetOf(class), before.RecordOf(class, false)
	return was != nil && !was.WriteBack && !was.BothWays && (src == nil || src.Joins)
}
