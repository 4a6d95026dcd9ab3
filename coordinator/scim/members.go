package scim

import (
	"fmt"
	"slices"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// showGroups gives the resources of groups, in their order.
func (v records) showGroups(tx *store.Tx, groups []store.PushedGroup) ([]*resource, error) {
	ids := make([]string, len(groups))
	for i, g := range groups {
		ids[i] = g.ID
	}
	rows, err := tx.Accounts(v.tenant, v.source, ids)
	if err != nil {
		return nil, err
	}
	accounts := make(map[string]store.Account, len(rows))
	for _, a := range rows {
		accounts[a.ID] = a
	}
	all := make([]*resource, len(groups))
	for i, g := range groups {
		if all[i], err = v.show(accounts[g.ID], &groups[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// fill gives groups their members, and people the groups that they are in.
func (v records) fill(tx *store.Tx, all []*resource, n need) error {
	if v.kind == group {
		return v.fillMembers(tx, all, n)
	}
	return v.fillGroups(tx, all, n)
}

func (v records) fillMembers(tx *store.Tx, all []*resource, n need) error {
	byID := unfilled(all, "members")
	if !n.members || len(all) == 0 {
		return nil
	}
	var rows []store.PushedMember
	var err error
	if n.among != nil {
		rows, err = tx.PushedMembersAmong(v.tenant, v.source, ids(all), n.among)
	} else {
		rows, err = tx.PushedMembers(v.tenant, v.source, ids(all))
	}
	for _, m := range rows {
		body := byID[m.Group].body
		list, _ := body["members"].([]any)
		body["members"] = append(list, member(v.base, kindOf(m.Kind), m.Member))
	}
	return err
}

func (v records) fillGroups(tx *store.Tx, all []*resource, n need) error {
	byID := unfilled(all, "groups")
	if !n.groups || len(all) == 0 {
		return nil
	}
	rows, err := tx.PushedMembersOf(v.tenant, v.source, ids(all))
	if err != nil || len(rows) == 0 {
		return err
	}
	var in []string
	for _, m := range rows {
		in = append(in, m.Group)
	}
	slices.Sort(in)
	groups, err := tx.Accounts(v.tenant, v.source, slices.Compact(in))
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, g := range groups {
		if g.Gone == 0 && g.Missing == 0 {
			names[g.ID] = g.Address
		}
	}
	for _, m := range rows {
		if name, there := names[m.Group]; there {
			shownIn(byID[m.Member], v.base, m.Group, name)
		}
	}
	return nil
}

// unfilled takes what is kept apart off resources, and gives them by id.
func unfilled(all []*resource, name string) map[string]*resource {
	byID := make(map[string]*resource, len(all))
	for _, r := range all {
		delete(r.body, name)
		byID[r.id] = r
	}
	return byID
}

func ids(all []*resource) []string {
	list := make([]string, len(all))
	for i, r := range all {
		list[i] = r.id
	}
	return list
}

// member is how a group shows one.
func member(base string, k kind, id string) object {
	return object{"value": id, "type": string(k), "$ref": base + k.endpoint() + "/" + id}
}

// shownIn has a person show a group that they are in.
func shownIn(r *resource, base, id, name string) {
	list, _ := r.body["groups"].([]any)
	r.body["groups"] = append(list, object{"value": id, "display": name, "type": "direct", "$ref": base + group.endpoint() + "/" + id})
}

// members gives who is in a group.
func (v records) members(tx *store.Tx, id string) ([]object, error) {
	rows, err := tx.PushedMembers(v.tenant, v.source, []string{id})
	list := make([]object, len(rows))
	for i, m := range rows {
		list[i] = member(v.base, kindOf(m.Kind), m.Member)
	}
	return list, err
}

// moved gives who joins a group and who leaves it by a delta, which may be nil.
// Whoever joins must be there.
func (v records) moved(tx *store.Tx, id string, d *delta) (join, leave []string, err error) {
	if d == nil || !d.all && len(d.in) == 0 {
		return nil, nil, nil
	}
	var named []string
	for member := range d.in {
		named = append(named, member)
	}
	rows, err := tx.PushedMembersAmong(v.tenant, v.source, []string{id}, named)
	if d.all {
		rows, err = tx.PushedMembers(v.tenant, v.source, []string{id})
	}
	if err != nil {
		return nil, nil, err
	}
	now := make([]string, len(rows))
	for i, m := range rows {
		now[i] = m.Member
	}
	join, leave = d.change(now)
	there, err := tx.AccountsThere(v.tenant, v.source, join)
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(there)
	for _, member := range join {
		if _, found := slices.BinarySearch(there, member); !found {
			return nil, nil, badf("invalidValue", "members: there is no User or Group %q here: push it first, or leave it out", member)
		}
		if member == id {
			return nil, nil, badf("invalidValue", "members: %s is the group itself, which cannot be in itself", fmt.Sprintf("%q", id))
		}
	}
	return join, leave, nil
}
