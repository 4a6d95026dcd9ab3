package ldap

import (
	"context"
	"fmt"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/change"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/session"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// assertion is the control of RFC 4528.
const assertion = "1.3.6.1.1.12"

// asserting returns the controls by which the server carries a request out
// only if it meets the object with this id, and if that matches held. Where
// the server takes none, a request is as good as the DN that it names.
func (s *System) asserting(c *dc.Conn, d *directory, id string, held ...filter.Filter) []wire.Control {
	if !c.Root.Supports(assertion) {
		return nil
	}
	if d.id != byDN {
		held = append(held, filter.Equal(d.id, id))
	}
	f := filter.And(held...)
	if len(f.Bytes()) == 0 {
		return nil
	}
	return []wire.Control{{OID: assertion, Critical: true, Value: f.Bytes()}}
}

// writable returns an attribute that an operation may write, or says why it
// may not.
func (s *System) writable(ctx context.Context, c *dc.Conn, class class, name string) (*schema.Attribute, error) {
	a, err := s.attribute(ctx, c, name)
	if err != nil {
		return nil, err
	}
	switch key := fold(a.Name); {
	case key == schema.Enabled, s.settings.Enabled.Attribute != "" && key == fold(s.settings.Enabled.Attribute):
		return nil, sdk.Invalid(a.Name+" is not written as an attribute", "Let the lifecycle of the mapping enable and disable.").At(a.Name)
	case key == schema.Container, key == schema.RDN, key == fold(class.naming):
		return nil, sdk.Invalid(a.Name+" follows from where the object is", "Use name and container of the mapping.").At(a.Name)
	case key == "userpassword":
		return nil, sdk.Invalid("a password is not written as an attribute", "Use the password rule of the mapping.").At(a.Name)
	case key == fold(memberOf):
		return nil, sdk.Invalid("memberOf is worked out from the groups", "Use the groups of the mapping.").At(a.Name)
	}
	if a.ReadOnly {
		return nil, sdk.Invalid(a.Name+" is written by the server only", "Take it out of the mapping.").At(a.Name)
	}
	return a, nil
}

// place returns the DN of name within container, or what is wrong with either.
func (s *System) place(ctx context.Context, c *dc.Conn, class class, name, container string) (string, error) {
	if !dn.Valid(container) || container == "" {
		return "", sdk.Invalid(fmt.Sprintf("the container %q is no distinguished name", container), "Correct container in the mapping.").At("container")
	}
	if name == "" {
		return "", sdk.Invalid("the object has no name", "Correct name in the mapping.").At(class.naming)
	}
	naming, err := s.attribute(ctx, c, class.naming)
	if err != nil {
		return "", err
	}
	if n := naming.TooLong(name); n > 0 {
		return "", change.TooLong(naming.Name, n, naming.Max)
	}
	return dn.Join(class.naming, name, container), nil
}

func (s *System) container(ctx context.Context, name string, make bool) error {
	return s.Container(ctx, name, make, session.Unit{Naming: "ou", Right: func(parent string) string { return "write access to the children of " + parent }})
}

// after adds to r the object as it is now, if any of it was asked for. That it
// cannot be read takes nothing from what was done.
func (s *System) after(ctx context.Context, t sdk.Target, base string, r sdk.Result) sdk.Result {
	if len(t.Attributes) == 0 {
		return r
	}
	o, err := s.object(ctx, s.classOf(t.Class), base, t.Attributes)
	if err != nil {
		s.log.WarnContext(ctx, "Object could not be read after the write", "object", fold(base), "err", err)
	}
	r.Object = o
	return r
}
