package history

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// What groups an account is in, one by one: who wants it there, who put it there,
// and what becomes of it. As planning does, it takes what the object says, else
// what our jobs did.

// mostStrangers is how many objects of a group are shown that are nobody's.
const mostStrangers = 50

// A wantedGroup is one that a rule gives.
type wantedGroup struct {
	rule *mapping.Rule
	name string
	key  string // folded, of the directory's group; "" where the rule names one of the system's
	id   string // "" while it is not known to be there
}

// explainGroups explains every membership of the account, and of a group who in it is nobody's.
func (v *valuer) explainGroups() {
	a := v.account
	if a.ID == "" || a.State == "gone" {
		return
	}
	ours, wanted := v.grantedIDs(), v.wantedGroups()
	present, told := v.object.Get(v.system.Target.MemberOf)
	if !told {
		present = ours
	}
	ids := slices.Concat(present, ours)
	for _, d := range a.Drift {
		if id, ok := strings.CutPrefix(d.Attribute, reconcile.OfGroup); ok {
			ids = append(ids, id)
		}
	}
	for _, w := range wanted {
		if w.id != "" {
			ids = append(ids, w.id)
		}
	}
	rows, err := v.tx.Accounts(v.row.Tenant, v.system.Name, ids)
	if err != nil {
		return
	}
	v.nameDrift(rows)
	for _, w := range wanted {
		v.membership(w, rows, present, ours)
	}
	for _, id := range ids {
		if !slices.ContainsFunc(a.Groups, func(m client.Membership) bool { return strings.EqualFold(m.ID, id) }) {
			v.membership(wantedGroup{id: id}, rows, present, ours)
		}
	}
	a.Groups = slices.DeleteFunc(a.Groups, func(m client.Membership) bool { return !m.In && !m.Wanted }) // was, and is no more
	slices.SortFunc(a.Groups, func(x, y client.Membership) int { return strings.Compare(x.Group, y.Group) })
	v.strangers()
}

// nameDrift says which groups deviations are of.
func (v *valuer) nameDrift(rows []store.Account) {
	for i := range v.account.Drift {
		d := &v.account.Drift[i]
		if id, ok := strings.CutPrefix(d.Attribute, reconcile.OfGroup); ok {
			d.Group = groupName(rows, id)
		}
	}
}

// groupName gives the name of the group with an id, "" where it is not known.
func groupName(rows []store.Account, id string) string {
	if i := slices.IndexFunc(rows, func(g store.Account) bool { return strings.EqualFold(g.ID, id) }); i >= 0 {
		return namesOf(rows[i])[0]
	}
	return ""
}

// wantedGroups gives the groups that the rules give for the person, while they are wanted anywhere.
func (v *valuer) wantedGroups() (wanted []wantedGroup) {
	t := v.system.Target
	view := t.View(v.person, v.now.Time())
	defer view.Close()
	if in, err := view.InScope(); err != nil || !in && v.account.State != AtHome || !v.person.HasSource || v.person.LifeAt(v.now.Time()) == directory.Left {
		return nil
	}
	for _, r := range t.Groups {
		value, err := view.Eval(r)
		if err != nil {
			continue // the problem says so
		}
		for _, name := range value.All() {
			wanted = append(wanted, wantedGroup{rule: r, name: name, key: v.groupKey(r, name)})
		}
	}
	v.find(wanted)
	return wanted
}

// find finds the groups in the system: the directory's by key, others by name.
func (v *valuer) find(wanted []wantedGroup) {
	groups := v.groupTarget()
	var named []store.Account
	for i := range wanted {
		w := &wanted[i]
		if w.key != "" && groups != nil {
			if ids, err := v.tx.AccountIDs(v.row.Tenant, v.system.Name, groups.Class, []string{w.key}); err == nil {
				w.id = ids[w.key]
			}
			continue
		}
		if named == nil {
			named, _ = v.tx.Groups(v.row.Tenant, v.system.Name, v.peopleClass()) // none are found where that fails
		}
		for _, g := range named {
			if slices.ContainsFunc(namesOf(g), func(n string) bool { return directory.Fold(n) == directory.Fold(w.name) }) {
				w.id = g.ID
				break
			}
		}
	}
}

// groupTarget gives how groups are made in the system; nil where none are.
func (v *valuer) groupTarget() *mapping.Target {
	if v.system.Target.OfGroups {
		return v.system.Target
	}
	return v.system.GroupTarget
}

// peopleClass gives the class of what is no group.
func (v *valuer) peopleClass() string {
	if v.system.Target.OfGroups {
		return ""
	}
	return v.system.Target.Class
}

// membership adds what is known of one group.
func (v *valuer) membership(w wantedGroup, rows []store.Account, present, ours []string) {
	among := func(ids []string) bool {
		return w.id != "" && slices.ContainsFunc(ids, func(id string) bool { return strings.EqualFold(id, w.id) })
	}
	m := client.Membership{Group: w.name, ID: w.id, In: among(present), Wanted: w.rule != nil, Ours: among(ours), From: w.key}
	if w.rule != nil {
		m.Rule = &client.Rule{Document: v.system.Name, Line: w.rule.Line(), Text: w.rule.Text()}
	}
	i := slices.IndexFunc(rows, func(g store.Account) bool { return w.id != "" && strings.EqualFold(g.ID, w.id) })
	if i >= 0 {
		m.Group = namesOf(rows[i])[0]
		m.Authoritative, m.From = v.owned(rows[i], m.From)
	} else if m.Group == "" {
		m.Group = w.id
	}
	v.judge(&m)
	v.account.Groups = append(v.account.Groups, m)
}

// judge says what becomes of a membership, and why.
func (v *valuer) judge(m *client.Membership) {
	var drift *client.Drift
	for i, d := range v.account.Drift {
		if id, ok := strings.CutPrefix(d.Attribute, reconcile.OfGroup); ok && strings.EqualFold(id, m.ID) {
			drift = &v.account.Drift[i]
		}
	}
	switch {
	case drift != nil && drift.Kind != store.DeviationFound && m.In != m.Wanted:
		m.State, m.Why = "let", drift.Kind+": it is let be as it is until the rules want something else"
	case m.Wanted && m.In && m.Ours:
		m.State, m.Why = "wanted", "a rule wants it, and Drawbridge put the account in"
	case m.Wanted && m.In:
		m.State, m.Why = "wanted", "a rule wants it; the account was in it already, or somebody else put it in"
	case m.Wanted && m.ID == "":
		m.State, m.Why = "missing", "a rule wants it; the group is not in the system yet"
	case m.Wanted && (m.Ours || drift != nil):
		m.State, m.Why = "missing", "a rule wants it; Drawbridge put the account in, and somebody took it out at the system: it is put back"
	case m.Wanted:
		m.State, m.Why = "missing", "a rule wants it; the account is put in"
	case m.Ours:
		m.State, m.Why = "leaving", "Drawbridge put the account in, and no rule wants it any more"
	case m.Authoritative && drift != nil:
		m.State, m.Why = "leaving", "somebody put the account in at the system, and only members by rule remain in the group: it is taken out"
	case m.Authoritative:
		m.State, m.Why = "leaving", "only members by rule remain in the group, and no rule wants the account there"
	default:
		m.State, m.Why = "others", "no rule speaks of the group, and Drawbridge did not put the account in: it is left alone"
	}
}

// owned tells whether only members by rule remain in a group, and the key of the directory's group that it is of.
func (v *valuer) owned(group store.Account, key string) (authoritative bool, of string) {
	if group.Person == "" {
		return false, key
	}
	people, err := v.tx.People(v.row.Tenant, []string{group.Person})
	if err != nil || len(people) != 1 {
		return false, key
	}
	p := directory.Person{ID: people[0].ID, Key: people[0].Key}
	if p.Attributes, err = directory.ParseAttributes(people[0].Attributes); err != nil {
		return false, people[0].Key
	}
	t := v.groupTarget()
	return t != nil && t.OwnsGroup(p, v.now.Time()), people[0].Key
}

// grantedIDs gives the groups that our jobs put the account in and have not taken it out of, by native id.
func (v *valuer) grantedIDs() (ids []string) {
	for _, j := range slices.Backward(v.jobs) {
		if j.job.State != store.JobDone || j.job.Class != "membership" {
			continue
		}
		var work linkv1.Job
		if proto.Unmarshal(j.job.Work, &work) != nil || !strings.EqualFold(work.GetApply().GetId(), v.account.ID) {
			continue
		}
		change := work.GetApply().GetChangeMembership()
		ids = slices.DeleteFunc(ids, func(id string) bool {
			return slices.Contains(change.GetLeave(), id) || slices.Contains(change.GetJoin(), id)
		})
		ids = append(ids, change.GetJoin()...)
	}
	return ids
}

// strangers tells of a group who in it is nobody's account.
func (v *valuer) strangers() {
	if !v.system.Target.OfGroups {
		return
	}
	rows, err := v.tx.StrangersIn(v.row.Tenant, v.system.Name, directory.Fold(v.account.ID), mostStrangers)
	if err != nil || len(rows) == 0 {
		return
	}
	leaves := v.system.Target.OwnsGroup(v.person, v.now.Time())
	for _, row := range rows {
		v.account.Strangers = append(v.account.Strangers, client.Stranger{ID: row.ID, Class: row.Class, Address: row.Address, Leaves: leaves})
	}
}
