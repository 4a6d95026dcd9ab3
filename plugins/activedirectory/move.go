package activedirectory

import (
	"context"
	"fmt"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Move renames the object or puts it elsewhere. The request names it by the
// address it was seen at, not by its id, so that it fails if somebody moves it
// meanwhile.
func (s *System) Move(ctx context.Context, t sdk.Target, move *connectorv1.Move) (sdk.Result, error) {
	c, err := s.Conn(ctx)
	if err != nil {
		return sdk.Result{}, err
	}
	class := classOf(t.Class)
	want, err := s.place(ctx, c, class, move.GetName(), move.GetContainer())
	if err != nil {
		return sdk.Result{}, err
	}
	target, err := s.target(ctx, t.ID)
	if err != nil {
		return sdk.Result{}, err
	}
	for retried := false; ; retried = true {
		now, err := s.object(ctx, class.name, target, t.Attributes)
		if err != nil {
			return sdk.Result{}, err
		}
		if now == nil {
			return sdk.Result{}, fault.Gone(dn.OfID(t.ID))
		}
		_, name, container, _ := dn.Split(now.Address)
		if name == move.GetName() && dn.Equal(container, move.GetContainer()) {
			return sdk.Result{Object: now, Unchanged: true}, nil
		}
		if !dn.Equal(now.Address, move.GetExpectAddress()) {
			return sdk.Result{Object: now}, sdk.Conflict(
				fmt.Sprintf("the object is now at %s, expected at %s", now.Address, move.GetExpectAddress()),
				"Nothing: it is planned again from where it is.").On(now.Address)
		}
		request := wire.Rename{DN: now.Address, RDN: dn.Join(class.naming, move.GetName(), "")}
		if !dn.Equal(container, move.GetContainer()) {
			request.Superior = move.GetContainer()
		}
		result, c, err := s.Write(ctx, request)
		if err != nil {
			return sdk.Result{}, err
		}
		r := sdk.Result{Server: c.Root.Name}
		switch {
		case result.Code == wire.Success:
			return s.after(ctx, t, target, r), nil
		case noContainer(result) && !retried:
			if err := s.container(ctx, move.GetContainer(), move.GetMakeContainers()); err != nil {
				return r, err
			}
			continue // the container is there now, or the object has gone elsewhere
		case result.Code == wire.EntryAlreadyExists:
			if e, err := s.owner(ctx, c, class, want, nil); err != nil || e != nil {
				if err == nil {
					err = e.From(result.Err())
				}
				return r, err
			}
		}
		return r, s.Fault(result.Err(), fault.About{
			Server: c.Root.Server, Doing: "move the object to " + want, Object: now.Address,
			Right: fmt.Sprintf(`"Delete" on it, "Create %s objects" on %s, or the right to write name and %s`, class.name, move.GetContainer(), class.naming),
		})
	}
}

// Delete removes the object. It never removes what lies below one.
func (s *System) Delete(ctx context.Context, t sdk.Target) (sdk.Result, error) {
	target, err := s.target(ctx, t.ID)
	if err != nil {
		return sdk.Result{}, err
	}
	result, c, err := s.Write(ctx, wire.Delete{DN: target})
	if err != nil {
		return sdk.Result{}, err
	}
	r := sdk.Result{Server: c.Root.Name}
	switch result.Code {
	case wire.Success:
		return r, nil
	case wire.NoSuchObject:
		r.Unchanged = true
		return r, nil
	}
	return r, s.Fault(result.Err(), fault.About{
		Server: c.Root.Server, Doing: "delete the object", Object: target,
		Right: fmt.Sprintf(`"Delete", or "Delete %s objects" on its container`, t.Class),
	})
}
