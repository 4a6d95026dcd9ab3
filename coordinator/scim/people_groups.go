package scim

import (
	"encoding/json"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// showGroups makes Groups of the directory's groups: those that sources bring,
// and those that rules make.
func (p people) showGroups(rows []store.Person) ([]*resource, error) {
	all := make([]*resource, len(rows))
	for i, row := range rows {
		a, err := directory.ParseAttributes(row.Attributes)
		if err != nil {
			return nil, err
		}
		g := object{}
		for path, value := range a.All() {
			put(g, path, value)
		}
		g["externalId"] = row.Shown()
		if g["displayName"] == nil {
			g["displayName"] = row.Display
		}
		all[i] = finish(group, g, row.ID, p.base, "", row.Made, row.Changed)
		all[i].key = row.Key
	}
	return all, nil
}

// with gives the groups that somebody is in, by their id.
func (p people) with(tx *store.Tx, id string) ([]store.Person, error) {
	in, err := tx.MembersOf(p.tenant, []string{id})
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(in))
	for i, m := range in {
		keys[i] = m.Group
	}
	return tx.PeopleByKey(p.tenant, keys)
}

// fill gives groups their members, and people the groups that they are in. The
// version of a group tells of the members that it shows: nothing is kept that
// changes when they do.
func (p people) fill(tx *store.Tx, all []*resource, n need) error {
	if p.kind == person {
		return p.fillGroups(tx, all, n)
	}
	for _, r := range all {
		delete(r.body, members)
		if !n.members {
			continue
		}
		rows, err := tx.MembersIn(p.tenant, r.key, n.among)
		if err != nil {
			return err
		}
		list := make([]any, len(rows))
		for i, m := range rows {
			list[i] = member(p.base, kindOf(m.Kind), m.ID)
		}
		if len(list) == 0 {
			continue
		}
		r.body[members] = list
		text, _ := json.Marshal(list) // always has a form
		r.version = versionOf(r.version + string(text))
		r.body["meta"].(object)["version"] = r.version
	}
	return nil
}

func (p people) fillGroups(tx *store.Tx, all []*resource, n need) error {
	byID := unfilled(all, "groups")
	if !n.groups || len(all) == 0 {
		return nil
	}
	in, err := tx.MembersOf(p.tenant, ids(all))
	if err != nil || len(in) == 0 {
		return err
	}
	var keys []string
	for _, m := range in {
		keys = append(keys, m.Group)
	}
	rows, err := tx.PeopleByKey(p.tenant, keys)
	if err != nil {
		return err
	}
	groups := make(map[string]store.Person, len(rows))
	for _, row := range rows {
		groups[row.Key] = row
	}
	for _, m := range in {
		if g, there := groups[m.Group]; there {
			shownIn(byID[m.Member], p.base, g.ID, strings.TrimSpace(g.Display))
		}
	}
	return nil
}
