package activedirectory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/session"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// standing is what is read of an object for its Standing.
var standing = []string{"objectClass", "objectSid", "memberOf", "primaryGroupID", "adminCount", "isCriticalSystemObject", "userAccountControl"}

// deepest is how many groups may lie within each other; a ring ends by itself.
const deepest = 64

// Inspect reads what a guardrail must know. Objects come in searches of many;
// the groups within groups level by level, by the groups that name them in
// memberOf, for those are few where the members may be thousands.
//
// It fails where it cannot see enough: a membership that is not shown would
// look like none.
func (s *System) Inspect(ctx context.Context, ids, groups []string) (objects, within []*connectorv1.Standing, err error) {
	c, err := s.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	if !c.Root.ActiveDirectory {
		return nil, nil, sdk.Invalid("the server is no Active Directory: what its objects are to its security cannot be told",
			"Use the connector ldap for it.")
	}
	guid := &schema.Attribute{Name: "objectGUID", Kind: schema.GUID}
	for part := range slices.Chunk(ids, session.ValuesPerSearch) {
		var anyOf []filter.Filter
		for _, id := range part {
			if raw, err := guid.Raw(id); err == nil { // else no object has it
				anyOf = append(anyOf, filter.Equal(guid.Name, raw))
			}
		}
		if len(anyOf) == 0 {
			continue
		}
		found, err := s.standings(ctx, c.Root, filter.Or(anyOf...))
		if err != nil {
			return nil, nil, err
		}
		objects = append(objects, found...)
	}
	if len(groups) > 0 {
		within, err = s.groupsWithin(ctx, c, groups)
	}
	return objects, within, err
}

// groupsWithin returns the groups with these SIDs, and all groups in them.
func (s *System) groupsWithin(ctx context.Context, c *dc.Conn, sids []string) ([]*connectorv1.Standing, error) {
	e, _, err := s.ReadOne(ctx, c.Root.Base, []string{"objectSid"})
	if err != nil {
		return nil, err
	}
	if e == nil || e.Value("objectSid") == "" {
		return nil, unseen("the security id of the domain", c.Root.Base, "objectSid")
	}
	domain := schema.FormatSID(e.Value("objectSid"))
	sid := &schema.Attribute{Name: "objectSid", Kind: schema.SID}
	var anyOf []filter.Filter
	for _, text := range sids {
		if !strings.HasPrefix(text, "S-") {
			text = domain + "-" + text
		}
		raw, err := sid.Raw(text)
		if err != nil {
			return nil, sdk.Invalid(err.Error(), "Correct it in the guardrail.")
		}
		anyOf = append(anyOf, filter.Equal(sid.Name, raw))
	}
	var all []*connectorv1.Standing
	seen := map[string]bool{}
	for level := 0; len(anyOf) > 0; level++ {
		if level == deepest {
			return nil, sdk.Invalid(fmt.Sprintf("more than %d groups lie within each other", deepest), "Make the nesting of protected groups flatter.")
		}
		var next []filter.Filter
		for part := range slices.Chunk(anyOf, session.ValuesPerSearch) {
			found, err := s.standings(ctx, c.Root, filter.And(filter.Equal("objectClass", "group"), filter.Or(part...)))
			if err != nil {
				return nil, err
			}
			for _, g := range found {
				if !seen[g.GetId()] {
					seen[g.GetId()] = true
					all = append(all, g)
					next = append(next, filter.Equal("memberOf", g.GetAddress()))
				}
			}
		}
		anyOf = next
	}
	return all, nil
}

// standings reads the objects of the domain that match.
func (s *System) standings(ctx context.Context, root *dc.Root, f filter.Filter) ([]*connectorv1.Standing, error) {
	found, _, err := s.LookUp(ctx, wire.Search{Base: root.Base, Scope: wire.ScopeSubtree, Filter: f.Bytes(), Attributes: standing})
	if err != nil {
		return nil, err
	}
	all := make([]*connectorv1.Standing, 0, len(found))
	for _, e := range found {
		one, err := s.standingOf(ctx, e)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func (s *System) standingOf(ctx context.Context, e *wire.Entry) (*connectorv1.Standing, error) {
	st := &connectorv1.Standing{Classes: e.Values("objectClass")}
	st.Id, st.Address = dn.Extended(e.DN)
	st.Id = strings.ToLower(st.Id)
	if len(st.Classes) == 0 {
		return nil, unseen("the classes of an object", st.Address, "objectClass")
	}
	st.Sid = schema.FormatSID(e.Value("objectSid"))
	st.Admin = e.Value("adminCount") != "" && e.Value("adminCount") != "0"
	st.Critical = strings.EqualFold(e.Value("isCriticalSystemObject"), "TRUE")
	if bits, err := strconv.ParseInt(e.Value("userAccountControl"), 10, 64); err == nil {
		st.AccountControl = uint32(bits)
	}
	principal := false
	for _, class := range st.Classes {
		principal = principal || strings.EqualFold(class, "user") || strings.EqualFold(class, "group")
	}
	if principal && st.Sid == "" {
		return nil, unseen("the security id of an account or group", st.Address, "objectSid")
	}
	if rid := e.Value("primaryGroupID"); rid != "" && st.Sid != "" {
		st.PrimaryGroup = st.Sid[:strings.LastIndexByte(st.Sid, '-')+1] + rid
	}
	memberOf, err := s.memberOf(ctx, st, e)
	if err != nil {
		return nil, err
	}
	for _, v := range memberOf {
		id, name := dn.Extended(v)
		if id == "" {
			return nil, sdk.Invalid(fmt.Sprintf("the server does not tell the id of the group %s", name),
				"Use a domain controller that knows the extended DN control (1.2.840.113556.1.4.529).").On(st.Address).At("memberOf")
		}
		st.Groups = append(st.Groups, strings.ToLower(id))
	}
	return st, nil
}

// memberOf returns all values, of which a server gives 1,500 at a time.
func (s *System) memberOf(ctx context.Context, st *connectorv1.Standing, e *wire.Entry) ([]string, error) {
	values := e.Values("memberOf")
	part := e
	for {
		next := 0
		for _, a := range part.Attributes {
			name, option, _ := strings.Cut(strings.ToLower(a.Name), ";range=")
			if name != "memberof" || option == "" {
				continue
			}
			values = append(values, a.Values...)
			if _, last, _ := strings.Cut(option, "-"); last != "*" {
				to, err := strconv.Atoi(last)
				if err != nil {
					return nil, unseen("the groups of an object", st.GetAddress(), "memberOf")
				}
				next = to + 1
			}
		}
		if next == 0 {
			return values, nil
		}
		var err error
		if part, _, err = s.ReadOne(ctx, dn.OfID(st.GetId()), []string{"memberOf;range=" + strconv.Itoa(next) + "-*"}); err != nil {
			return nil, err
		}
		if part == nil {
			return nil, fault.Gone(dn.OfID(st.GetId()))
		}
	}
}

func unseen(what, object, attribute string) *sdk.Error {
	return sdk.Denied(what+" cannot be read, without which a guardrail cannot decide",
		"Grant the service account the right to read "+attribute+" there.").On(object).At(attribute)
}
