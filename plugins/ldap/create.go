package ldap

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A creation is a Create that has been checked.
type creation struct {
	class  class
	create *connectorv1.Create
	add    wire.Add
	anchor *schema.Attribute
	shape  *shape
}

// Create makes the object with one add, locked unless it shall be enabled, and
// then gives it its password by the operation of RFC 3062, so that the server
// hashes it by its own rule. An account without a password lets nobody in. What
// fails on the way is undone.
//
// An attempt whose answer was lost is recognised by the anchor.
func (s *System) Create(ctx context.Context, t sdk.Target, create *connectorv1.Create) (sdk.Result, error) {
	n, err := s.prepareCreate(ctx, t, create)
	if err != nil {
		return sdk.Result{}, err
	}
	if r, err := s.earlier(ctx, n); err != nil || r.Object != nil {
		return r, err
	}
	secret, err := s.newPassword(ctx, create.GetPassword())
	if err != nil {
		return sdk.Result{}, err
	}
	// What is begun is brought to its end, though the asker has gone: half an
	// account, or its removal after somebody has asked again, would be worse.
	// The time that a server may be silent for bounds it.
	ctx = context.WithoutCancel(ctx)
	result, c, err := s.Write(ctx, n.add)
	if err == nil && result.Code == wire.NoSuchObject {
		// The container may be there by now: of several who miss it one is the quickest.
		if err = s.container(ctx, create.GetContainer(), create.GetMakeContainers()); err == nil {
			result, c, err = s.Write(ctx, n.add)
		}
	}
	if err != nil {
		return sdk.Result{}, err
	}
	if result.Code != wire.Success {
		return s.refused(ctx, n, result, c)
	}
	r := sdk.Result{Server: c.Root.Name}
	if secret != nil {
		if err := s.give(ctx, n.add.DN, secret, !create.GetEnabled()); err != nil {
			if undone, _, cannot := s.Write(ctx, wire.Delete{DN: n.add.DN}); cannot != nil || undone.Code != wire.Success {
				s.log.WarnContext(ctx, "Account without a password is left", "object", n.add.DN)
			}
			return r, err
		}
		r.SealedPassword = secret.box
	}
	o, err := s.object(ctx, n.class, n.add.DN, t.Attributes)
	if err != nil || o == nil {
		// It is there, but its id is not known: an error that is looked at again.
		return r, sdk.Unknown("the object was created and could not be read back", "Nothing: it is looked for by its anchor.").On(n.add.DN).From(err)
	}
	r.Object = o
	return r, nil
}

// prepareCreate checks everything that can be without writing.
func (s *System) prepareCreate(ctx context.Context, t sdk.Target, create *connectorv1.Create) (*creation, error) {
	c, err := s.Conn(ctx)
	if err != nil {
		return nil, err
	}
	n := &creation{class: s.classOf(t.Class), create: create}
	if n.shape, err = s.shapeOf(ctx, c, n.class, t.Attributes); err != nil {
		return nil, err
	}
	if n.add.DN, err = s.place(ctx, c, n.class, create.GetName(), create.GetContainer()); err != nil {
		return nil, err
	}
	n.set("objectClass", n.class.objectClasses...)
	n.set(n.class.naming, create.GetName())
	for _, a := range create.GetAttributes() {
		if err := s.addAttribute(ctx, c, n, a); err != nil {
			return nil, err
		}
	}
	if m := n.class.member; m != "" && n.shape.directory.Requires(n.class.is(), m) && !n.has(m) {
		n.set(m, s.settings.EmptyMember)
	}
	if anchor := create.GetAnchor(); len(anchor.GetValues()) == 1 {
		if n.anchor, err = s.attribute(ctx, c, anchor.GetName()); err != nil {
			return nil, err
		}
	}
	return n, s.lockNew(n)
}

func (n *creation) set(name string, values ...string) {
	for i := range n.add.Attributes {
		if a := &n.add.Attributes[i]; strings.EqualFold(a.Name, name) {
			for _, v := range values {
				if !slices.ContainsFunc(a.Values, func(other string) bool { return strings.EqualFold(other, v) }) {
					a.Values = append(slices.Clip(a.Values), v)
				}
			}
			return
		}
	}
	n.add.Attributes = append(n.add.Attributes, wire.Attribute{Name: name, Values: values})
}

func (n *creation) has(name string) bool {
	return slices.ContainsFunc(n.add.Attributes, func(a wire.Attribute) bool { return strings.EqualFold(a.Name, name) })
}

func (s *System) addAttribute(ctx context.Context, c *dc.Conn, n *creation, a *connectorv1.Attribute) error {
	known, err := s.writable(ctx, c, n.class, a.GetName())
	if err != nil {
		return err
	}
	values, err := s.raw(ctx, known, a.GetValues(), strict)
	if err == nil && len(values) > 0 {
		n.set(known.Name, values...)
	}
	return err
}

// lockNew locks what shall not be enabled from the start.
func (s *System) lockNew(n *creation) error {
	lock := s.settings.Enabled
	switch {
	case n.class.member != "" || n.class.name == "organizationalUnit":
	case lock.Attribute == "" && !n.create.GetEnabled() && n.create.GetPassword() != nil:
		return sdk.Invalid("the account shall be disabled from the start, and the settings do not say how an account is locked",
			"Set \"enabled\" in the settings, or let the lifecycle create and enable at the same time.").On(n.add.DN)
	case lock.Attribute == "":
	case !n.create.GetEnabled():
		n.set(lock.Attribute, lock.disabledValue())
	case lock.Enabled != "":
		n.set(lock.Attribute, lock.Enabled)
	}
	return nil
}

// refused says why the add failed: an earlier attempt, a name that is taken,
// or what the server says.
func (s *System) refused(ctx context.Context, n *creation, result *wire.Result, c *dc.Conn) (sdk.Result, error) {
	r := sdk.Result{Server: c.Root.Name}
	if result.Code == wire.EntryAlreadyExists {
		if before, err := s.earlier(ctx, n); err != nil || before.Object != nil {
			before.Server = c.Root.Name
			return before, err
		}
		return r, taken(n.class.naming, n.create.GetName(), n.add.DN).From(result.Err())
	}
	return r, s.Fault(result.Err(), fault.About{
		Server: c.Root.Server, Doing: "create the object", Object: n.add.DN,
		Right: fmt.Sprintf("write access to the children of %s, or to one of the attributes,", dn.Container(n.add.DN)),
	})
}
