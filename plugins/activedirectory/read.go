package activedirectory

import (
	"context"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/session"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Read gives every object below the base. Its cookie is taken before anything
// is read, so that a change meanwhile is given again rather than lost.
func (s *System) Read(ctx context.Context, q sdk.Query, out *sdk.Sink) ([]byte, error) {
	c, err := s.Dedicated(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := s.standing(ctx, c); err != nil {
		return nil, err
	}
	next, err := s.position(ctx, c, q)
	if err != nil {
		return nil, err
	}
	for _, name := range q.Classes {
		class := classOf(name)
		sh, err := s.shapeOf(ctx, c, class.name, q.Attributes)
		if err != nil {
			return nil, err
		}
		err = s.give(ctx, c, sh, s.base(c.Root), s.filterOf(c.Root, class), out, nil)
		if err != nil {
			return nil, s.Fault(err, fault.About{Server: c.Root.Server, Doing: "read " + class.name + " objects", Object: s.base(c.Root)})
		}
	}
	return next, nil
}

// standing makes sure that the container which is read is there: a search below
// one that was renamed may find nothing, and a read of changes would go on as if
// nothing were ever changed in it.
func (s *System) standing(ctx context.Context, c *dc.Conn) error {
	base := s.base(c.Root)
	if strings.EqualFold(base, c.Root.Base) {
		return nil
	}
	e, _, err := s.ReadOne(ctx, base, []string{"objectGUID"})
	if err != nil {
		return s.Fault(err, fault.About{Server: c.Root.Server, Doing: "look for the container that is read", Object: base})
	}
	if e == nil {
		return sdk.Invalid("the container that is read is not in the directory: it was renamed, moved or deleted, or the account may not see it",
			"Correct \"base\", or give the container its name again; nobody is taken for gone meanwhile.").On(base)
	}
	return nil
}

// give passes what a search finds to out, and the id of each object to found.
func (s *System) give(ctx context.Context, c *dc.Conn, sh *shape, base string, f filter.Filter, out *sdk.Sink, found func(id string)) error {
	o := &decoded{}
	names, err := s.names(ctx, c, sh)
	if err != nil {
		return err
	}
	return s.Search(ctx, c, wire.Search{
		Base: base, Scope: wire.ScopeSubtree, Filter: f.Bytes(), Attributes: sh.request,
	}, func(e *wire.Entry) error {
		sh.decode(e, o)
		if len(o.ranges) > 0 {
			if err := s.complete(ctx, sh, o); err != nil {
				return err
			}
		}
		if names != nil {
			sh.resolve(o, names)
		}
		if found != nil {
			found(o.ID)
		}
		return out.Object(&o.Object)
	})
}

// names maps every DN to its native id, where the server cannot put ids into
// references itself and some are asked for; else it is nil.
func (s *System) names(ctx context.Context, c *dc.Conn, sh *shape) (map[string]string, error) {
	references := false
	for _, a := range sh.attributes {
		references = references || a.Kind == schema.Reference
	}
	if sh.extended || !references {
		return nil, nil
	}
	names := map[string]string{}
	err := s.Search(ctx, c, wire.Search{
		Base: c.Root.Base, Scope: wire.ScopeSubtree, Filter: session.Any.Bytes(), Attributes: []string{entryUUID},
	}, func(e *wire.Entry) error {
		for _, a := range e.Attributes {
			names[foldDN(e.DN)] = a.Values[0]
		}
		return nil
	})
	return names, err
}
