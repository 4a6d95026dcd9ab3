package activedirectory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// noContainer tells whether an add or a rename may have failed because the
// container is missing. Windows says it in several ways.
func noContainer(r *wire.Result) bool {
	switch r.Code {
	case wire.NoSuchObject:
		return true
	case wire.OperationsError, wire.NamingViolation, wire.Other, wire.UnwillingToPerform:
		return strings.Contains(r.Message, "No superior") || slices.Contains([]string{"0000208D", "00002089", "00002095"}, windowsCode(r))
	}
	return false
}

// addAgain adds once more, after making the container if it is missing and may
// be made. It may be there by now: of several who miss it one is the quickest.
func (s *System) addAgain(ctx context.Context, n *creation, result *wire.Result, c *dc.Conn) (*wire.Result, *dc.Conn, error) {
	if err := s.container(ctx, n.create.GetContainer(), n.create.GetMakeContainers()); err != nil {
		return result, c, err
	}
	again, on, err := s.Write(ctx, n.add)
	if err != nil {
		return result, c, err
	}
	return again, on, nil
}

// container makes sure that name is there. Only organizational units are made.
func (s *System) container(ctx context.Context, name string, make bool) error {
	e, _, err := s.ReadOne(ctx, name, []string{"1.1"})
	if err != nil || e != nil {
		return err
	}
	attribute, value, parent, _ := dn.Split(name)
	switch {
	case !make:
		return sdk.Invalid(fmt.Sprintf("the container %s does not exist", name),
			"Make it, correct container in the mapping, or let the mapping make missing containers (make_containers).").On(name)
	case !strings.EqualFold(attribute, "OU") || parent == "":
		return sdk.Invalid(fmt.Sprintf("the container %s does not exist, and only organizational units (OU=) are made", name),
			"Make it, or correct container in the mapping.").On(name)
	}
	if err := s.container(ctx, parent, true); err != nil {
		return err
	}
	result, c, err := s.Write(ctx, wire.Add{DN: name, Attributes: []wire.Attribute{
		{Name: "objectClass", Values: classOf("organizationalUnit").objectClass}, {Name: "ou", Values: []string{value}},
	}})
	if err != nil {
		return err
	}
	if result.Code != wire.Success && result.Code != wire.EntryAlreadyExists { // somebody else may have been quicker
		return s.Fault(result.Err(), fault.About{
			Server: c.Root.Server, Doing: "make the container", Object: name, Right: `"Create organizationalUnit objects"`,
		})
	}
	return nil
}
