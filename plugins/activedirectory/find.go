package activedirectory

import (
	"context"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/session"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Find looks many values up with few searches.
func (s *System) Find(ctx context.Context, f sdk.Lookup, out *sdk.Sink) error {
	c, err := s.Conn(ctx)
	if err != nil {
		return err
	}
	class := classOf(f.Class)
	sh, err := s.shapeOf(ctx, c, class.name, f.Attributes)
	if err != nil {
		return err
	}
	for values := range slices.Chunk(f.Values, session.ValuesPerSearch) {
		anyOf, err := s.anyOf(ctx, c, f.Attribute, values)
		if err != nil {
			return err
		}
		found, _, err := s.LookUp(ctx, wire.Search{
			Base: s.base(c.Root), Scope: wire.ScopeSubtree, Attributes: sh.request,
			Filter: filter.And(s.filterOf(c.Root, class), anyOf).Bytes(),
		})
		if err != nil {
			return err
		}
		for _, e := range found {
			o, err := s.finished(ctx, sh, e)
			if err != nil {
				return err
			}
			if err := out.Object(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// anyOf matches objects whose attribute has one of values.
func (s *System) anyOf(ctx context.Context, c *dc.Conn, name string, values []string) (filter.Filter, error) {
	a, err := s.attribute(ctx, c, name)
	if err != nil {
		return filter.Filter{}, err
	}
	if a.Name == schema.Enabled || a.Name == schema.Container {
		return filter.Filter{}, sdk.Invalid(a.Name+" is worked out by the connector and cannot be searched for",
			"Match by another attribute.").At(a.Name)
	}
	parts := make([]filter.Filter, 0, len(values))
	for _, v := range values {
		raw, err := a.Raw(v)
		if err != nil {
			continue // what no attribute can hold, no object has
		}
		if a.Kind == schema.GUID && !c.Root.ActiveDirectory {
			raw = v
		}
		parts = append(parts, filter.Equal(a.Name, raw))
	}
	if len(parts) == 0 {
		return filter.Not(session.Any), nil
	}
	return filter.Or(parts...), nil
}

// byAnchor returns the objects that have the anchor's value, as shape sh.
func (s *System) byAnchor(ctx context.Context, sh *shape, anchor *schema.Attribute, value string) ([]*sdk.Object, error) {
	request := sh.request
	if !slices.Contains(request, anchor.Name) {
		request = append(slices.Clip(request), anchor.Name)
	}
	shared := context.WithoutCancel(ctx) // it is for others, too; the connection's own limit ends it
	kind := sh.class + "\x00" + anchor.Name + "\x00" + strings.Join(request, "\x00")
	entries, _, err := s.anchors.Do(kind, value, func(values []string) ([]*wire.Entry, error) {
		c, err := s.Conn(shared)
		if err != nil {
			return nil, err
		}
		anyOf, err := s.anyOf(shared, c, anchor.Name, values)
		if err != nil {
			return nil, err
		}
		found, _, err := s.LookUp(shared, wire.Search{
			Base: c.Root.Base, Scope: wire.ScopeSubtree, Attributes: request,
			Filter: filter.And(filter.Equal("objectClass", sh.class), anyOf).Bytes(),
		})
		return found, err
	})
	if err != nil {
		return nil, err
	}
	var objects []*sdk.Object
	for _, e := range entries {
		mine := false
		for _, a := range e.Attributes {
			if strings.EqualFold(a.Name, anchor.Name) {
				mine = slices.ContainsFunc(a.Values, func(raw string) bool { return anchor.Same(anchor.Text(raw), value) })
			}
		}
		if !mine {
			continue
		}
		o, err := s.finished(ctx, sh, e)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}
