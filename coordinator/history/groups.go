package history

import (
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// others tells of an additive rule which of the values others wrote.
func (v *valuer) others(r *mapping.Rule, held []string) {
	if r.Keep != mapping.KeepAdditive {
		return
	}
	rows, err := v.tx.AddedTo(v.row.Tenant, v.system.Name, []string{v.account.ID})
	if err != nil {
		return
	}
	last := &v.account.Values[len(v.account.Values)-1]
	for _, value := range held {
		if !slices.ContainsFunc(rows, func(a store.Added) bool {
			return strings.EqualFold(a.Attribute, r.Attribute) && strings.EqualFold(a.Value, value)
		}) {
			last.Others = append(last.Others, value)
		}
	}
}

// groups explains the memberships: those that are, as far as is known, and
// those that the rules want besides.
func (v *valuer) groups(view mapping.View) {
	t := v.system.Target
	if len(t.Groups) == 0 {
		return
	}
	var wanted []string
	for _, r := range t.Groups {
		if value, err := view.Eval(r); err == nil {
			for _, name := range value.All() {
				wanted = append(wanted, v.called(r, name))
			}
		}
	}
	held, found := v.memberships(wanted)
	before := len(v.account.Values)
	v.special(view, t.Groups[0], inside, held)
	if len(v.account.Values) == before || v.account.Values[before].Want != nil {
		return
	}
	if (v.account.State == "present" || v.account.State == AtHome) && found < len(wanted) && v.person.HasSource {
		v.account.Values[before].Want = wanted
	}
}

// called gives how the group is called in the target that a rule gives by its
// value or its key; the value itself where it is not there.
func (v *valuer) called(r *mapping.Rule, name string) string {
	key, groups := v.groupKey(r, name), v.groupTarget()
	if key != "" && groups != nil {
		ids, err := v.tx.AccountIDs(v.row.Tenant, v.system.Name, groups.Class, []string{key})
		if err != nil || ids[key] == "" {
			return name
		}
		if rows, err := v.tx.Accounts(v.row.Tenant, v.system.Name, []string{ids[key]}); err == nil && len(rows) == 1 {
			return namesOf(rows[0])[0]
		}
	}
	return name
}

// groupKey gives the folded key of the directory's group that a rule gives; ""
// where the rule names one of the system's.
func (v *valuer) groupKey(r *mapping.Rule, name string) string {
	switch {
	case r.Make:
		return directory.Fold(directory.MadeGroupKey(v.system.Name, name))
	case r.Directory:
		return directory.Fold(directory.GroupKey(name))
	}
	return ""
}

// memberships gives the names of the groups that the account is in, and how
// many of the wanted ones are among them. A system that does not tell of
// memberships is believed to be as our jobs left it.
func (v *valuer) memberships(wanted []string) (names []string, found int) {
	ids, told := v.object.Get(v.system.Target.MemberOf)
	if !told {
		names = v.granted()
		for _, w := range wanted {
			if slices.ContainsFunc(names, func(n string) bool { return directory.Fold(n) == directory.Fold(w) }) {
				found++
			}
		}
		return names, found
	}
	rows, err := v.tx.Accounts(v.row.Tenant, v.system.Name, ids)
	if err != nil {
		return ids, 0
	}
	for _, id := range ids {
		i := slices.IndexFunc(rows, func(a store.Account) bool { return strings.EqualFold(a.ID, id) })
		if i < 0 {
			names = append(names, id)
			continue
		}
		known := namesOf(rows[i])
		name := known[0]
		for _, w := range wanted {
			if slices.ContainsFunc(known, func(n string) bool { return directory.Fold(n) == directory.Fold(w) }) {
				name = w
				found++
			}
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, found
}

// granted gives the names of the groups that our jobs put the account in and have not taken it out of.
func (v *valuer) granted() (names []string) {
	for _, j := range slices.Backward(v.jobs) {
		if j.job.State != store.JobDone || j.job.Class != "membership" {
			continue
		}
		for _, r := range j.reasons {
			if r.Attribute != inside {
				continue
			}
			left, err := v.tx.Accounts(v.row.Tenant, v.system.Name, r.Before)
			if err != nil {
				continue
			}
			for _, group := range left {
				known := namesOf(group)
				names = slices.DeleteFunc(names, func(n string) bool {
					return slices.ContainsFunc(known, func(k string) bool { return directory.Fold(k) == directory.Fold(n) })
				})
			}
			names = append(names, r.After...)
		}
	}
	return names
}

// namesOf gives the names that a group is known by, the one to show first.
func namesOf(group store.Account) []string {
	var names []string
	if object, err := mapping.ReadObject(group.Object); err == nil {
		for _, attribute := range []string{"displayName", "cn", "name", "sAMAccountName"} {
			values, _ := object.Get(attribute)
			names = append(names, values...)
		}
	}
	if _, name, _, ok := mapping.SplitDN(group.Address); ok {
		names = append(names, name)
	}
	return append(names, group.Address, group.ID)
}
