package activedirectory

import (
	"context"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/session"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// ChangeMembership adds the object to groups and takes it out of others. Each
// group is a request of its own, with others who join or leave it at the time:
// where one is refused, those before it are done, and a repetition goes on from there.
func (s *System) ChangeMembership(ctx context.Context, t sdk.Target, join, leave []string) (sdk.Result, error) {
	target, err := s.target(ctx, t.ID)
	if err != nil {
		return sdk.Result{}, err
	}
	r := sdk.Result{Unchanged: true}
	for _, step := range []struct {
		groups []string
		in     bool
	}{{join, true}, {leave, false}} {
		for _, id := range step.groups {
			group, err := s.target(ctx, id)
			if err != nil {
				return r, err
			}
			result, c, err := s.members.Set(ctx, group, "member", session.Membership{Value: target, In: step.in})
			if err != nil {
				return r, err
			}
			r.Server = c.Root.Name
			if result.Code == wire.Success {
				r.Unchanged = false
				continue
			}
			already, err := s.already(ctx, t, target, group, step.in)
			if err != nil {
				return r, err
			}
			if !already {
				return r, s.Fault(result.Err(), fault.About{
					Server: c.Root.Server, Doing: "change the members of the group", Object: group,
					Right: "the right to write member", Attribute: "member",
				})
			}
		}
	}
	return s.after(ctx, t, target, r), nil
}

// already tells, after a refusal, whether the object is in the group, or not
// in it, as wanted. It asks the server, whose codes for this are many.
func (s *System) already(ctx context.Context, t sdk.Target, target, group string, in bool) (bool, error) {
	e, _, err := s.ReadOne(ctx, target, []string{"memberOf", "primaryGroupID", "objectSid"})
	if err != nil {
		return false, err
	}
	if e == nil {
		return false, fault.Gone(dn.OfID(t.ID))
	}
	g, _, err := s.ReadOne(ctx, group, []string{"objectSid"})
	if err != nil {
		return false, err
	}
	if g == nil {
		if in {
			return false, sdk.NotFound("the group is no longer in the directory", "Nothing: it is read and planned again.").On(group).At("member")
		}
		return true, nil
	}
	_, groupDN := dn.Extended(g.DN)
	member := false
	for _, v := range e.Values("memberOf") {
		_, name := dn.Extended(v)
		member = member || dn.Equal(name, groupDN)
	}
	if sid := schema.FormatSID(g.Value("objectSid")); !member && sid != "" && strings.HasSuffix(sid, "-"+e.Value("primaryGroupID")) && e.Value("primaryGroupID") != "" &&
		strings.HasPrefix(schema.FormatSID(e.Value("objectSid")), sid[:strings.LastIndexByte(sid, '-')+1]) {
		if in {
			return true, nil
		}
		_, address := dn.Extended(e.DN)
		return false, sdk.Invalid(groupDN+" is the primary group of the object, which it cannot leave",
			"Give it another primary group first, or take this one out of the mapping.").On(address).At("primaryGroupID")
	}
	return member == in, nil
}
