package activedirectory

import (
	"context"
	"fmt"
	"slices"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A change of one attribute, checked and ready for the wire.
type change struct {
	*schema.Attribute
	expect, want []string // text
	remove, add  []string // on the wire
}

// danglingReference is the Windows code where a reference leads to nothing.
const danglingReference = "000020B5"

// Modify writes all changes in one request that deletes the values that were
// seen and adds the new ones: the server refuses it as a whole if somebody
// changed them meanwhile. Of an attribute with many values that is not enough,
// since others may have been added; those are read first.
func (s *System) Modify(ctx context.Context, t sdk.Target, changes []*connectorv1.Change) (sdk.Result, error) {
	target, err := s.target(ctx, t.ID)
	if err != nil {
		return sdk.Result{}, err
	}
	todo, look, err := s.changes(ctx, changes)
	if err != nil {
		return sdk.Result{}, err
	}
	const attempts = 3
	for attempt := 0; ; attempt++ {
		if look || len(todo) == 0 {
			var now *sdk.Object
			if todo, now, err = s.compare(ctx, t, target, todo); err != nil || len(todo) == 0 {
				return sdk.Result{Object: now, Unchanged: err == nil}, err
			}
		}
		result, c, err := s.write(ctx, wire.Modify{DN: target, Changes: onWire(todo)})
		if err != nil {
			return sdk.Result{}, err
		}
		r := sdk.Result{Server: c.Root.Name}
		switch {
		case result.Code == wire.Success:
			return s.after(ctx, t, target, r), nil
		case result.Code == wire.NoSuchObject, windowsCode(result) == danglingReference:
			return r, s.missing(ctx, t, target, todo)
		}
		switch result.Code {
		case wire.NoSuchAttribute, wire.AttributeOrValueExists, wire.ConstraintViolation, wire.EntryAlreadyExists:
			left, now, err := s.compare(ctx, t, target, todo)
			if err != nil || len(left) == 0 {
				r.Object, r.Unchanged = now, err == nil
				return r, err
			}
			if attempt+1 < attempts && len(left) < len(todo) {
				todo = left
				continue
			}
			if e, err := s.owner(ctx, c, classOf(t.Class), target, wanted(left)); err != nil || e != nil && e.Attribute != "cn" && e.Attribute != "ou" {
				if err == nil {
					err = e.From(result.Err())
				}
				return r, err
			}
		}
		return r, s.fault(result.Err(), about{
			server: c.Root.Server, doing: "change the object", object: target,
			right: "the right to write " + names(todo), attribute: todo[0].Name,
		})
	}
}

// changes checks what is wanted. look tells that the object must be read
// before it is written.
func (s *System) changes(ctx context.Context, changes []*connectorv1.Change) (todo []change, look bool, err error) {
	c, err := s.conn(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, ch := range changes {
		a, err := s.writable(ctx, c, ch.GetName())
		if err != nil {
			return nil, false, err
		}
		n := change{Attribute: a, expect: ch.GetExpect(), want: ch.GetWant()}
		if n.add, err = raw(a, without(n.want, n.expect)); err != nil {
			return nil, false, err
		}
		for _, v := range without(n.expect, n.want) {
			old, err := a.Raw(v)
			if err != nil {
				return nil, false, sdk.Invalid(err.Error(), "Report this as a fault of the coordinator.").At(a.Name)
			}
			n.remove = append(n.remove, old)
		}
		if len(n.want) > 1 && !a.Multi {
			_, err := raw(a, n.want)
			return nil, false, err
		}
		look = look || a.Multi
		todo = append(todo, n)
	}
	if !slices.ContainsFunc(todo, func(n change) bool { return len(n.add)+len(n.remove) > 0 }) {
		look = true
	}
	return todo, look, nil
}

func onWire(todo []change) []wire.Change {
	var changes []wire.Change
	for _, n := range todo {
		if len(n.remove) > 0 {
			changes = append(changes, wire.Change{Kind: wire.ChangeDelete, Attribute: wire.Attribute{Name: n.Name, Values: n.remove}})
		}
		if len(n.add) > 0 {
			changes = append(changes, wire.Change{Kind: wire.ChangeAdd, Attribute: wire.Attribute{Name: n.Name, Values: n.add}})
		}
	}
	return changes
}

// compare reads the object and returns the changes that are still to be made.
// It is a conflict if an attribute holds neither what is expected nor what is
// wanted.
func (s *System) compare(ctx context.Context, t sdk.Target, target string, todo []change) (left []change, now *sdk.Object, err error) {
	attributes := slices.Clone(t.Attributes)
	for _, n := range todo {
		if !slices.Contains(attributes, n.Name) {
			attributes = append(attributes, n.Name)
		}
	}
	now, err = s.object(ctx, classOf(t.Class).name, target, attributes)
	if err != nil {
		return nil, nil, err
	}
	if now == nil {
		return nil, nil, gone(t.ID)
	}
	exact := func(a, b string) bool { return a == b }
	for _, n := range todo {
		switch has := valuesOf(now, n.Name); {
		case sameSet(has, n.want, exact):
		case sameSet(has, n.expect, n.Same):
			if len(n.add)+len(n.remove) > 0 {
				left = append(left, n)
			}
		default:
			return nil, now, sdk.Conflict(fmt.Sprintf("%s is now %s, expected %s", n.Name, show(has), show(n.expect)),
				"Nothing: it is planned again from what is there.").On(now.Address).At(n.Name)
		}
	}
	return left, now, nil
}

// missing tells whether the object or one that it shall refer to is not there.
func (s *System) missing(ctx context.Context, t sdk.Target, target string, todo []change) error {
	o, err := s.object(ctx, classOf(t.Class).name, target, nil)
	if err != nil {
		return err
	}
	if o == nil {
		return gone(t.ID)
	}
	for _, n := range todo {
		if n.Kind == schema.Reference && len(n.want) > 0 {
			return sdk.NotFound(fmt.Sprintf("the object that %s shall refer to, %s, is not in the directory", n.Name, show(n.want)),
				"Nothing: it is read and planned again.").On(o.Address).At(n.Name)
		}
	}
	return sdk.NotFound("an object that this one shall refer to is not in the directory", "Nothing: it is read and planned again.").On(o.Address)
}

func wanted(todo []change) (attributes []wire.Attribute) {
	for _, n := range todo {
		if len(n.add) > 0 {
			attributes = append(attributes, wire.Attribute{Name: n.Name, Values: n.add})
		}
	}
	return attributes
}

func names(todo []change) (list string) {
	for i, n := range todo {
		if i > 0 {
			list += ", "
		}
		list += n.Name
	}
	return list
}
