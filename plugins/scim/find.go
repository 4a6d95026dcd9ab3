package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/web"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// Find looks values up by filters.
func (s *System) Find(ctx context.Context, f sdk.Lookup, out *sdk.Sink) error {
	known, t, err := s.typeOf(ctx, f.Class)
	if err != nil {
		return err
	}
	by := t.attribute(f.Attribute)
	if by == nil || by.name == memberOfName || by.name == enabledName {
		return sdk.Invalid(fmt.Sprintf("%s cannot be looked up by %q", t.name, f.Attribute), "Match by an attribute that the system has.").At(f.Attribute)
	}
	wanted := t.readable(f.Attributes)
	return s.lookUp(ctx, known, t, by, f.Values, append(wanted, by), func(got resource) error {
		if err := s.memberships(ctx, known, t, wanted, &got); err != nil {
			return err
		}
		return out.Object(t.object(f.Class, got, wanted))
	})
}

// filterBytes is how long a filter may get: some servers take no address of
// more than 2,000 characters.
const filterBytes = 900

// lookUp gives every object that has one of the values. A server that gives
// others as well, because it does not understand the filter, is not believed.
func (s *System) lookUp(ctx context.Context, known *service, t *resourceType, by *attribute, values []string, wanted []*attribute, found func(resource) error) error {
	if by.path.Attr == "id" && by.path.Schema == "" {
		return s.byID(ctx, t, values, wanted, found)
	}
	if !known.filter {
		return s.sift(ctx, known, t, by, values, wanted, "", found)
	}
	for len(values) > 0 {
		var terms []*path.Filter
		size := 0
		for len(values) > 0 && (len(terms) == 0 || size+len(values[0]) < filterBytes && s.dialect.Filter != "eq" && !needsEscape(values[0])) {
			value := values[0]
			values = values[1:]
			f := by.equals(value)
			switch {
			case f == nil:
			case needsEscape(value):
				if err := s.lookUpEscaped(ctx, known, t, by, value, wanted, found); err != nil {
					return err
				}
			default:
				terms = append(terms, s.plain(f))
				size += len(terms[len(terms)-1].String())
			}
		}
		if len(terms) == 0 {
			continue
		}
		if err := s.sift(ctx, known, t, by, nil, wanted, path.Or(terms...).String(), found); err != nil {
			return err
		}
	}
	return nil
}

func needsEscape(value string) bool { return strings.ContainsAny(value, "\"\\\n\r\t") }

// lookUpEscaped looks a value up that many a server misreads in a filter. Where
// it is refused, everything is read.
func (s *System) lookUpEscaped(ctx context.Context, known *service, t *resourceType, by *attribute, value string, wanted []*attribute, found func(resource) error) error {
	err := s.sift(ctx, known, t, by, nil, wanted, s.plain(by.equals(value)).String(), found)
	if e, ok := errors.AsType[*sdk.Error](err); ok && e.Outcome == sdk.OutcomeInvalid {
		return s.sift(ctx, known, t, by, []string{value}, wanted, "", found)
	}
	return err
}

// equals is the filter for one value; nil where nothing can have it.
func (a *attribute) equals(value string) *path.Filter {
	if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return nil
	}
	var literal any = value
	switch a.kind {
	case connectorv1.Type_TYPE_BOOLEAN:
		literal = strings.EqualFold(value, "true")
	case connectorv1.Type_TYPE_INTEGER:
		if !json.Valid([]byte(value)) {
			return nil
		}
		literal = json.Number(value)
	}
	p := a.path
	if p.Filter != nil {
		part := path.Equal(path.Path{Attr: orElse(p.Sub, "value")}, literal)
		return path.Within(p.Base(), path.And(p.Filter, part))
	}
	if a.complex && p.Sub == "" {
		p.Sub = "value"
	}
	return path.Equal(p, literal)
}

// plain takes the brackets off a filter for a server that understands none;
// what it gives beyond is sifted out.
func (s *System) plain(f *path.Filter) *path.Filter {
	if f.Op != "[]" || s.dialect.Filter != "eq" {
		return f
	}
	inner := f.Terms[0]
	last := *inner.Terms[len(inner.Terms)-1]
	last.Path = path.Path{Schema: f.Path.Schema, Attr: f.Path.Attr, Sub: last.Path.Attr}
	return &last
}

// sift lists what the filter gives and passes on what has one of the values,
// or, where values is nil, matches the filter as we understand it.
func (s *System) sift(ctx context.Context, known *service, t *resourceType, by *attribute, values []string, wanted []*attribute, filter string, found func(resource) error) error {
	query := s.projection(t, wanted)
	if filter != "" {
		query.Set("filter", filter)
	}
	parsed, err := path.ParseFilter(filter)
	if err != nil && filter != "" {
		return sdk.Invalid("the value cannot be looked up", "Report this as a fault of the connector.").At(by.name)
	}
	l := &listing{system: s, known: known, t: t, reject: func(string, string) error { return nil }}
	l.take = func(got resource, _ uint64) error {
		has, _ := by.of(got.values)
		fits := filter != "" && parsed.Match(got.values, func(path.Path) bool { return by.exact })
		for _, v := range values {
			fits = fits || by.has(has, v) || !by.exact && len(has) > 0 && strings.EqualFold(has[0], v)
		}
		if !fits || s.deleted(got.values) {
			return nil
		}
		return found(got)
	}
	return l.read(ctx, web.Request{Path: t.endpoint, Query: query, Doing: "look " + t.name + " up by " + by.name})
}

func (s *System) byID(ctx context.Context, t *resourceType, ids []string, wanted []*attribute, found func(resource) error) error {
	for _, id := range ids {
		if id == "" || !utf8.ValidString(id) || id == "." || id == ".." {
			continue
		}
		got, err := s.get(ctx, t, id, wanted)
		if e, ok := errors.AsType[*sdk.Error](err); ok && e.Outcome == sdk.OutcomeNotFound {
			continue
		}
		if err != nil {
			return err
		}
		if err := found(got); err != nil {
			return err
		}
	}
	return nil
}

// memberships puts memberOf into a resource where it is wanted.
func (s *System) memberships(ctx context.Context, known *service, t *resourceType, wanted []*attribute, got *resource) error {
	asked := false
	for _, a := range wanted {
		asked = asked || a.name == memberOfName
	}
	if !asked || got.empty() {
		return nil
	}
	if s.asked(t) {
		got.values[memberOfName] = groupsOf(got.values)
		return nil
	}
	list, err := s.groupsWith(ctx, known, got.id())
	if err != nil {
		return err
	}
	got.values[memberOfName] = list
	return nil
}

// groupsWith gives the native ids of the groups that have the member. Members
// are asked for only where the server's filter cannot be believed: a group may
// have very many.
func (s *System) groupsWith(ctx context.Context, known *service, member string) ([]string, error) {
	list := []string{}
	group := known.resourceType("Group")
	if group == nil || group.attribute("members") == nil {
		return list, nil
	}
	members := group.attribute("members")
	add := func(got resource) error {
		list = append(list, got.id())
		return nil
	}
	believed, err := s.believesMembers(ctx, known, group, members)
	if err != nil {
		return nil, err
	}
	if !believed {
		err = s.sift(ctx, known, group, members, []string{member}, []*attribute{members}, "", add)
		return list, err
	}
	err = s.filtered(ctx, known, group, members.equals(member), add)
	return list, err
}

// nobody is the id of no member.
const nobody = "00000000-0000-4000-8000-6e6f626f6479"

// believesMembers tells, from one question asked once, whether the server finds
// groups by their members: for a member that nobody is it must give none.
func (s *System) believesMembers(ctx context.Context, known *service, group *resourceType, members *attribute) (bool, error) {
	if !known.filter {
		return false, nil
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	if known.members != nil {
		return *known.members, nil
	}
	right := true
	err := s.filtered(ctx, known, group, members.equals(nobody), func(resource) error { right = false; return nil })
	if e, ok := errors.AsType[*sdk.Error](err); ok && (e.Outcome == sdk.OutcomeInvalid || e.Outcome == sdk.OutcomeConflict) {
		right, err = false, nil
	}
	if err != nil {
		return false, err
	}
	known.members = &right
	return right, nil
}

// filtered lists what a filter gives, ids alone, as it is given.
func (s *System) filtered(ctx context.Context, known *service, t *resourceType, f *path.Filter, found func(resource) error) error {
	query := s.projection(t, []*attribute{})
	query.Set("filter", f.String())
	l := &listing{system: s, known: known, t: t, reject: func(string, string) error { return nil },
		take: func(got resource, _ uint64) error { return found(got) }}
	return l.read(ctx, web.Request{Path: t.endpoint, Query: query, Doing: "look " + t.name + " up by " + f.Path.String()})
}
