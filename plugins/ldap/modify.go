package ldap

import (
	"context"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/change"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// entryCSN changes with every change of an entry, where the server has it.
const entryCSN = "entryCSN"

// A modification is a Modify under way.
type modification struct {
	s      *System
	t      sdk.Target
	class  class
	d      *directory
	target place
	todo   []change.Change
	csn    string // of the object when it was compared; "" if it was not, or the server has none
}

// Modify writes all changes in one request that deletes the values that were
// seen and adds the new ones: the server refuses it as a whole if somebody
// changed them meanwhile. Of attributes with many values that is not enough;
// those are read first, and the request asserts that the entry is still as it
// was read, where the server takes assertions.
func (s *System) Modify(ctx context.Context, t sdk.Target, changes []*connectorv1.Change) (sdk.Result, error) {
	m := &modification{s: s, t: t, class: s.classOf(t.Class)}
	look, err := m.prepare(ctx, changes)
	if err != nil {
		return sdk.Result{}, err
	}
	const attempts = 4
	for attempt := 0; ; attempt++ {
		if look {
			now, err := m.compare(ctx)
			if err != nil || len(m.todo) == 0 {
				return sdk.Result{Object: now, Unchanged: err == nil}, err
			}
		}
		c, err := s.Conn(ctx)
		if err != nil {
			return sdk.Result{}, err
		}
		result, c, err := s.Write(ctx, wire.Modify{DN: m.target.dn, Changes: change.OnWire(m.todo)}, s.asserting(c, m.d, t.ID, m.held()...)...)
		if err != nil {
			return sdk.Result{}, err
		}
		r := sdk.Result{Server: c.Root.Name}
		switch result.Code {
		case wire.Success:
			return s.after(ctx, t, m.target.dn, r), nil
		case wire.AssertionFailed, wire.NoSuchAttribute, wire.AttributeOrValueExists, wire.NoSuchObject, wire.ConstraintViolation:
			if look = attempt+1 < attempts; look { // who changed what?
				tried := len(m.todo)
				now, err := m.compare(ctx)
				if err != nil || len(m.todo) == 0 {
					r.Object, r.Unchanged = now, err == nil
					return r, err
				}
				if result.Code != wire.ConstraintViolation || len(m.todo) < tried {
					look = false // it was compared just now
					continue
				}
			}
		}
		return r, s.Fault(result.Err(), fault.About{
			Server: c.Root.Server, Doing: "change the object", Object: m.target.dn,
			Right: "write access to " + change.Names(m.todo), Attribute: m.todo[0].Name,
		})
	}
}

// prepare checks what is wanted. look tells that the object must be read
// before it is written.
func (m *modification) prepare(ctx context.Context, changes []*connectorv1.Change) (look bool, err error) {
	c, err := m.s.Conn(ctx)
	if err != nil {
		return false, err
	}
	if m.d, err = m.s.known(ctx, c); err != nil {
		return false, err
	}
	if m.target, err = m.s.target(ctx, m.t.ID); err != nil {
		return false, err
	}
	changed := false
	for _, ch := range changes {
		a, err := m.s.writable(ctx, c, m.class, ch.GetName())
		if err != nil {
			return false, err
		}
		n, err := change.Of(a, ch.GetExpect(), ch.GetWant(), func(texts []string, old bool) ([]string, error) {
			if old {
				return m.s.raw(ctx, a, texts, seen)
			}
			return m.s.raw(ctx, a, texts, strict)
		})
		if err != nil {
			return false, err
		}
		changed = changed || len(n.Add)+len(n.Remove) > 0
		look = look || a.Multi || a.Unmatched
		m.todo = append(m.todo, n)
	}
	m.keepMember()
	return look || !changed, nil
}

// keepMember leaves a member that only stands for one, where a group is emptied
// and its class demands one.
func (m *modification) keepMember() {
	for i := range m.todo {
		n := &m.todo[i]
		if m.class.member != "" && strings.EqualFold(n.Name, m.class.member) && len(n.Want) == 0 && m.d.Requires(m.class.is(), n.Name) {
			n.Add = append(n.Add, m.s.settings.EmptyMember)
		}
	}
}

// held is what the request asserts of the object besides its id.
func (m *modification) held() (held []filter.Filter) {
	if m.csn != "" {
		return []filter.Filter{filter.Equal(entryCSN, m.csn)}
	}
	for _, n := range m.todo {
		switch {
		case n.Unmatched:
		case len(n.Expect) == 0:
			held = append(held, filter.Not(filter.Present(n.Name)))
		default:
			for _, old := range n.Remove {
				held = append(held, filter.Equal(n.Name, old))
			}
		}
	}
	return held
}

// compare reads the object and keeps the changes that are still to be made. It
// is a conflict if an attribute holds neither what is expected nor what is
// wanted.
func (m *modification) compare(ctx context.Context) (now *sdk.Object, err error) {
	attributes := slices.Clone(m.t.Attributes)
	for _, n := range m.todo {
		attributes = append(attributes, n.Name)
	}
	if m.d.Attribute(entryCSN) != nil {
		attributes = append(attributes, entryCSN)
	}
	for moved := false; ; moved = true {
		if now, err = m.s.object(ctx, m.class, m.target.dn, attributes); err != nil {
			return nil, err
		}
		if now != nil && strings.EqualFold(now.ID, m.t.ID) {
			break
		}
		if moved {
			return nil, fault.Gone(m.t.ID)
		}
		if m.target, err = m.s.target(ctx, m.t.ID); err != nil { // somebody moved it, or it is gone
			return nil, err
		}
	}
	m.csn = ""
	if csn := change.Values(now, entryCSN); len(csn) > 0 {
		m.csn = csn[0]
	}
	m.todo, err = change.Left(now, m.todo)
	return now, err
}

// SetEnabled gives the attribute that locks accounts the value that the
// settings say. The request deletes what was read, so that it fails if somebody
// was quicker.
func (s *System) SetEnabled(ctx context.Context, t sdk.Target, enabled bool) (sdk.Result, error) {
	lock := s.settings.Enabled
	if lock.Attribute == "" {
		return sdk.Result{}, sdk.Invalid("the settings do not say how an account is locked", "Set \"enabled\" in the settings of the system, such as {attribute: pwdAccountLockedTime}.").At(schema.Enabled)
	}
	target, err := s.target(ctx, t.ID)
	if err != nil {
		return sdk.Result{}, err
	}
	c, err := s.Conn(ctx)
	if err != nil {
		return sdk.Result{}, err
	}
	a, err := s.attribute(ctx, c, lock.Attribute)
	if err != nil {
		return sdk.Result{}, err
	}
	const attempts = 5
	for attempt := 0; ; attempt++ {
		e, c, err := s.ReadOne(ctx, target.dn, []string{lock.Attribute})
		if err != nil {
			return sdk.Result{}, err
		}
		if e == nil {
			return sdk.Result{}, fault.Gone(t.ID)
		}
		has := valuesOf(e, lock.Attribute)
		if lock.locks(has) != enabled {
			return s.after(ctx, t, target.dn, sdk.Result{Server: c.Root.Name, Unchanged: true}), nil
		}
		d, err := s.known(ctx, c)
		if err != nil {
			return sdk.Result{}, err
		}
		result, c, err := s.Write(ctx, wire.Modify{DN: target.dn, Changes: lock.changes(a, has, enabled)}, s.asserting(c, d, t.ID)...)
		if err != nil {
			return sdk.Result{}, err
		}
		switch {
		case result.Code == wire.Success:
			return s.after(ctx, t, target.dn, sdk.Result{Server: c.Root.Name}), nil
		case (result.Code == wire.NoSuchAttribute || result.Code == wire.AttributeOrValueExists ||
			result.Code == wire.AssertionFailed || result.Code == wire.NoSuchObject) && attempt+1 < attempts:
			if target, err = s.target(ctx, t.ID); err != nil { // somebody changed or moved it meanwhile
				return sdk.Result{}, err
			}
			continue
		}
		return sdk.Result{Server: c.Root.Name}, s.Fault(result.Err(), fault.About{
			Server: c.Root.Server, Doing: "enable or disable the account", Object: target.dn,
			Right: "write access to " + lock.Attribute, Attribute: lock.Attribute,
		})
	}
}

// changes are those that lock or unlock an account whose attribute has values.
// Of an attribute with many values the others stay.
func (e EnabledSettings) changes(a *schema.Attribute, has []string, enabled bool) (changes []wire.Change) {
	from, to := e.Enabled, e.disabledValue()
	if enabled {
		from, to = to, from
	}
	var remove []string
	for _, v := range has {
		if !a.Multi || strings.EqualFold(v, from) {
			remove = append(remove, v)
		}
	}
	var add []string
	if to != "" {
		add = []string{to}
	}
	if a.Unmatched {
		return []wire.Change{{Kind: wire.ChangeReplace, Attribute: wire.Attribute{Name: a.Name, Values: add}}}
	}
	for _, part := range []struct {
		kind   int
		values []string
	}{{wire.ChangeDelete, remove}, {wire.ChangeAdd, add}} {
		if len(part.values) > 0 {
			changes = append(changes, wire.Change{Kind: part.kind, Attribute: wire.Attribute{Name: a.Name, Values: part.values}})
		}
	}
	return changes
}

// at returns a connection together with what is known of the directory.
func (s *System) at(ctx context.Context) (*dc.Conn, *directory, error) {
	c, err := s.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	d, err := s.known(ctx, c)
	return c, d, err
}
