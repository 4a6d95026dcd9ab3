package scim

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A view is what a token sees as resources of a kind.
type view interface {
	// name tells bookmarks of one view from those of another.
	name() string
	// get gives one, or a problem where there is none.
	get(tx *store.Tx, id string) (*resource, error)
	// lookup gives those whose attribute, with that folded name, may have the text; quick is false where only a walk can tell.
	lookup(tx *store.Tx, attribute, text string) (found []*resource, quick bool, err error)
	// walk gives the next in the order of their ids, and how many rows it has looked at.
	walk(tx *store.Tx, w store.Walk) ([]*resource, error)
	// count tells how many changed since an instant.
	count(tx *store.Tx, since store.Instant) (int, error)
	// fill gives resources what they need of what is kept apart from them, and takes off what they do not.
	fill(tx *store.Tx, all []*resource, n need) error
	// apply carries out a write; everything is checked before anything is written.
	apply(tx *store.Tx, op operation) (r *resource, status int, err error)
}

// people is the view of the directory: its people, or its groups.
type people struct {
	*Server
	tenant, base string
	kind         kind
}

func (p people) name() string { return p.tenant + "\x00people\x00" + string(p.kind) }

func (p people) get(tx *store.Tx, id string) (*resource, error) {
	rows, err := tx.People(p.tenant, []string{id})
	if err != nil {
		return nil, err
	}
	all, err := p.show(tx, rows)
	if err == nil && len(all) == 0 {
		err = p.kind.none(id)
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

func (p people) lookup(tx *store.Tx, attribute, text string) ([]*resource, bool, error) {
	var rows []store.Person
	var err error
	switch attribute {
	case "id":
		rows, err = tx.People(p.tenant, []string{text})
	case "externalid":
		rows, err = tx.PeopleByKey(p.tenant, []string{directory.Fold(text)})
	case members:
		rows, err = p.with(tx, text)
	default:
		return nil, false, nil
	}
	if err != nil {
		return nil, true, err
	}
	all, err := p.show(tx, rows)
	return all, true, err
}

func (p people) walk(tx *store.Tx, w store.Walk) ([]*resource, error) {
	rows, err := tx.WalkPeople(p.tenant, p.kind.stored(), w)
	if err != nil {
		return nil, err
	}
	return p.show(tx, rows)
}

func (p people) count(tx *store.Tx, since store.Instant) (int, error) {
	return tx.CountPeopleSince(p.tenant, p.kind.stored(), since)
}

func (p people) apply(*store.Tx, operation) (*resource, int, error) {
	return nil, 0, &problem{status: http.StatusForbidden, detail: "this token only reads the directory: to push people make one for a source, " +
		"with drawbridge token create --api NAME --source SYSTEM"}
}

// show makes resources of those rows that are of the kind.
func (p people) show(tx *store.Tx, rows []store.Person) ([]*resource, error) {
	rows = slices.DeleteFunc(rows, func(row store.Person) bool { return kindOf(row.Kind) != p.kind })
	if p.kind == group {
		return p.showGroups(rows)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]string, len(rows))
	attributes := make([]directory.Attributes, len(rows))
	var managers []string
	for i, row := range rows {
		a, err := directory.ParseAttributes(row.Attributes)
		if err != nil {
			return nil, err
		}
		ids[i], attributes[i] = row.ID, a
		if m := a.Text("manager"); m != "" {
			managers = append(managers, directory.Fold(m))
		}
	}
	employed, err := p.employed(tx, ids)
	if err != nil {
		return nil, err
	}
	bosses := map[string]store.Person{}
	if len(managers) > 0 {
		found, err := tx.PeopleByKey(p.tenant, managers)
		if err != nil {
			return nil, err
		}
		for _, b := range found {
			bosses[b.Key] = b
		}
	}
	all := make([]*resource, len(rows))
	for i, row := range rows {
		all[i] = p.user(row, attributes[i], employed[row.ID], bosses, tx.Now)
	}
	return all, nil
}

func (p people) user(row store.Person, a directory.Attributes, employed bool, bosses map[string]store.Person, now store.Instant) *resource {
	user := object{}
	for path, value := range a.All() {
		put(user, path, value)
	}
	if user["userName"] == nil {
		user["userName"] = row.Shown()
	}
	user["externalId"] = row.Shown()
	if user["displayName"] == nil {
		user["displayName"] = row.Display
	}
	life := directory.Person{ID: row.ID, Key: row.Key, Attributes: a, HasSource: employed}.LifeAt(now.Time())
	user["active"] = life == directory.Active
	if in, _ := user[enterprise].(object); in["manager"] != nil {
		if boss, ok := bosses[directory.Fold(a.Text("manager"))]; ok {
			in["manager"] = object{"value": boss.ID, "displayName": cmp.Or(boss.Display, boss.Shown()), "$ref": p.base + "/Users/" + boss.ID}
		} else if delete(in, "manager"); len(in) == 0 { // nobody has that key (yet)
			delete(user, enterprise)
		}
	}
	return finish(person, user, row.ID, p.base, "", row.Made, row.Changed)
}

// employed tells which of the people a source that makes people has a record of.
func (p people) employed(tx *store.Tx, ids []string) (map[string]bool, error) {
	rows, err := tx.Systems(p.tenant)
	if err != nil {
		return nil, err
	}
	var sources []string
	for _, row := range rows {
		if system, err := p.Systems.Get(row); err == nil && system.Source != nil && !system.Source.Joins {
			sources = append(sources, row.Name)
		}
	}
	found, err := tx.PeopleIn(p.tenant, ids, sources)
	out := make(map[string]bool, len(found))
	for _, id := range found {
		out[id] = true
	}
	return out, err
}

// needle gives what the stored row of everybody who fulfils the equality holds, "" where that cannot be said.
func needle(attribute, text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r > '~' || r < ' ' || r == '"' || r == '\\' }) {
		return ""
	}
	if attribute == "username" || strings.HasPrefix(attribute, "emails") {
		return strings.ToLower(text)
	}
	return ""
}
