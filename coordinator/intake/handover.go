package intake

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// What changes hands when people are merged and split, and what hangs on it.

// A held target is one as regrouping needs it.
type heldTarget struct{ *mapping.Target }

// is tells whether an account is one of the target's people.
func (t heldTarget) is(a store.Account) bool {
	return t.Target != nil && !t.WriteBack && (!t.BothWays || a.Mirror != store.MirrorNone) && strings.EqualFold(t.Class, a.Class)
}

// targets gives the tenant's targets by the names of their systems.
func (s *scope) targets() (map[string]heldTarget, error) {
	rows, err := s.tx.Systems(s.tenant)
	out := make(map[string]heldTarget, len(rows))
	for _, row := range rows {
		if system, err := s.Systems.Get(row); err == nil {
			out[row.Name] = heldTarget{system.Target}
		}
	}
	return out, err
}

// keysOf gives the keys that somebody answers to.
func (s *scope) keysOf(p store.Person) ([]string, error) {
	known, err := s.tx.KnownOf(s.tenant, []string{p.ID})
	keys := []string{p.Key}
	for _, k := range known {
		if k.Path == "" && k.Value != p.Key {
			keys = append(keys, k.Value)
		}
	}
	return keys, err
}

func (s *scope) takeKeys(person string, keys []string) error {
	known := make([]store.Known, len(keys))
	for i, key := range keys {
		known[i] = store.Known{Tenant: s.tenant, Value: key, Person: person}
	}
	return s.tx.PutKnown(known)
}

// divide gives the keys of the records that stay and of those that are named, each once; of the latter the one that counts first.
func (s *scope) divide(accounts []store.Account, refs []Ref) (stay, leave []string, err error) {
	sources, err := s.sources()
	if err != nil {
		return nil, nil, err
	}
	var named []record
	for _, a := range accounts {
		src := sources[a.System]
		if src == nil || src.Joins || a.Gone != 0 || a.Mirror != store.MirrorNone || a.Class != src.Class {
			continue
		}
		r, err := src.Read(a.Object)
		if err != nil {
			continue // a reject already
		}
		if slices.Contains(refs, Ref{a.System, a.ID}) {
			named = append(named, record{a.System, a.ID, r.Key, src, r.Attributes})
		} else if key := directory.Fold(r.Key); !slices.Contains(stay, key) {
			stay = append(stay, key)
		}
	}
	for _, r := range ranked(named, s.tx.Now.Time()) {
		if key := directory.Fold(r.key); !slices.Contains(leave, key) {
			leave = append(leave, key)
		}
	}
	return stay, leave, nil
}

// beside gives the records of sources that only join which have one of the keys:
// they are of whoever has it, and go with it.
func (s *scope) beside(accounts []store.Account, keys []string, refs []Ref) ([]Ref, error) {
	sources, err := s.sources()
	if err != nil {
		return nil, err
	}
	var more []Ref
	for _, a := range accounts {
		src, ref := sources[a.System], Ref{a.System, a.ID}
		if src == nil || !src.Joins || src.OfAccounts || a.Gone != 0 || a.Class != src.Class || slices.Contains(refs, ref) {
			continue
		}
		if r, err := src.Read(a.Object); err == nil && slices.Contains(keys, directory.Fold(r.Key)) {
			more = append(more, ref)
		}
	}
	return more, nil
}

// part makes what is named in the shift another person's, who is made. Who stays gives up the keys.
func (s *scope) part(shift Shift, from store.Person, accounts []store.Account, made string) error {
	n := shift.Person
	if err := s.give(shift, from.ID, n.ID, accounts, made); err != nil {
		return err
	}
	stays := &draft{row: from, moved: true}
	if err := s.settle(map[string]*draft{from.ID: stays}, nil, nil); err != nil { // takes another key where its own goes
		return err
	}
	if slices.Contains(shift.Keys, stays.row.Key) {
		return cannot("%s would keep the key %s: no record that is left to them can be read", from.Shown(), from.Key)
	}
	var lost []store.Known
	for _, key := range shift.Keys {
		lost = append(lost, store.Known{Tenant: s.tenant, Value: key, Person: from.ID})
	}
	others := slices.DeleteFunc(slices.Clone(shift.Keys), func(k string) bool { return k == n.Key })
	paths, err := s.tx.KnownPaths(s.tenant)
	var known []store.Known
	for i, value := range valuesAt(n.Attributes, paths) { // of who comes back; Anew goes on from there
		if value != "" {
			known = append(known, store.Known{Tenant: s.tenant, Path: paths[i], Value: value, Person: n.ID})
		}
	}
	return errors.Join(err, s.tx.RemoveKnown(lost), s.tx.PutPeople([]store.Person{n}), s.takeKeys(n.ID, others), s.tx.PutKnown(known))
}

// give makes the accounts of a shift, and what hangs on them, another's, and lets
// go what is to be let go. made is the id of the person for whom they were made.
func (s *scope) give(shift Shift, from, to string, accounts []store.Account, made string) error {
	targets, err := s.targets()
	if err != nil {
		return err
	}
	deviations, err := s.tx.DeviationsOf(s.tenant, []string{from})
	if err != nil {
		return err
	}
	for _, a := range accounts {
		ref, owner := Ref{a.System, a.ID}, to
		switch {
		case slices.Contains(shift.LetGo, ref):
			owner = ""
		case !slices.Contains(shift.Accounts, ref):
			continue
		}
		if err := s.tx.GiveAccounts(s.tenant, a.System, []string{a.ID}, owner); err != nil {
			return err
		}
		if a.Gone == 0 && targets[a.System].is(a) {
			if err := s.giveWith(a, from, owner, made, deviations); err != nil {
				return err
			}
			if err := s.estrange(a, owner); err != nil {
				return err
			}
		}
	}
	return nil
}

// giveWith gives an account's names, and, unless it becomes nobody's, the jobs, passwords and deviations about it.
func (s *scope) giveWith(a store.Account, from, owner, made string, deviations []store.Deviation) error {
	names, err := s.namesOf(a)
	if err != nil {
		return err
	}
	if err := s.tx.PutNames(owned(names, cmp.Or(owner, a.ID))); err != nil || owner == "" {
		return err
	}
	var were, are []store.Deviation
	for _, d := range deviations {
		if d.System == a.System {
			were = append(were, d)
			d.Person = owner
			are = append(are, d)
		}
	}
	return errors.Join(s.tx.GiveJobs(s.tenant, a.System, from, owner, []string{a.ID, made}), s.tx.GivePasswords(s.tenant, a.System, from, owner),
		s.tx.RemoveDeviations(were), s.tx.PutDeviations(are))
}

// estrange notes in which groups an account is that is nobody's from now on, or is
// somebody's again: nothing of it was read that would tell.
func (s *scope) estrange(a store.Account, owner string) error {
	other, err := s.scope(s.tx, s.tenant, a.System)
	if err != nil || other.system.Target == nil {
		return err
	}
	object, err := mapping.ReadObject(a.Object)
	if err != nil {
		return err
	}
	a.Person = owner
	return other.strangers([]*change{{account: a, object: object}})
}

// namesOf gives the names that an account's object speaks for.
func (s *scope) namesOf(a store.Account) ([]store.Name, error) {
	other, err := s.scope(s.tx, s.tenant, a.System)
	if err != nil || other.system.Target == nil {
		return nil, err
	}
	object, err := mapping.ReadObject(a.Object)
	return other.names(object), err
}

// regain makes accounts that a merge let go, and that are nobody's still, theirs again.
func (s *scope) regain(was Shift) error {
	for _, r := range was.LetGo {
		rows, err := s.tx.Accounts(s.tenant, r.System, []string{r.ID})
		if err != nil {
			return err
		}
		if len(rows) == 0 || rows[0].Person != "" {
			continue
		}
		var names []store.Name
		if rows[0].Gone == 0 { // else they may be somebody else's by now
			if names, err = s.namesOf(rows[0]); err != nil {
				return err
			}
			if err := s.estrange(rows[0], was.Person.ID); err != nil {
				return err
			}
		}
		if err := errors.Join(s.tx.GiveAccounts(s.tenant, r.System, []string{r.ID}, was.Person.ID), s.tx.PutNames(owned(names, was.Person.ID))); err != nil {
			return err
		}
	}
	return nil
}

// keep stores a merge with what changed hands, and tells of it in the log of people.
func (s *scope) keep(m *store.Merge, shift Shift, text string, people ...string) (err error) {
	if m.Body, err = json.Marshal(shift); err != nil {
		return err
	}
	return errors.Join(s.tx.PutMerge(m), s.tell(text, people...))
}

func (s *scope) tell(text string, people ...string) error {
	rows := make([]store.History, len(people))
	for i, id := range people {
		rows[i] = store.History{Tenant: s.tenant, Kind: "regrouped", Person: id, Text: text}
	}
	return s.tx.AddHistory(rows)
}

// remake makes people anew of the records that they have now, and has them planned, and whoever refers to them by one of the keys.
func (s *scope) remake(why string, keys []string, people ...string) error {
	if err := s.Anew(s.tx, s.tenant, people); err != nil {
		return err
	}
	refer, err := s.naming(keys)
	if err != nil {
		return err
	}
	due := slices.Concat(people, refer)
	slices.Sort(due)
	return s.tx.MarkDue(s.tenant, s.tx.Now, why, slices.Compact(due))
}
