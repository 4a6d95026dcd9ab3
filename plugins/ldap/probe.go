package ldap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Probe tries each server up to the bind, then what the directory offers and
// what the account may do.
func (s *System) Probe(ctx context.Context, classes []string, steps *sdk.Steps) {
	c := s.Reach(ctx, &s.options, s.base, "read access", steps)
	if c == nil {
		return
	}
	defer c.Close()
	var d *directory
	steps.Try("schema", func() (_ string, err error) {
		if d, err = s.readSchema(ctx, c); err != nil {
			return "", err
		}
		return d.words(), nil
	})
	steps.Try("changes", func() (string, error) { return s.probeChanges(ctx, c, d) })
	steps.Try("passwords", func() (string, error) { return s.probePasswords(c, d), nil })
	for _, name := range classes {
		class := s.classOf(name)
		steps.Try("rights over "+class.name+" objects", func() (string, error) { return s.probeRights(ctx, c, d, class) })
	}
}

// words says how the connector deals with this directory.
func (d *directory) words() string {
	id, groups := "native id is "+d.id, "memberOf by the server"
	if d.id == byDN {
		id = "native id is the DN: a renamed object is another one"
	}
	if d.derived {
		groups = "memberOf worked out from the groups"
	}
	return id + ", " + groups
}

func (s *System) probeChanges(ctx context.Context, c *dc.Conn, d *directory) (string, error) {
	var names []string
	for _, class := range s.classes {
		if d.Has(class.is()) {
			names = append(names, class.name)
		}
	}
	p, err := s.begin(ctx, c, sdk.Query{Classes: names[:min(1, len(names))], Attributes: []string{"objectClass"}})
	if err != nil {
		return "", err
	}
	switch p.Way {
	case bySync:
		return "by syncrepl", nil
	case byTime:
		return "by modifyTimestamp: the times of all entries are read each time, and everything where one was deleted", nil
	}
	return "none; every read is a full one", nil
}

func (s *System) probePasswords(c *dc.Conn, d *directory) string {
	switch {
	case s.options.Clear(c.Root.Server):
		return "are not set, for the connection is not encrypted"
	case !c.Root.Extends(modifyPassword):
		return "cannot be set, for the server does not offer the operation of RFC 3062"
	case d.Attribute(pwdReset) == nil:
		return "can be set; nobody can be made to change one, for there is no password policy (ppolicy)"
	}
	return "can be set"
}

// noOperation is OpenLDAP's control by which a request is checked, rights and
// all, and not carried out; wouldDo is the result where it would have been.
const (
	noOperation = "1.3.6.1.4.1.4203.666.5.2"
	wouldDo     = 0x410e
)

// probeRights asks whether an object may be made beside one that is there.
func (s *System) probeRights(ctx context.Context, c *dc.Conn, d *directory, class class) (string, error) {
	if !d.Has(class.is()) {
		return "", sdk.Invalid(fmt.Sprintf("the directory has no object class %q", class.is()), "Correct \"classes\" in the settings, or the class in the mapping.")
	}
	if !c.Root.OpenLDAP { // which has the control and does not list it
		return "the server cannot be asked; rights are seen when they are used", nil
	}
	container, err := s.someContainer(ctx, c, class)
	if err != nil || container == "" {
		return "there is none yet; rights are seen when they are used", err
	}
	add := wire.Add{DN: dn.Join("ou", "drawbridge-probe", container), Attributes: []wire.Attribute{
		{Name: "objectClass", Values: []string{"organizationalUnit"}}, {Name: "ou", Values: []string{"drawbridge-probe"}},
	}}
	result, err := c.Do(ctx, add, wire.Control{OID: noOperation, Critical: true})
	if err != nil {
		return "", s.Fault(err, fault.About{Server: c.Root.Server, Doing: "ask for the rights", Object: container})
	}
	switch result.Code {
	case wouldDo:
		return "may make objects in " + container, nil
	case wire.InsufficientAccessRights, wire.NoSuchObject: // OpenLDAP hides what may not even be read
		return "may not make objects in " + container + "; grant it if the mapping creates any (README.md of the connector has the lines)", nil
	}
	return "the server does not say (" + result.Err().Error() + "); rights are seen when they are used", nil
}

// errEnough ends a search that has found one.
var errEnough = errors.New("enough")

// someContainer is where an object of the class lies; "" if there is none.
func (s *System) someContainer(ctx context.Context, c *dc.Conn, class class) (container string, err error) {
	base := s.base(c.Root)
	result, err := c.Search(ctx, wire.Search{Base: base, Scope: wire.ScopeSubtree, SizeLimit: 1, Filter: filterOf(class).Bytes(), Attributes: []string{"1.1"}},
		func(e *wire.Entry) error { container = strings.Clone(dn.Container(e.DN)); return errEnough })
	if err == nil && container == "" && result.Code != wire.NoSuchObject {
		err = result.Err()
	}
	if err != nil && !errors.Is(err, errEnough) {
		return "", s.Fault(err, fault.About{Server: c.Root.Server, Doing: "look for " + class.name + " objects", Object: base, Right: "read access"})
	}
	return container, nil
}
