package intake

import (
	"cmp"
	"slices"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// address is the name ledger's attribute for an object's place: two objects cannot be at one.
const address = "address"

// target finds what a target's objects mean for people: whose they are, which
// names they take, and who waited for them.
func (s *scope) target(changes []*change) error {
	t := s.system.Target
	if t.WriteBack {
		return s.drifted(changes)
	}
	var due, loose, joined []string // people; match values that may be keys; people who have got an account
	var freed, held []store.Name
	others := false
	for _, c := range changes {
		a := &c.account
		if a.Mirror == store.MirrorMaybe {
			continue // its names are of whoever is being made there
		}
		names := s.names(c.object)
		if c.old != nil {
			had := s.had(*c.old)
			freed = append(freed, s.freed(*c.old, without(had, names))...)
			if c.holds() {
				names = without(names, had)
			}
		}
		if a.Class != t.Class {
			others = others || c.old == nil
			held = append(held, owned(names, a.ID)...)
			continue
		}
		if t.Match != "" {
			if values, _ := c.object.Get(t.Match); len(values) > 0 {
				a.Match = directory.Fold(values[0])
			}
		}
		held = append(held, owned(names, cmp.Or(a.Person, a.ID))...)
		switch {
		case a.Person == "":
			if a.Match != "" && (c.old == nil || c.old.Match != a.Match || c.old.Gone != 0) {
				loose = append(loose, a.Match)
			}
		case c.old == nil || c.old.Person != a.Person:
			joined = append(joined, a.Person)
		}
		if writer := s.writers[a.ID]; a.Person != "" && (!s.write || writer != "" && writer != a.Person) {
			due = append(due, a.Person)
		}
	}
	if err := s.free(freed); err != nil {
		return err
	}
	if err := s.tx.PutNames(held); err != nil {
		return err
	}
	if others { // a group that was missed may be among them
		if err := s.tx.MarkProblemsDue(s.tenant, s.name, "missing reference", "something new is in "+s.name); err != nil {
			return err
		}
	}
	if err := s.strangers(changes); err != nil {
		return err
	}
	if len(loose) > 0 {
		people, err := s.tx.PeopleByKey(s.tenant, loose)
		if err != nil {
			return err
		}
		for _, p := range people {
			due = append(due, p.ID)
		}
	}
	if err := Joined(s.tx, s.tenant, s.name, joined); err != nil {
		return err
	}
	if err := s.drift(changes); err != nil {
		return err
	}
	return s.mark("their account in "+s.name+" changed", due)
}

// drifted makes those due whose records are written back to, and changed.
func (s *scope) drifted(changes []*change) error {
	var due []string
	for _, c := range changes {
		if c.account.Person != "" && !s.write {
			due = append(due, c.account.Person)
		}
	}
	return s.mark("their record in "+s.name+" changed", due)
}

// Joined wakes who waits in a system for the accounts of people, who have them now.
func Joined(tx *store.Tx, tenant, system string, people []string) error {
	if len(people) == 0 {
		return nil
	}
	waiting, err := tx.WaitingFor(tenant, system, people)
	if err != nil || len(waiting) == 0 {
		return err
	}
	due, keys := make([]string, len(waiting)), make([]string, len(waiting))
	for i, w := range waiting {
		due[i], keys[i] = w.Person, w.Key
	}
	if err := tx.MarkDue(tenant, tx.Now, "the account they waited for in "+system+" is there", due); err != nil {
		return err
	}
	return tx.RemoveWaitingFor(tenant, system, keys)
}

// names gives what an object of the target speaks for: its place, and its values of unique rules.
func (s *scope) names(o mapping.Object) []store.Name {
	if s.system.Target.WriteBack {
		return nil
	}
	var names []store.Name
	add := func(attribute, value string) {
		if value = directory.Fold(value); value != "" {
			names = append(names, store.Name{Tenant: s.tenant, System: s.name, Attribute: attribute, Value: value})
		}
	}
	add(address, o.Address)
	if o.Class != s.system.Target.Class {
		return names
	}
	for _, r := range s.system.Target.Rules {
		if r.Unique() {
			values, _ := o.Get(r.Attribute)
			for _, v := range values {
				add(r.Attribute, v)
			}
		}
	}
	return names
}

// keepNames frees what was spoken for by rules that the document has no more.
func (s *scope) keepNames() error {
	if s.system.Target == nil {
		return nil
	}
	attributes := []string{address}
	rules := s.system.Target.Rules
	if s.system.GroupTarget != nil {
		rules = slices.Concat(rules, s.system.GroupTarget.Rules)
	}
	for _, r := range rules {
		if r.Unique() {
			attributes = append(attributes, r.Attribute)
		}
	}
	return s.tx.KeepNames(s.tenant, s.name, attributes)
}

// had gives the names that an account's object spoke for as it was last known.
func (s *scope) had(old store.Account) []store.Name {
	object, err := mapping.ReadObject(old.Object)
	if err != nil {
		return nil
	}
	return s.names(object)
}

// holds tells whether what the object spoke for before is noted as its holder's
// still. It is not where the account was gone or another's, nor where the same
// object is looked at again, because the document has changed.
func (c *change) holds() bool {
	return c.old.Gone == 0 && c.old.Person == c.account.Person && c.old.Class == c.account.Class && string(c.old.Object) != string(c.account.Object)
}

// without gives a copy of names but some.
func without(names, some []store.Name) []store.Name {
	return slices.DeleteFunc(slices.Clone(names), func(n store.Name) bool { return slices.Contains(some, n) })
}

// freed gives names that an account has no more. They are held by its person,
// or by itself where it was nobody's when they were stored.
func (s *scope) freed(old store.Account, names []store.Name) []store.Name {
	if len(names) == 0 {
		return nil
	}
	if old.Person == "" {
		return owned(names, old.ID)
	}
	return append(owned(names, old.Person), owned(names, old.ID)...)
}

// owned gives a copy of names that says whose they are.
func owned(names []store.Name, holder string) []store.Name {
	names = slices.Clone(names)
	for i := range names {
		names[i].Holder = holder
	}
	return names
}
