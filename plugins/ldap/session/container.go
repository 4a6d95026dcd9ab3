package session

import (
	"context"
	"fmt"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// A Unit is how organizational units are spoken of to people.
type Unit struct {
	Naming string                     // its naming attribute, as servers of the kind write it
	Right  func(parent string) string // that an account needs to make one
}

// Container makes sure that name is there, and makes what is missing of it and
// above it where make says so. Only organizational units are made.
func (s *Session) Container(ctx context.Context, name string, make bool, unit Unit) error {
	e, _, err := s.ReadOne(ctx, name, []string{"1.1"})
	if err != nil || e != nil {
		return err
	}
	attribute, value, parent, _ := dn.Split(name)
	switch {
	case !make:
		return sdk.Invalid(fmt.Sprintf("the container %s does not exist", name),
			"Make it, correct container in the mapping, or let the mapping make missing containers (make_containers).").On(name)
	case !strings.EqualFold(attribute, unit.Naming) || parent == "":
		return sdk.Invalid(fmt.Sprintf("the container %s does not exist, and only organizational units (%s=) are made", name, unit.Naming),
			"Make it, or correct container in the mapping.").On(name)
	}
	if err := s.Container(ctx, parent, true, unit); err != nil {
		return err
	}
	result, c, err := s.Write(ctx, wire.Add{DN: name, Attributes: []wire.Attribute{
		{Name: "objectClass", Values: []string{"top", "organizationalUnit"}}, {Name: "ou", Values: []string{value}},
	}})
	if err != nil {
		return err
	}
	if result.Code != wire.Success && result.Code != wire.EntryAlreadyExists { // somebody else may have been quicker
		about := fault.About{Server: c.Root.Server, Doing: "make the container", Object: name, Right: unit.Right(parent)}
		if result.Code == wire.InsufficientAccessRights {
			about.Object = parent // the right is given there
		}
		return s.Fault(result.Err(), about)
	}
	return nil
}
