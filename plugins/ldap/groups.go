package ldap

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/session"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

const (
	memberOf  = "memberOf"  // groups of an object: by the server's overlay, else worked out
	memberUID = "memberUid" // holds uids instead of DNs, RFC 2307
)

// groupKinds are the classes of groups that the directory has, one for each
// object class.
func (s *System) groupKinds(d *directory) (kinds []class) {
	for _, c := range s.classes {
		if c.member != "" && d.Has(c.is()) && !slices.ContainsFunc(kinds, func(k class) bool { return strings.EqualFold(k.is(), c.is()) }) {
			kinds = append(kinds, c)
		}
	}
	return kinds
}

// A membershipTable knows who is in which groups, for a read of everything.
type membershipTable struct {
	byName map[string][]string // ids of groups, by dn.Key of the member
	byUID  map[string][]string // the same, by uid
}

func (t *membershipTable) of(name string, uids []string) []string {
	ids := slices.Clone(t.byName[dn.Key(name)])
	for _, uid := range uids {
		for _, id := range t.byUID[uid] {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// readGroups reads all groups and their members.
func (s *System) readGroups(ctx context.Context, c *dc.Conn, d *directory) (*membershipTable, error) {
	t := &membershipTable{byName: map[string][]string{}, byUID: map[string][]string{}}
	for _, kind := range s.groupKinds(d) {
		err := s.Search(ctx, c, wire.Search{
			Base: s.base(c.Root), Scope: wire.ScopeSubtree, Filter: filterOf(kind).Bytes(), Attributes: []string{d.id, kind.member},
		}, func(e *wire.Entry) error {
			id := strings.Clone(d.idOf(e))
			for _, v := range valuesOf(e, kind.member) {
				if strings.EqualFold(kind.member, memberUID) {
					v = strings.Clone(v)
					t.byUID[v] = append(t.byUID[v], id)
				} else if key := dn.Key(v); key != "" {
					t.byName[key] = append(t.byName[key], id)
				}
			}
			return nil
		})
		if err != nil {
			return nil, s.Fault(err, fault.About{Server: c.Root.Server, Doing: "read the members of groups", Object: s.base(c.Root), Right: "read access"})
		}
	}
	return t, nil
}

// findGroups fills in memberOf of the few objects of a window.
func (s *System) findGroups(ctx context.Context, w *window) error {
	const atATime = 16
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atATime)
	for i, o := range w.objects {
		group.Go(func() error {
			found, err := s.groupsOf(ctx, w.sh.directory, o.Address, w.uids[i])
			if err == nil {
				o.Attributes[w.sh.memberOf].Values = found
			}
			return err
		})
	}
	return group.Wait()
}

// groupsOf returns the native ids of the groups that an object is in.
func (s *System) groupsOf(ctx context.Context, d *directory, name string, uids []string) (ids []string, err error) {
	c, err := s.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var kinds []filter.Filter
	for _, kind := range s.groupKinds(d) {
		var member []filter.Filter
		if strings.EqualFold(kind.member, memberUID) {
			for _, uid := range uids {
				member = append(member, filter.Equal(kind.member, uid))
			}
		} else {
			member = append(member, filter.Equal(kind.member, name))
		}
		if len(member) > 0 {
			kinds = append(kinds, filter.And(filterOf(kind), filter.Or(member...)))
		}
	}
	if len(kinds) == 0 {
		return nil, nil
	}
	found, _, err := s.LookUp(ctx, wire.Search{
		Base: s.base(c.Root), Scope: wire.ScopeSubtree, Filter: filter.Or(kinds...).Bytes(), Attributes: []string{d.id},
	})
	for _, e := range found {
		ids = append(ids, d.idOf(e))
	}
	return ids, err
}

// ChangeMembership adds the object to groups and takes it out of others. Each
// group is a request of its own, with others who join or leave it at the time:
// where one is refused, those before it are done, and a repetition goes on from there.
func (s *System) ChangeMembership(ctx context.Context, t sdk.Target, join, leave []string) (sdk.Result, error) {
	target, err := s.target(ctx, t.ID)
	if err != nil {
		return sdk.Result{}, err
	}
	groups, err := s.locate(ctx, slices.Concat(join, leave)...)
	if err != nil {
		return sdk.Result{}, err
	}
	r := sdk.Result{Unchanged: true}
	for i, id := range slices.Concat(join, leave) {
		in := i < len(join)
		g, there := groups[id]
		if !there {
			if in {
				return r, sdk.NotFound("the group is no longer in the directory", "Nothing: it is read and planned again.").On(id).At("member")
			}
			continue
		}
		changed, server, err := s.setMember(ctx, target, g, in)
		r.Server, r.Unchanged = server, r.Unchanged && !changed
		if err != nil {
			return r, err
		}
	}
	return s.after(ctx, t, target.dn, r), nil
}

// setMember makes sure that the object is in the group, or is not.
func (s *System) setMember(ctx context.Context, target, g place, in bool) (changed bool, server string, err error) {
	c, err := s.Conn(ctx)
	if err != nil {
		return false, "", err
	}
	d, err := s.known(ctx, c)
	if err != nil {
		return false, "", err
	}
	kind, ok := s.kindOf(d, g)
	if !ok {
		return false, c.Root.Name, sdk.Invalid("the object is no group that the connector knows",
			"Name its class, with the attribute of its members, in \"classes\" of the settings.").On(g.dn)
	}
	value := target.dn
	if strings.EqualFold(kind.member, memberUID) {
		if value, err = s.uidOf(ctx, target); err != nil {
			return false, c.Root.Name, err
		}
	}
	result, c, err := s.members.Set(ctx, g.dn, kind.member, session.Membership{Value: value, In: in})
	if err == nil && !in && needsMember(result) { // the last one
		result, c, err = s.Write(ctx, wire.Modify{DN: g.dn, Changes: []wire.Change{
			{Kind: wire.ChangeDelete, Attribute: wire.Attribute{Name: kind.member, Values: []string{value}}},
			{Kind: wire.ChangeAdd, Attribute: wire.Attribute{Name: kind.member, Values: []string{s.settings.EmptyMember}}},
		}})
	}
	if err != nil {
		return false, "", err
	}
	switch {
	case result.Code == wire.Success:
		return true, c.Root.Name, nil
	case in && result.Code == wire.AttributeOrValueExists, !in && result.Code == wire.NoSuchAttribute, !in && result.Code == wire.NoSuchObject:
		return false, c.Root.Name, nil
	}
	return false, c.Root.Name, s.Fault(result.Err(), fault.About{
		Server: c.Root.Server, Doing: "change the members of the group", Object: g.dn,
		Right: "the right to write " + kind.member, Attribute: kind.member,
	})
}

// needsMember tells whether a change was refused because the group would have
// no member.
func needsMember(r *wire.Result) bool {
	return r.Code == wire.ObjectClassViolation || r.Code == wire.ConstraintViolation
}

// kindOf returns the class of groups that an object is of.
func (s *System) kindOf(d *directory, g place) (class, bool) {
	for _, kind := range s.groupKinds(d) {
		if slices.ContainsFunc(g.classes, func(name string) bool { return strings.EqualFold(name, kind.is()) }) {
			return kind, true
		}
	}
	return class{}, false
}

func (s *System) uidOf(ctx context.Context, target place) (string, error) {
	e, _, err := s.ReadOne(ctx, target.dn, []string{"uid"})
	if err != nil {
		return "", err
	}
	if e == nil {
		return "", fault.Gone(target.dn)
	}
	uids := valuesOf(e, "uid")
	if len(uids) == 0 {
		return "", sdk.Invalid("the object has no uid, by which a posixGroup names its members", "Let the mapping write uid.").On(target.dn).At("uid")
	}
	return uids[0], nil
}
