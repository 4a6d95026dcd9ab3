package ldap

import (
	"context"
	"errors"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Where a container is renamed or moved, everything in it is at another place,
// and no server tells so: the entries below keep their times, and syncrepl names
// the container alone, if it is asked for at all. So the names of the containers
// are counted as well, and where the sum differs everything is read. A container
// that is new or gone costs one full read, too.

// containers are the classes of what entries lie in.
var containers = []string{"organizationalUnit", "organization", "domain", "dcObject", "locality", "country", "container", "nsContainer"}

// placesNow counts the containers below the base. A base that is not there is a fault.
func (s *System) placesNow(ctx context.Context, c *dc.Conn) (places census, err error) {
	kinds := make([]filter.Filter, len(containers))
	for i, class := range containers {
		kinds[i] = filter.Equal("objectClass", class)
	}
	request := wire.Search{Base: s.base(c.Root), Scope: wire.ScopeSubtree, Filter: filter.Or(kinds...).Bytes(), Attributes: []string{"1.1"}}
	err = s.below(ctx, c, request, func(e *wire.Entry) error {
		places.add(e.DN)
		return nil
	})
	return places, s.unread(err, fault.About{Server: c.Root.Server, Doing: "read the names of the containers", Object: request.Base, Right: "read access to objectClass"})
}

// unread says why what is below a base could not be read; nil where it could.
func (s *System) unread(err error, a fault.About) error {
	if refused, ok := errors.AsType[*wire.ResultError](err); ok && refused.Code == wire.NoSuchObject {
		return sdk.Invalid("could not "+a.Doing+": there is no "+a.Object+"; somebody renamed, moved or removed it, or the service account may not read it",
			"Correct \"base\" of the system, or give the account read access; nothing is taken to be gone meanwhile.").On(a.Object)
	}
	if err == nil {
		return nil
	}
	return s.Fault(err, a)
}

// below is Search for what must have a base: one that is not there, because
// somebody renamed it, is no empty directory.
func (s *System) below(ctx context.Context, c *dc.Conn, request wire.Search, entry func(*wire.Entry) error) error {
	on := *s.Session
	on.BaseMustBe = true
	return on.Search(ctx, c, request, entry)
}
