package activedirectory

import (
	"context"
	"fmt"
	"slices"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/change"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

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
		result, c, err := s.Write(ctx, wire.Modify{DN: target, Changes: change.OnWire(todo)})
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
			if e, err := s.owner(ctx, c, classOf(t.Class), target, change.Wanted(left)); err != nil || e != nil && e.Attribute != "cn" && e.Attribute != "ou" {
				if err == nil {
					err = e.From(result.Err())
				}
				return r, err
			}
		}
		return r, s.Fault(result.Err(), fault.About{
			Server: c.Root.Server, Doing: "change the object", Object: target,
			Right: "the right to write " + change.Names(todo), Attribute: todo[0].Name,
		})
	}
}

// changes checks what is wanted. look tells that the object must be read
// before it is written.
func (s *System) changes(ctx context.Context, changes []*connectorv1.Change) (todo []change.Change, look bool, err error) {
	c, err := s.Conn(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, ch := range changes {
		a, err := s.writable(ctx, c, ch.GetName())
		if err != nil {
			return nil, false, err
		}
		n, err := change.Of(a, ch.GetExpect(), ch.GetWant(), func(texts []string, old bool) ([]string, error) { return rawOf(a, texts, old) })
		if err != nil {
			return nil, false, err
		}
		look = look || a.Multi
		todo = append(todo, n)
	}
	if !slices.ContainsFunc(todo, func(n change.Change) bool { return len(n.Add)+len(n.Remove) > 0 }) {
		look = true
	}
	return todo, look, nil
}

// compare reads the object and returns the changes that are still to be made.
// It is a conflict if an attribute holds neither what is expected nor what is
// wanted.
func (s *System) compare(ctx context.Context, t sdk.Target, target string, todo []change.Change) (left []change.Change, now *sdk.Object, err error) {
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
		return nil, nil, fault.Gone(dn.OfID(t.ID))
	}
	left, err = change.Left(now, todo)
	return left, now, err
}

// rawOf is [raw]; old values were read, so what is wrong with them is nobody's
// mapping.
func rawOf(a *schema.Attribute, texts []string, old bool) ([]string, error) {
	if !old {
		return raw(a, texts)
	}
	raws := make([]string, len(texts))
	for i, v := range texts {
		var err error
		if raws[i], err = a.Raw(v); err != nil {
			return nil, sdk.Invalid(err.Error(), "Report this as a fault of the coordinator.").At(a.Name)
		}
	}
	return raws, nil
}

// missing tells whether the object or one that it shall refer to is not there.
func (s *System) missing(ctx context.Context, t sdk.Target, target string, todo []change.Change) error {
	o, err := s.object(ctx, classOf(t.Class).name, target, nil)
	if err != nil {
		return err
	}
	if o == nil {
		return fault.Gone(dn.OfID(t.ID))
	}
	for _, n := range todo {
		if n.Kind == schema.Reference && len(n.Want) > 0 {
			return sdk.NotFound(fmt.Sprintf("the object that %s shall refer to, %s, is not in the directory", n.Name, change.Show(n.Want)),
				"Nothing: it is read and planned again.").On(o.Address).At(n.Name)
		}
	}
	return sdk.NotFound("an object that this one shall refer to is not in the directory", "Nothing: it is read and planned again.").On(o.Address)
}
