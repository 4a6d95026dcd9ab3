package activedirectory

import (
	"context"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/session"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
)

// noContainer tells whether an add or a rename may have failed because the
// container is missing. Windows says it in several ways.
func noContainer(r *wire.Result) bool {
	switch r.Code {
	case wire.NoSuchObject:
		return true
	case wire.OperationsError, wire.NamingViolation, wire.Other, wire.UnwillingToPerform:
		return strings.Contains(r.Message, "No superior") || slices.Contains([]string{"0000208D", "00002089", "00002095"}, windowsCode(r))
	}
	return false
}

// addAgain adds once more, after making the container if it is missing and may
// be made. It may be there by now: of several who miss it one is the quickest.
func (s *System) addAgain(ctx context.Context, n *creation, result *wire.Result, c *dc.Conn) (*wire.Result, *dc.Conn, error) {
	if err := s.container(ctx, n.create.GetContainer(), n.create.GetMakeContainers()); err != nil {
		return result, c, err
	}
	again, on, err := s.Write(ctx, n.add)
	if err != nil {
		return result, c, err
	}
	return again, on, nil
}

func (s *System) container(ctx context.Context, name string, make bool) error {
	return s.Container(ctx, name, make, session.Unit{Naming: "OU", Right: func(string) string { return `"Create organizationalUnit objects"` }})
}
