package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Groups that rules make, and what planning asks of groups. A group is in the
// directory as long as somebody is in it; it is planned as a person is.
//
//	rule of a member ─► who is in it (member) ─► the first: the group is made in the directory, and due
//	                                          ─► the last left: the group has left, and is due
//	group made in the system ─► who waited for it is due ─► joins

// made is what the batch's people say of groups that rules make.
type made struct {
	put, remove []store.Member
	groups      map[string]reconcile.Made // that somebody came to be in, by folded key
}

// loadMade reads which groups people are in by rules, and whether anybody is in the batch's groups.
func (b *batch) loadMade(ids []string) error {
	makes, groups := slices.ContainsFunc(b.targets, func(t target) bool { return t.system.Target.Makes }), []string{}
	for _, p := range b.people {
		if p.row.Kind == store.KindGroup {
			groups = append(groups, p.row.Key)
		}
	}
	if len(groups) > 0 {
		alive, err := b.tx.MadeGroups(b.tenant, groups)
		if err != nil {
			return err
		}
		for _, p := range b.people {
			p.person.HasSource = p.person.HasSource || p.row.Kind == store.KindGroup && slices.Contains(alive, p.row.Key)
		}
	}
	if !makes {
		return nil
	}
	rows, err := b.tx.MembersOf(b.tenant, ids)
	for _, m := range rows {
		if p := b.byID[m.Member]; p != nil && m.Via != "" {
			p.in = append(p.in, m)
		}
	}
	return err
}

// wantMade notes which groups that rules make somebody comes into and leaves.
func (b *batch) wantMade(t target, p *person, out reconcile.Output) {
	if !t.system.Target.Makes || out.Unmade {
		return
	}
	keep := map[string]bool{}
	for _, m := range out.Made {
		row := store.Member{Tenant: b.tenant, Group: directory.Fold(m.Key), Member: p.row.ID, Via: t.row.Name, Display: m.Display}
		keep[row.Group] = true
		if !slices.Contains(p.in, row) {
			b.made.put = append(b.made.put, row)
			if b.made.groups == nil {
				b.made.groups = map[string]reconcile.Made{}
			}
			b.made.groups[row.Group] = m
		}
	}
	for _, row := range p.in {
		if row.Via == t.row.Name && !keep[row.Group] {
			b.made.remove = append(b.made.remove, row)
		}
	}
}

// saveMade stores it, makes the groups that are new, and has those planned that
// got their first member, lost their last, or are shown otherwise.
func (b *batch) saveMade() error {
	if len(b.made.put)+len(b.made.remove) == 0 {
		return nil
	}
	touched := map[string]bool{}
	for _, m := range slices.Concat(b.made.put, b.made.remove) {
		touched[m.Group] = true
	}
	keys := slices.Sorted(maps.Keys(touched))
	before, err := b.tx.MadeGroups(b.tenant, keys)
	if err != nil {
		return err
	}
	if err := firstError(b.tx.RemoveMembers(b.made.remove), b.tx.PutMembers(b.made.put)); err != nil {
		return err
	}
	after, err := b.tx.MadeGroups(b.tenant, keys)
	if err != nil {
		return err
	}
	rows, err := b.tx.PeopleByKey(b.tenant, keys)
	if err != nil {
		return err
	}
	known := make(map[string]store.Person, len(rows))
	for _, row := range rows {
		known[row.Key] = row
	}
	var groups []store.Person
	var due []string
	for _, key := range keys {
		row, there := known[key]
		if _, came := b.made.groups[key]; !there && !came {
			continue
		} else if !there {
			row = b.madeGroup(key)
		}
		lives, was := slices.Contains(after, key), slices.Contains(before, key)
		changed, err := b.follow(&row, lives, was)
		if err != nil {
			return err
		}
		if changed || !there {
			row.Changed = b.tx.Now
			groups, due = append(groups, row), append(due, row.ID)
		}
	}
	b.regrouped = due
	return b.tx.PutPeople(groups)
}

// madeGroup gives a new group that somebody came to be in.
func (b *batch) madeGroup(key string) store.Person {
	m := b.made.groups[key]
	row := store.Person{Tenant: b.tenant, ID: intake.NewID(b.tx.Now.Time()), Key: key, Spelled: m.Key, Attributes: "{}", Kind: store.KindGroup, Made: b.tx.Now}
	b.history = append(b.history, store.History{Tenant: b.tenant, Kind: history.SourceChanged, System: b.made.via(key), Person: row.ID, Text: "made by a rule: somebody is in it"})
	return row
}

// follow has a group be as its members have it, and tells whether that is new.
func (b *batch) follow(row *store.Person, lives, was bool) (changed bool, err error) {
	if !lives {
		if was {
			b.history = append(b.history, store.History{Tenant: b.tenant, Kind: history.SourceGone, Person: row.ID, Text: "no rule has anybody in it any more"})
		}
		return was, nil
	}
	display, err := b.tx.GroupDisplay(b.tenant, row.Key)
	return show(row, display) || !was, err
}

// via gives a system by whose rule somebody came into the group.
func (m made) via(key string) string {
	i := slices.IndexFunc(m.put, func(row store.Member) bool { return row.Group == key })
	return m.put[i].Via
}

// show has a group shown as its members have it, and tells whether that is new.
func show(row *store.Person, display string) bool {
	a, err := directory.ParseAttributes(row.Attributes)
	if err != nil || a.Text("displayName") == display && row.Attributes != "" {
		return false
	}
	a.Set("displayName", display)
	row.Attributes = string(a.AppendJSON(nil))
	p := directory.Person{Key: row.Shown(), Attributes: a}
	row.Display, row.Words = p.Display(), strings.Join(p.Words(), " ")
	return true
}

// mostStrangers is how many of those who are in an authoritative group and
// nobody's are taken out of it at once; the rest follows.
const mostStrangers = 500

// strangers gives the objects in a group's account that are nobody's.
func (b *batch) strangers(t target, a store.Account) ([]reconcile.Stranger, error) {
	if !t.system.Target.OfGroups || t.system.Target.Authoritative == nil {
		return nil, nil
	}
	rows, err := b.tx.StrangersIn(b.tenant, t.row.Name, directory.Fold(a.ID), mostStrangers)
	list := make([]reconcile.Stranger, len(rows))
	for i, row := range rows {
		list[i] = reconcile.Stranger{ID: row.ID, Class: row.Class}
	}
	return list, err
}

// DirectoryGroup gives the native id of a group of the directory in the target.
func (r *refs) DirectoryGroup(key string) string {
	if r.err != nil || r.target.whole.GroupTarget == nil {
		return ""
	}
	if r.grouped == nil {
		r.grouped = map[string]string{}
	}
	if id, asked := r.grouped[key]; asked {
		return id
	}
	found, err := r.batch.tx.AccountIDs(r.batch.tenant, r.target.row.Name, r.target.whole.GroupTarget.Class, []string{key})
	r.err, r.grouped[key] = err, found[key]
	return found[key]
}

// Owned tells whether only members by rule remain in a group.
func (r *refs) Owned(id string) bool {
	t := r.target.whole.GroupTarget
	if r.err != nil || t == nil || t.Authoritative == nil {
		return false
	}
	owned, asked := r.owned[id]
	if asked {
		return owned
	}
	if r.owned == nil {
		r.owned = map[string]bool{}
	}
	owned, r.err = r.owns(t, id)
	r.owned[id] = owned
	return owned
}

func (r *refs) owns(t *mapping.Target, id string) (bool, error) {
	rows, err := r.batch.tx.Accounts(r.batch.tenant, r.target.row.Name, []string{id})
	if err != nil || len(rows) == 0 || rows[0].Person == "" || rows[0].Class != t.Class || rows[0].Gone != 0 ||
		t.BothWays && rows[0].Mirror == store.MirrorNone {
		return false, err
	}
	people, err := r.batch.tx.People(r.batch.tenant, []string{rows[0].Person})
	if err != nil || len(people) == 0 || people[0].Kind != store.KindGroup {
		return false, err
	}
	group := directory.Person{ID: people[0].ID, Key: people[0].Key, HasSource: true}
	group.Attributes, err = directory.ParseAttributes(people[0].Attributes)
	return err == nil && t.OwnsGroup(group, r.batch.tx.Now.Time()), err
}

// deepest is how many groups within groups are looked through for a circle.
const deepest = 64

// Circle gives the way from a group up to another that it is in.
func (r *refs) Circle(from, to string) []string {
	if from == to {
		return []string{from}
	}
	came := map[string]string{from: ""} // key to the one that is in it
	level := []string{from}
	for range deepest {
		rows, err := r.batch.tx.PeopleByKey(r.batch.tenant, level)
		ids, keys := make([]string, len(rows)), make(map[string]string, len(rows))
		for i, row := range rows {
			ids[i], keys[row.ID] = row.ID, row.Key
		}
		var in []store.Member
		if r.err = err; err == nil && len(ids) > 0 {
			in, r.err = r.batch.tx.MembersOf(r.batch.tenant, ids)
		}
		level = nil
		for _, m := range in {
			if _, seen := came[m.Group]; seen {
				continue
			}
			came[m.Group] = keys[m.Member]
			level = append(level, m.Group)
		}
		if way, found := came[to]; found {
			list := []string{to}
			for at := way; at != ""; at = came[at] {
				list = append(list, at)
			}
			slices.Reverse(list)
			return list
		}
		if len(level) == 0 || r.err != nil {
			return nil
		}
	}
	return nil
}
