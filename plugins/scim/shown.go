package scim

import (
	"context"
	"slices"

	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// Which groups have a member is asked of the groups, which is always right, and
// which costs a server as much as there are members, each time. A user's own
// groups are read with the user; but some servers show none, some show them
// late, some those of groups as well (RFC 7643, 4.1.2). So they are taken only
// from a server that was seen to show them, that says of each that it is direct,
// and where they are just what is expected; whatever differs is asked of the
// groups.

// ownGroups is the attribute of users that shows their groups.
var ownGroups = &attribute{name: "groups", path: path.Path{Attr: "groups"}}

// direct gives the groups that a user shows; ok says that each is called direct.
func direct(values map[string]any) (ids []string, ok bool) {
	all := (path.Path{Attr: "groups"}).Values(values)
	for _, v := range all {
		group, _ := v.(map[string]any)
		_, how, _ := path.Lookup(group, "type")
		_, id, _ := path.Lookup(group, "value")
		if asText(how) != "direct" || asText(id) == "" {
			return nil, false
		}
		ids = append(ids, asText(id))
	}
	return ids, true
}

// asked tells whether the groups that objects of a type are in are asked of these, not of the groups.
func (s *System) asked(t *resourceType) bool { return s.dialect.Memberships == "users" && t.shows }

// groupsBefore gives the groups that an object is in before some are joined and others left.
func (s *System) groupsBefore(ctx context.Context, known *service, kind *resourceType, id string, join, leave []string) ([]string, error) {
	if kind.shows && known.shows.Load() {
		got, err := s.get(ctx, kind, id, []*attribute{ownGroups})
		if err != nil {
			return nil, err
		}
		in, ok := direct(got.values)
		has := func(id string) bool { return slices.Contains(in, id) }
		if ok && !slices.ContainsFunc(join, has) && !slices.ContainsFunc(leave, func(id string) bool { return !has(id) }) {
			return in, nil
		}
	}
	return s.groupsWith(ctx, known, id)
}

// groupsAfter puts memberOf into an object, which was read with the groups that
// it shows; it is expected to be in these.
func (s *System) groupsAfter(ctx context.Context, known *service, kind *resourceType, wanted []*attribute, got *resource, expected []string) error {
	shown, ok := direct(got.values)
	slices.Sort(shown)
	expected = slices.Compact(slices.Sorted(slices.Values(expected)))
	if ok && known.shows.Load() && slices.Equal(shown, expected) {
		got.values[memberOfName] = shown
		return nil
	}
	err := s.memberships(ctx, known, kind, wanted, got)
	list, _ := got.values[memberOfName].([]string)
	if ok && err == nil && len(list) > 0 && slices.Equal(shown, slices.Sorted(slices.Values(list))) {
		known.shows.Store(true)
	}
	return err
}
