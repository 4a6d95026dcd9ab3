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
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// powerful are the groups that the service account has no need of, by RID or SID.
var powerful = []string{"512", "516", "518", "519", "520", "S-1-5-32-544", "S-1-5-32-548", "S-1-5-32-549", "S-1-5-32-551"}

// dangerous are attributes that nobody provisions and whoever writes them rules by.
var dangerous = []string{"servicePrincipalName", "msDS-AllowedToActOnBehalfOfOtherIdentity", "msDS-KeyCredentialLink", "scriptPath"}

// ProbeAccess compares what the directory lets the account do with what the
// operations need: too little, and too much. It asks the directory itself
// (MS-ADTS 3.1.1.4.5), of the containers and of one object in each.
func (s *System) ProbeAccess(ctx context.Context, access []*connectorv1.Access, steps *sdk.Steps) {
	c, err := s.Conn(ctx)
	if err != nil || !c.Root.ActiveDirectory {
		return // Probe has said it
	}
	steps.Check("rights: groups of "+s.settings.Bind, func() (string, error) { return s.probeSelf(ctx, c) })
	for _, a := range access {
		if a.GetContainer() == "" {
			steps.Check("rights: "+a.GetClass()+" objects", func() (string, error) { return unknownPlace, nil })
			continue
		}
		steps.Check("rights: "+a.GetClass()+" objects in "+a.GetContainer(), func() (string, error) { return s.probeContainer(ctx, a) })
	}
}

// unknownPlace is what there is to say of rights nobody knows where to look for.
const unknownPlace = "not compared: the mapping works out from attributes where they lie, and guardrail.yaml names no bases; name them there to have the rights compared"

// probeSelf looks for groups that give the account more than it needs.
func (s *System) probeSelf(ctx context.Context, c *dc.Conn) (string, error) {
	bind := s.settings.Bind
	name, _, _ := strings.Cut(bind, "@")
	if i := strings.IndexByte(name, '\\'); i >= 0 {
		name = name[i+1:]
	}
	f := filter.Or(filter.Equal("userPrincipalName", bind), filter.Equal("sAMAccountName", name))
	if dn.Valid(bind) && strings.Contains(bind, "=") {
		f = filter.Equal("distinguishedName", bind)
	}
	found, err := s.standings(ctx, c.Root, filter.And(filter.Equal("objectClass", "user"), f))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "the account itself cannot be seen", nil
	}
	within, err := s.groupsWithin(ctx, c, powerful)
	if err != nil {
		return "", err
	}
	for _, g := range within {
		if slices.Contains(found[0].GetGroups(), g.GetId()) || found[0].GetPrimaryGroup() == g.GetSid() {
			return "", sdk.Denied(fmt.Sprintf("the service account has more rights than it needs: it is a member of %s", g.GetAddress()),
				"Take it out of the group, and give it the rights that `drawbridge-agent rights` prints.").On(found[0].GetAddress())
		}
	}
	return "in no group that rules", nil
}

// probeContainer asks for the rights in one container.
func (s *System) probeContainer(ctx context.Context, a *connectorv1.Access) (string, error) {
	e, _, err := s.ReadOne(ctx, a.GetContainer(), []string{"allowedChildClassesEffective", "sDRightsEffective"})
	if err != nil {
		return "", err
	}
	if e == nil {
		return "", sdk.NotFound("the container is not in the directory, or the service account may not see it",
			"Make it, or grant the right to read; then `drawbridge-agent rights`.").On(a.GetContainer())
	}
	has := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(v string) bool { return strings.EqualFold(v, name) })
	}
	var missing, more []string
	if has(a.GetVerbs(), "create") && !has(e.Values("allowedChildClassesEffective"), a.GetClass()) {
		missing = append(missing, "create "+a.GetClass()+" objects")
	}
	const ownerOrPermissions = 1 | 4
	if bits, _ := strconv.Atoi(e.Value("sDRightsEffective")); bits&ownerOrPermissions != 0 {
		more = append(more, "change who has which rights there")
	}
	sample, seen, err := s.sample(ctx, a)
	if err != nil {
		return "", err
	}
	if seen {
		wanted := slices.Clone(a.GetAttributes())
		for verb, name := range map[string]string{"enable": "userAccountControl", "disable": "userAccountControl", "password": "pwdLastSet", "move": "name"} {
			if has(a.GetVerbs(), verb) {
				wanted = append(wanted, name)
			}
		}
		slices.Sort(wanted)
		for _, name := range slices.Compact(wanted) {
			if !has(sample, name) && !virtual(name) {
				missing = append(missing, "write "+name)
			}
		}
		for _, name := range dangerous {
			if has(sample, name) && !has(a.GetAttributes(), name) {
				more = append(more, "write "+name)
			}
		}
	}
	var causes []string
	if len(missing) > 0 {
		causes = append(causes, "the service account may not "+strings.Join(missing, ", "))
	}
	if len(more) > 0 {
		causes = append(causes, "it has more rights than it needs: it may "+strings.Join(more, ", "))
	}
	if len(causes) > 0 {
		return "", sdk.Denied(strings.Join(causes, "; "), "Give it the rights that `drawbridge-agent rights` prints, and take away the others.").On(a.GetContainer())
	}
	if !seen {
		return "as needed; attributes are seen once there is an object", nil
	}
	return "as needed", nil
}

func virtual(name string) bool {
	return slices.Contains([]string{schema.Enabled, schema.Container}, strings.ToLower(name))
}

// sample returns what the account may write of some object in the container,
// one that no protection keeps it from.
func (s *System) sample(ctx context.Context, a *connectorv1.Access) (writable []string, seen bool, err error) {
	class := classOf(a.GetClass())
	c, err := s.Conn(ctx)
	if err != nil {
		return nil, false, err
	}
	unprotected := filter.And(filter.Not(filter.Equal("adminCount", "1")), filter.Not(filter.Equal("objectClass", "computer")))
	result, err := c.Search(ctx, wire.Search{
		Base: a.GetContainer(), Scope: wire.ScopeSubtree, Attributes: []string{"allowedAttributesEffective"}, SizeLimit: 1,
		Filter: filter.And(filter.Equal("objectClass", class.name), unprotected).Bytes(),
	}, func(e *wire.Entry) error {
		seen, writable = true, slices.Clone(e.Clone().Values("allowedAttributesEffective"))
		return nil
	}, controls(c.Root)...)
	if err != nil || result.Code != wire.Success && !seen && result.Code != wire.NoSuchObject {
		if err == nil {
			err = result.Err()
		}
		return nil, false, s.Fault(err, fault.About{Server: c.Root.Server, Doing: "look for an object in the container", Object: a.GetContainer()})
	}
	return writable, seen, nil
}
