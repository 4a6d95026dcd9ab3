package scim

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// A kind is a type of resource, by its name.
type kind string

const (
	person kind = "User"
	group  kind = "Group"
)

// kindAt gives the kind whose endpoint has the name, "" where none has.
func kindAt(endpoint string) kind {
	switch endpoint {
	case "Users":
		return person
	case "Groups":
		return group
	}
	return ""
}

func (k kind) endpoint() string { return "/" + string(k) + "s" }

func (k kind) schema() string {
	if k == group {
		return coreGroup
	}
	return coreUser
}

// stored is what the store calls the kind.
func (k kind) stored() string {
	if k == group {
		return store.KindGroup
	}
	return ""
}

// kindOf gives the kind of a stored row.
func kindOf(stored string) kind {
	if stored == store.KindGroup {
		return group
	}
	return person
}

// named is the attribute that people know a resource by, which it must have.
func (k kind) named() string {
	if k == group {
		return "displayName"
	}
	return "userName"
}

// quick are the folded attributes by which a view may look resources up.
func (k kind) quick() []string {
	if k == group {
		return []string{"id", "displayname", "externalid", members}
	}
	return []string{"id", "username", "externalid"}
}

func (k kind) none(id string) *problem {
	return &problem{status: http.StatusNotFound, detail: fmt.Sprintf("there is no %s %q here: look it up with %s?filter=%s eq \"…\"", k, id, k.endpoint(), k.named())}
}

// A need says what a resource must hold of what is kept apart from it, and costs
// by itself: the members of a group, the groups of a person.
type need struct {
	members bool
	groups  bool
	among   []string // not nil: of the members these alone
}

// members is the attribute of groups, folded.
const members = "members"

// needs tells what a filter looks at.
func needs(f *path.Filter) (n need) {
	if f == nil {
		return n
	}
	var all bool
	var look func(f *path.Filter)
	look = func(f *path.Filter) {
		switch at := strings.ToLower(f.Path.Attr); {
		case f.Op == "and" || f.Op == "or" || f.Op == "not":
			for _, t := range f.Terms {
				look(t)
			}
		case at == "groups":
			n.groups = true
		case at == members:
			n.members = true
			text, isText := f.Value.(string)
			if plain := f.Op == "eq" && isText && f.Path.Filter == nil && (f.Path.Sub == "" || strings.EqualFold(f.Path.Sub, "value")); !plain {
				all = true
			}
			n.among = append(n.among, text)
		}
	}
	if look(f); all {
		n.among = nil
	}
	return n
}

// needs tells what a projection shows.
func (p projection) needs(k kind) need {
	return need{members: k == group && p.shows(members), groups: k == person && p.shows("groups")}
}

// shows tells whether an attribute of the core schema is shown, by its folded name.
func (p projection) shows(name string) bool {
	core := func(at path.Path) bool { return at.Schema == "" || isCore(at.Schema) }
	for _, at := range p.only {
		if core(at) && (at.Attr == "" || strings.EqualFold(at.Attr, name)) {
			return true
		}
	}
	for _, at := range p.without {
		if core(at) && strings.EqualFold(at.Attr, name) && at.Sub == "" {
			return false
		}
	}
	return len(p.only) == 0
}

func isCore(urn string) bool {
	return strings.EqualFold(urn, coreUser) || strings.EqualFold(urn, coreGroup)
}
