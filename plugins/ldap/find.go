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
	"github.com/drawbridge-id/drawbridge/plugins/ldap/session"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// anyOf matches objects whose attribute has one of values, which are texts.
func (s *System) anyOf(ctx context.Context, c *dc.Conn, name string, values []string) (filter.Filter, error) {
	a, err := s.attribute(ctx, c, name)
	if err != nil {
		return filter.Filter{}, err
	}
	if a.Name == schema.Enabled || a.Name == schema.Container || a.Name == schema.RDN {
		return filter.Filter{}, sdk.Invalid(a.Name+" is worked out by the connector and cannot be searched for",
			"Match by another attribute.").At(a.Name)
	}
	raws, err := s.raw(ctx, a, values, lenient)
	if err != nil {
		return filter.Filter{}, err
	}
	parts := make([]filter.Filter, len(raws))
	for i, raw := range raws {
		parts[i] = filter.Equal(a.Name, raw)
	}
	if len(parts) == 0 {
		return filter.Not(session.Any), nil
	}
	return filter.Or(parts...), nil
}

// How [System.raw] takes values that do not serve.
type strictness int

const (
	strict  strictness = iota // they are somebody's mistake
	seen                      // they were read, so the fault is not in a mapping
	lenient                   // what no attribute can hold, no object has: left out
)

// raw turns texts into what the wire carries: references into DNs.
func (s *System) raw(ctx context.Context, a *schema.Attribute, values []string, how strictness) ([]string, error) {
	if a.Kind == schema.Reference {
		return s.rawReferences(ctx, a, values, how)
	}
	if how == strict {
		if err := change.Check(a, values); err != nil {
			return nil, err
		}
	}
	raws := make([]string, 0, len(values))
	for _, v := range values {
		raw, err := a.Raw(v)
		switch {
		case err == nil:
			raws = append(raws, raw)
		case how == strict:
			return nil, sdk.Invalid(err.Error(), "Correct the value in the source or the mapping.").At(a.Name)
		case how == seen:
			return nil, sdk.Invalid(err.Error(), "Report this as a fault of the coordinator.").At(a.Name)
		}
	}
	return raws, nil
}

func (s *System) rawReferences(ctx context.Context, a *schema.Attribute, ids []string, how strictness) ([]string, error) {
	if len(ids) > 1 && !a.Multi && how == strict {
		return nil, change.Check(a, ids)
	}
	places, err := s.locate(ctx, ids...)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, id := range ids {
		p, ok := places[id]
		if ok {
			names = append(names, p.dn)
		} else if how == strict {
			return nil, sdk.NotFound("the object that "+a.Name+" shall refer to, "+id+", is not in the directory",
				"Nothing: it is read and planned again.").At(a.Name)
		} // a reference that was seen and leads to nothing now needs no removal: the directory did it, or compare finds out
	}
	return names, nil
}

// byAnchor returns the objects that have the anchor's value, as shape sh.
// Look-ups at the same time are one search.
func (s *System) byAnchor(ctx context.Context, sh *shape, anchor *schema.Attribute, value string) ([]*sdk.Object, error) {
	request := sh.request
	if !slices.ContainsFunc(request, func(name string) bool { return strings.EqualFold(name, anchor.Name) }) {
		request = append(slices.Clip(request), anchor.Name)
	}
	shared := context.WithoutCancel(ctx) // it is for others, too; the connection's own limit ends it
	kind := sh.class.name + "\x00" + anchor.Name + "\x00" + strings.Join(request, "\x00")
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
			Base: s.suffix(c.Root), Scope: wire.ScopeSubtree, Attributes: request,
			Filter: filter.And(filter.Equal("objectClass", sh.class.is()), anyOf).Bytes(),
		})
		return found, err
	})
	if err != nil {
		return nil, err
	}
	var mine []*wire.Entry
	for _, e := range entries {
		if slices.ContainsFunc(valuesOf(e, anchor.Name), func(raw string) bool { return anchor.Same(anchor.Text(raw), value) }) {
			mine = append(mine, e)
		}
	}
	return s.finished(ctx, sh, mine)
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
		e := sdk.Conflict("more than one object has this "+n.anchor.Name+", among them "+found[0].Address+" and "+found[1].Address,
			"Leave the value to one of them, by hand.")
		return sdk.Result{}, e.On(found[0].Address).At(n.anchor.Name)
	}
	return sdk.Result{Object: found[0], Unchanged: true}, nil
}

// taken says that value belongs to the object at owner.
func taken(attribute, value, owner string) *sdk.Error {
	return fault.Taken(sdk.Conflict(attribute+" \""+value+"\" belongs to "+owner,
		"Another value is tried; if this is the same person, give that object the anchor's value.").On(owner).At(attribute))
}
