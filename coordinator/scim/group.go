package scim

import (
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// A delta is what a write says of a group's members. Who is in a group is kept
// beside it and never compared as a whole, but where a client says all of it.
type delta struct {
	all bool            // who is not named leaves
	in  map[string]bool // by id: joins, or leaves
}

func (d *delta) set(ids []string, in bool) {
	if d.in == nil {
		d.in = map[string]bool{}
	}
	for _, id := range ids {
		d.in[id] = in
	}
}

// whole has the named be all members.
func (d *delta) whole(ids []string) {
	*d = delta{all: true}
	d.set(ids, true)
}

// parseGroup reads a Group that is sent whole. The delta is nil where it says
// nothing of members: absent is not empty.
func parseGroup(data []byte) (object, *delta, error) {
	g, err := parse(data, group)
	if err != nil {
		return nil, nil, err
	}
	key, value, said := path.Lookup(g, members)
	delete(g, key)
	var d *delta
	if said && value != nil {
		ids, err := memberIDs(value)
		if err != nil {
			return nil, nil, err
		}
		d = &delta{}
		d.whole(ids)
	}
	g, err = tidyGroup(g)
	return g, d, err
}

// tidyGroup gives a Group with its attributes spelled as in their schema,
// without those that are not a client's, and says what is wrong with it.
func tidyGroup(g object) (object, error) {
	out := object{}
	for key, value := range g {
		switch name := spell(key); {
		case isServers(key), strings.EqualFold(key, "schemas"), value == nil:
		case strings.HasPrefix(strings.ToLower(key), "urn:"):
			in, err := extensionIn(key, value)
			if err != nil {
				return nil, err
			}
			if len(in) > 0 {
				out[key] = in
			}
		case name == "displayName" || name == "externalId":
			if _, ok := value.(string); !ok {
				return nil, badf("invalidValue", "%s must be a text", name)
			}
			out[name] = value
		default:
			out[name] = value
		}
	}
	if name, _ := out["displayName"].(string); strings.TrimSpace(name) == "" {
		return nil, badf("invalidValue", "displayName must be a text that is not empty")
	}
	return out, nil
}

// memberIDs reads members: objects with a value, or one of them, or ids alone.
func memberIDs(value any) ([]string, error) {
	list, many := value.([]any)
	if !many {
		list = []any{value}
	}
	ids := make([]string, 0, len(list))
	for _, e := range list {
		id, isText := e.(string)
		if o, ok := e.(object); ok {
			_, v, _ := path.Lookup(o, "value")
			id, isText = v.(string)
		}
		if !isText || id == "" {
			return nil, badf("invalidValue", `members must be a list of objects with a value, the id of a User or Group, such as [{"value": "…"}]`)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// patchMembers notes what an operation says of members (RFC 7644, 3.5.2). held
// gives those of the group now, for filters that look at more than their ids.
func (d *delta) patchMembers(verb string, at path.Path, value any, held func() ([]object, error)) error {
	switch {
	case at.Sub != "":
		return badf("mutability", "%s cannot be changed: add and remove members", at)
	case at.Filter != nil && verb != "remove":
		return badf("invalidPath", "%s: members are added by \"path\": \"members\", and removed by a filter or by value", at)
	case at.Filter != nil:
		ids, byID := valuesOf(at.Filter)
		if !byID {
			all, err := held()
			if err != nil {
				return err
			}
			for _, m := range all {
				if at.Filter.Match(m, nil) {
					ids = append(ids, m["value"].(string))
				}
			}
		}
		d.set(ids, false)
		return nil
	case verb == "remove" && value == nil:
		d.whole(nil)
		return nil
	case value == nil:
		if verb == "replace" {
			d.whole(nil)
		}
		return nil
	}
	ids, err := memberIDs(value)
	if err != nil {
		return err
	}
	switch verb {
	case "replace":
		d.whole(ids)
	default:
		d.set(ids, verb == "add")
	}
	return nil
}

// valuesOf gives the values of a filter that is value eq "…", or several of them with or.
func valuesOf(f *path.Filter) (ids []string, ok bool) {
	terms := []*path.Filter{f}
	if f.Op == "or" {
		terms = f.Terms
	}
	for _, t := range terms {
		text, isText := t.Value.(string)
		if t.Op != "eq" || !isText || !strings.EqualFold(t.Path.String(), "value") {
			return nil, false
		}
		ids = append(ids, text)
	}
	return ids, true
}

// change gives who joins and who leaves, where those in now are members: all of
// them where the delta says all, else those that it names.
func (d *delta) change(now []string) (join, leave []string) {
	held := make(map[string]bool, len(now))
	for _, id := range now {
		held[id] = true
	}
	for id, in := range d.in {
		switch is := held[id]; {
		case in && !is:
			join = append(join, id)
		case !in && is:
			leave = append(leave, id)
		}
	}
	if d.all {
		for _, id := range now {
			if _, named := d.in[id]; !named {
				leave = append(leave, id)
			}
		}
	}
	slices.Sort(join)
	slices.Sort(leave)
	return join, leave
}
