package ldap

import (
	"context"
	"fmt"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Move renames the object or puts it elsewhere, from the address that it was
// seen at: the request fails if somebody moves it meanwhile.
func (s *System) Move(ctx context.Context, t sdk.Target, move *connectorv1.Move) (sdk.Result, error) {
	c, d, err := s.at(ctx)
	if err != nil {
		return sdk.Result{}, err
	}
	class := s.classOf(t.Class)
	want, err := s.place(ctx, c, class, move.GetName(), move.GetContainer())
	if err != nil {
		return sdk.Result{}, err
	}
	for retried := false; ; retried = true {
		target, err := s.target(ctx, t.ID)
		if err != nil {
			return sdk.Result{}, err
		}
		naming, name, container, _ := dn.Split(target.dn)
		if name == move.GetName() && strings.EqualFold(naming, class.naming) && dn.Equal(container, move.GetContainer()) {
			return s.after(ctx, t, target.dn, sdk.Result{Server: c.Root.Name, Unchanged: true}), nil
		}
		if !dn.Equal(target.dn, move.GetExpectAddress()) {
			return s.after(ctx, t, target.dn, sdk.Result{}), sdk.Conflict(
				fmt.Sprintf("the object is now at %s, expected at %s", target.dn, move.GetExpectAddress()),
				"Nothing: it is planned again from where it is.").On(target.dn)
		}
		request := wire.Rename{DN: target.dn, RDN: dn.Join(class.naming, move.GetName(), "")}
		if !dn.Equal(container, move.GetContainer()) {
			request.Superior = move.GetContainer()
		}
		result, c, err := s.Write(ctx, request, s.asserting(c, d, t.ID)...)
		if err != nil {
			return sdk.Result{}, err
		}
		r := sdk.Result{Server: c.Root.Name}
		switch {
		case result.Code == wire.Success:
			if d.id == byDN {
				t.ID = want
			}
			return s.after(ctx, t, want, r), nil
		case result.Code == wire.NoSuchObject && !retried:
			if err := s.container(ctx, move.GetContainer(), move.GetMakeContainers()); err != nil {
				return r, err
			}
			continue // the container is there now, or the object has gone elsewhere
		case result.Code == wire.AssertionFailed && !retried:
			continue
		case result.Code == wire.EntryAlreadyExists:
			return r, taken(class.naming, move.GetName(), want).From(result.Err())
		}
		return r, s.Fault(result.Err(), fault.About{
			Server: c.Root.Server, Doing: "move the object to " + want, Object: target.dn,
			Right: fmt.Sprintf("write access to it, to its %s, and to the children of the container it is in and of %s,", class.naming, move.GetContainer()),
		})
	}
}

// Delete removes the object. It never removes what lies below one.
func (s *System) Delete(ctx context.Context, t sdk.Target) (sdk.Result, error) {
	c, d, err := s.at(ctx)
	if err != nil {
		return sdk.Result{}, err
	}
	for retried := false; ; retried = true {
		places, err := s.locate(ctx, t.ID)
		if err != nil {
			return sdk.Result{}, err
		}
		target, there := places[t.ID]
		if !there {
			return sdk.Result{Server: c.Root.Name, Unchanged: true}, nil
		}
		result, c, err := s.Write(ctx, wire.Delete{DN: target.dn}, s.asserting(c, d, t.ID)...)
		if err != nil {
			return sdk.Result{}, err
		}
		switch {
		case result.Code == wire.Success:
			return sdk.Result{Server: c.Root.Name}, nil
		case (result.Code == wire.NoSuchObject || result.Code == wire.AssertionFailed) && !retried:
			continue // somebody was quicker
		}
		return sdk.Result{Server: c.Root.Name}, s.Fault(result.Err(), fault.About{
			Server: c.Root.Server, Doing: "delete the object", Object: target.dn,
			Right: "write access to it and to the children of its container",
		})
	}
}
