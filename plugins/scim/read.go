package scim

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/web"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// Read gives every object of the classes.
func (s *System) Read(ctx context.Context, q sdk.Query, out *sdk.Sink) ([]byte, error) {
	return s.readClasses(ctx, q, cookie{}, out)
}

// readClasses reads what has changed since the cookie, everything where it says
// nothing of a class.
func (s *System) readClasses(ctx context.Context, q sdk.Query, since cookie, out *sdk.Sink) ([]byte, error) {
	known, err := s.known(ctx)
	if err != nil {
		return nil, err
	}
	next, tells := newCookie(q), s.tellsChanges(known)
	var members map[uint64][]string
	for _, class := range q.Classes {
		t := known.resourceType(class)
		if t == nil {
			continue
		}
		r := &reading{system: s, known: known, t: t, class: class, attributes: t.readable(q.Attributes), out: out, mark: since.Classes[t.name], members: &members}
		if err := r.all(ctx); err != nil {
			return nil, err
		}
		if r.next.Since == "" {
			total := r.next.Total
			r.next = r.mark // nothing was there, or nothing has changed
			r.next.Total = total
		}
		next.Classes[t.name] = r.next
		if tells = tells && !r.next.unusable && r.groups == nil; tells && since.Classes == nil && r.next.Since != "" {
			if tells, err = r.filters(ctx); err != nil {
				return nil, err
			}
		}
	}
	if !tells {
		return nil, nil
	}
	return next.encode()
}

// A reading is the read of one class.
type reading struct {
	system     *System
	known      *service
	t          *resourceType
	class      string // as it was asked for
	attributes []*attribute
	out        *sdk.Sink
	mark       mark // of the last read; zero: everything is read
	next       mark // of this read
	fresh      int  // objects made since the last read

	// groups of each member, by hash of its native id; nil unless memberOf is
	// asked for and has to be worked out.
	groups  map[uint64][]string
	members *map[uint64][]string // the same, once it was read for any class
}

func (r *reading) all(ctx context.Context) error {
	s := r.system
	for _, a := range r.attributes {
		if a.name == memberOfName && !s.asked(r.t) {
			if *r.members == nil {
				if err := r.readGroups(ctx); err != nil {
					return err
				}
			}
			r.groups = *r.members
		}
	}
	query := s.projection(r.t, r.attributes)
	if filter := r.mark.filter(); filter != "" {
		query.Set("filter", filter)
	}
	l := &listing{system: s, known: r.known, t: r.t, take: r.take, reject: func(place, reason string) error { return r.out.Reject(place, reason, "") }}
	if err := l.read(ctx, web.Request{Path: r.t.endpoint, Query: query, Doing: "read the resources of the type " + r.t.name}); err != nil {
		return err
	}
	if r.mark.Since == "" {
		r.next.Total = l.seen.n
		return l.stable(ctx)
	}
	r.next.Total = r.mark.Total + r.fresh
	total, err := r.count(ctx)
	if err == nil && total >= 0 && total != r.next.Total && s.dialect.Total != "unreliable" {
		err = fmt.Errorf("there are %d of the type %s instead of %d: some were deleted: %w", total, r.t.name, r.next.Total, sdk.ErrResync)
	}
	return err
}

// count asks how many objects there are; -1 where the server does not say.
func (r *reading) count(ctx context.Context) (total int, err error) {
	query := r.system.projection(r.t, []*attribute{})
	r.system.count(query, r.known, 1)
	err = r.system.list(ctx, web.Request{Path: r.t.endpoint, Query: query, Doing: "count the resources of the type " + r.t.name},
		func(p page) *web.Request { total = p.total; return nil }, func([]byte) error { return nil })
	return total, err
}

// take passes one object on.
func (r *reading) take(got resource, key uint64) error {
	known := r.mark.has(got)
	if r.mark.Since != "" && r.mark.fresh(got) {
		r.fresh++
	}
	r.next.see(got)
	switch {
	case known:
		return nil
	case r.system.deleted(got.values):
		return r.out.Gone(got.id())
	case r.groups != nil:
		got.values[memberOfName] = append([]string{}, r.groups[key]...)
	case r.t.shows:
		got.values[memberOfName] = groupsOf(got.values)
	}
	return r.out.Object(r.t.object(r.class, got, r.attributes))
}

// deleted tells whether an object was deleted by deactivating and marking it.
func (s *System) deleted(values map[string]any) bool {
	if len(s.settings.DeletedMark) == 0 || isActive(values) {
		return false
	}
	for name, want := range s.settings.DeletedMark {
		p, err := path.Parse(name)
		if err != nil || !path.Equal(p, want).Match(values, nil) {
			return false
		}
	}
	return true
}

// groupsOf are the groups that a user shows.
func groupsOf(values map[string]any) []string {
	list := []string{}
	for _, v := range (path.Path{Attr: "groups", Sub: "value"}).Values(values) {
		list = append(list, asText(v))
	}
	return list
}

// readGroups notes the groups of every member: some 40 bytes for each.
func (r *reading) readGroups(ctx context.Context) error {
	s, group := r.system, r.known.resourceType("Group")
	if group == nil || group.attribute("members") == nil {
		return nil
	}
	members := map[uint64][]string{}
	*r.members = members
	l := &listing{system: s, known: r.known, t: group, reject: func(place, reason string) error { return r.out.Reject(place, reason, "") },
		take: func(got resource, _ uint64) error {
			id := got.id()
			for _, v := range (path.Path{Attr: "members", Sub: "value"}).Values(got.values) {
				key := maphash.String(seed, asText(v))
				members[key] = append(members[key], id)
			}
			return nil
		}}
	return l.read(ctx, web.Request{Path: group.endpoint, Query: s.projection(group, []*attribute{group.attribute("members")}), Doing: "read the members of groups"})
}

// filters tells whether the server finds objects by when they were changed.
func (r *reading) filters(ctx context.Context) (bool, error) {
	s := r.system
	query := s.projection(r.t, []*attribute{})
	s.count(query, r.known, 1)
	query.Set("filter", r.next.filter())
	right := true
	err := s.list(ctx, web.Request{Path: r.t.endpoint, Query: query, Doing: "read what has changed"}, func(page) *web.Request { return nil },
		func(raw []byte) error {
			values, _ := decode(raw)
			right = right && r.next.covers(resource{values: values})
			return nil
		})
	if e, ok := errors.AsType[*sdk.Error](err); ok && e.Outcome == sdk.OutcomeInvalid {
		return false, nil
	}
	return right, err
}
