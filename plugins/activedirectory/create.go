package activedirectory

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/change"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/password"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A creation is a Create that has been checked.
type creation struct {
	class    class
	dn       string
	create   *connectorv1.Create
	add      wire.Add
	anchor   *schema.Attribute
	shape    *shape
	password []wire.Change // nil: it has none
	sealed   []byte
	uac      int64 // 0: it has none
}

// Create makes the object with one add, which carries its password, too: at no
// moment is there an enabled account without one.
//
// An attempt whose answer was lost is recognised by the anchor: before the
// add, where the directory has an index for it; and where the add fails
// because something is taken. (Without an index every look-up would go through
// the whole directory, and an attempt with the same names fails anyway.)
func (s *System) Create(ctx context.Context, t sdk.Target, create *connectorv1.Create) (sdk.Result, error) {
	n, err := s.prepare(ctx, t, create)
	if err != nil {
		return sdk.Result{}, err
	}
	if n.anchor != nil && n.anchor.Indexed {
		if r, err := s.earlier(ctx, n); err != nil || r.Object != nil {
			return r, err
		}
	}
	result, c, err := s.Write(ctx, n.add)
	if err != nil {
		return sdk.Result{}, err
	}
	if noContainer(result) {
		if result, c, err = s.addAgain(ctx, n, result, c); err != nil {
			return sdk.Result{Server: c.Root.Name}, err
		}
	}
	if takesNoPassword(result) && n.password != nil {
		return s.inSteps(ctx, n)
	}
	if result.Code != wire.Success {
		return s.refused(ctx, n, result, c)
	}
	return s.made(ctx, n, c)
}

// prepare checks everything that can be without writing.
func (s *System) prepare(ctx context.Context, t sdk.Target, create *connectorv1.Create) (*creation, error) {
	c, err := s.Conn(ctx)
	if err != nil {
		return nil, err
	}
	n := &creation{class: classOf(t.Class), create: create}
	if n.shape, err = s.shapeOf(ctx, c, n.class.name, t.Attributes); err != nil {
		return nil, err
	}
	if n.dn, err = s.place(ctx, c, n.class, create.GetName(), create.GetContainer()); err != nil {
		return nil, err
	}
	n.add = wire.Add{DN: n.dn, Attributes: append(make([]wire.Attribute, 0, len(create.GetAttributes())+4),
		wire.Attribute{Name: "objectClass", Values: n.class.objectClass})}
	n.uac = normalAccount
	for _, a := range create.GetAttributes() {
		if err := s.addAttribute(ctx, c, n, a); err != nil {
			return nil, err
		}
	}
	if anchor := create.GetAnchor(); len(anchor.GetValues()) == 1 {
		if n.anchor, err = s.attribute(ctx, c, anchor.GetName()); err != nil {
			return nil, err
		}
	}
	return n, s.account(ctx, c, n)
}

func (s *System) addAttribute(ctx context.Context, c *dc.Conn, n *creation, a *connectorv1.Attribute) error {
	known, err := s.writable(ctx, c, a.GetName())
	if err != nil {
		return err
	}
	values, err := raw(known, a.GetValues())
	if err != nil {
		return err
	}
	switch {
	case len(values) == 0:
	case strings.EqualFold(known.Name, "userAccountControl"):
		if n.uac, err = strconv.ParseInt(values[0], 10, 64); err != nil {
			return err
		}
	default:
		n.add.Attributes = append(n.add.Attributes, wire.Attribute{Name: known.Name, Values: values})
	}
	return nil
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

// account adds what makes a user an account: its state and its password.
func (s *System) account(ctx context.Context, c *dc.Conn, n *creation) error {
	if n.class.name != "user" || !c.Root.ActiveDirectory {
		n.uac = 0
		return nil
	}
	rule := n.create.GetPassword()
	if n.create.GetEnabled() && rule == nil {
		return sdk.Invalid("an account that is enabled from the start needs a password", "Give the mapping a password rule.").At("unicodePwd")
	}
	n.uac &^= accountDisabled
	if !n.create.GetEnabled() {
		n.uac |= accountDisabled
	}
	if n.uac&passwordNotRequired != 0 {
		return sdk.Invalid("userAccountControl would let the account do without a password (bit 0x20)", "Take the bit out of the mapping.").At("userAccountControl")
	}
	n.add.Attributes = append(n.add.Attributes, wire.Attribute{Name: "userAccountControl", Values: []string{strconv.FormatInt(n.uac, 10)}})
	if rule == nil {
		return nil
	}
	secret, box, err := password.Generate(rule)
	if err != nil {
		return err
	}
	n.sealed, n.password = box, passwordChanges(secret, rule)
	for _, change := range n.password {
		n.add.Attributes = append(n.add.Attributes, change.Attribute)
	}
	return nil
}

// earlier returns the object that has the anchor already, if one does.
func (s *System) earlier(ctx context.Context, n *creation) (sdk.Result, error) {
	if n.anchor == nil {
		return sdk.Result{}, nil
	}
	value := n.create.GetAnchor().GetValues()[0]
	found, err := s.byAnchor(ctx, n.shape, n.anchor, value)
	if err != nil || len(found) == 0 {
		return sdk.Result{}, err
	}
	if len(found) > 1 {
		e := sdk.Conflict(fmt.Sprintf("%d objects have %s %q, among them %s and %s", len(found), n.anchor.Name, value, found[0].Address, found[1].Address),
			"Leave the value to one of them, by hand.")
		return sdk.Result{}, e.On(found[0].Address).At(n.anchor.Name)
	}
	return sdk.Result{Object: found[0], Unchanged: true}, nil
}

// refused says why the add failed: an earlier attempt, a value that is taken,
// or what the server says.
func (s *System) refused(ctx context.Context, n *creation, result *wire.Result, c *dc.Conn) (sdk.Result, error) {
	r := sdk.Result{Server: c.Root.Name}
	if result.Code == wire.EntryAlreadyExists || result.Code == wire.ConstraintViolation {
		if before, err := s.earlier(ctx, n); err != nil || before.Object != nil {
			before.Server = c.Root.Name
			return before, err
		}
		if e, err := s.owner(ctx, c, n.class, n.dn, n.add.Attributes); err != nil || e != nil {
			if err == nil {
				err = e.From(result.Err())
			}
			return r, err
		}
	}
	return r, s.Fault(result.Err(), fault.About{
		Server: c.Root.Server, Doing: "create the object", Object: n.dn,
		Right: fmt.Sprintf("%q", "Create "+n.class.name+" objects") + " or the right to write one of the attributes",
	})
}

// owner tells which of the names that a domain has once belongs to whom, nil
// if to nobody.
func (s *System) owner(ctx context.Context, c *dc.Conn, class class, name string, attributes []wire.Attribute) (*sdk.Error, error) {
	var unique []filter.Filter
	wanted := map[string]string{}
	for _, a := range attributes {
		switch key := strings.ToLower(a.Name); key {
		case "samaccountname", "userprincipalname":
			wanted[key] = a.Values[0]
			unique = append(unique, filter.Equal(a.Name, a.Values[0]))
		}
	}
	if len(unique) > 0 {
		found, _, err := s.LookUp(ctx, wire.Search{
			Base: c.Root.Base, Scope: wire.ScopeSubtree, Filter: filter.Or(unique...).Bytes(),
			Attributes: []string{"sAMAccountName", "userPrincipalName"},
		})
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			_, address := dn.Extended(e.DN)
			for _, a := range e.Attributes {
				if v, ok := wanted[strings.ToLower(a.Name)]; ok && strings.EqualFold(v, a.Values[0]) {
					return takenBy(a.Name, v, address), nil
				}
			}
		}
	}
	e, _, err := s.ReadOne(ctx, name, []string{"1.1"})
	if err != nil || e == nil {
		return nil, err
	}
	_, value, _, _ := dn.Split(name)
	_, address := dn.Extended(e.DN)
	return takenBy(strings.ToLower(class.naming), value, address), nil
}

func takenBy(attribute, value, owner string) *sdk.Error {
	return fault.Taken(sdk.Conflict(fmt.Sprintf("%s %q belongs to %s", attribute, value, owner), "Another value is tried; if this is the same person, give that object the anchor's value.").
		On(owner).At(attribute))
}

// made reads back what was added: above all its native id.
func (s *System) made(ctx context.Context, n *creation, c *dc.Conn) (sdk.Result, error) {
	r := sdk.Result{Server: c.Root.Name, SealedPassword: n.sealed}
	e, _, err := s.ReadOne(ctx, n.dn, n.shape.request)
	if err == nil && e != nil {
		r.Object, err = s.finished(ctx, n.shape, e)
	}
	if err != nil || e == nil {
		// It is there, but its id is not known: an error that is looked at again.
		return r, sdk.Unknown("the object was created and could not be read back", "Nothing: it is looked for by its anchor.").On(n.dn).From(err)
	}
	return r, nil
}

// takesNoPassword tells whether the add may have failed because a password was
// in it; a password that is too weak, or comes unencrypted, is no better later.
func takesNoPassword(r *wire.Result) bool {
	return r.Code == wire.UnwillingToPerform && windowsCode(r) != "0000052D" && windowsCode(r) != "0000001F"
}

// inSteps creates the account disabled, gives it its password and enables it,
// for a server that takes no password within an add. What fails on the way is
// undone, so that nothing half made is left.
func (s *System) inSteps(ctx context.Context, n *creation) (sdk.Result, error) {
	add := wire.Add{DN: n.dn}
	for _, a := range n.add.Attributes {
		switch a.Name {
		case "unicodePwd", "pwdLastSet":
		case "userAccountControl":
			a.Values = []string{strconv.FormatInt(n.uac|accountDisabled, 10)}
			add.Attributes = append(add.Attributes, a)
		default:
			add.Attributes = append(add.Attributes, a)
		}
	}
	result, c, err := s.Write(ctx, add)
	if err != nil {
		return sdk.Result{}, err
	}
	if result.Code != wire.Success {
		return s.refused(ctx, n, result, c)
	}
	changes := [][]wire.Change{n.password}
	if n.uac&accountDisabled == 0 {
		changes = append(changes, []wire.Change{{Kind: wire.ChangeReplace, Attribute: wire.Attribute{
			Name: "userAccountControl", Values: []string{strconv.FormatInt(n.uac, 10)}}}})
	}
	for _, step := range changes {
		result, c, err := s.Write(ctx, wire.Modify{DN: n.dn, Changes: step})
		if err == nil && result.Code != wire.Success {
			err = s.Fault(result.Err(), fault.About{Server: c.Root.Server, Doing: "set the password and enable the account",
				Object: n.dn, Right: `"Reset password" and write userAccountControl`})
			if undone, _, cannot := s.Write(ctx, wire.Delete{DN: n.dn}); cannot != nil || undone.Code != wire.Success {
				s.log.WarnContext(ctx, "Account without a password is left, disabled", "object", n.dn)
			}
		}
		if err != nil {
			return sdk.Result{}, err
		}
	}
	return s.made(ctx, n, c)
}
