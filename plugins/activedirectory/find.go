package activedirectory

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// valuesPerSearch go into one filter.
const valuesPerSearch = 100

// Find looks many values up with few searches.
func (s *System) Find(ctx context.Context, f sdk.Lookup, out *sdk.Sink) error {
	c, err := s.conn(ctx)
	if err != nil {
		return err
	}
	class := classOf(f.Class)
	sh, err := s.shapeOf(ctx, c, class.name, f.Attributes)
	if err != nil {
		return err
	}
	for values := range slices.Chunk(f.Values, valuesPerSearch) {
		anyOf, err := s.anyOf(ctx, c, f.Attribute, values)
		if err != nil {
			return err
		}
		found, _, err := s.lookUp(ctx, wire.Search{
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
		return filter.Not(present), nil
	}
	return filter.Or(parts...), nil
}

// A batcher joins look-ups of single values that come at the same time into
// one search. Nobody waits for company: while one search is under way, those
// that come meanwhile are collected for the next.
type batcher struct {
	mu      sync.Mutex
	waiting map[string][]*lookup // by kind of look-up
	leading map[string]bool
}

type lookup struct {
	value string
	found []*wire.Entry
	err   error
	done  chan struct{}
}

func newBatcher() *batcher {
	return &batcher{waiting: map[string][]*lookup{}, leading: map[string]bool{}}
}

// do looks value up by run, which gets many values of the same kind and
// returns what it found for all of them.
func (b *batcher) do(kind, value string, run func(values []string) ([]*wire.Entry, error)) ([]*wire.Entry, error) {
	l := &lookup{value: value, done: make(chan struct{})}
	b.mu.Lock()
	b.waiting[kind] = append(b.waiting[kind], l)
	if !b.leading[kind] {
		b.leading[kind] = true
		go b.lead(kind, run) // ends when nobody waits, and each caller waits for its own
	}
	b.mu.Unlock()
	<-l.done
	return l.found, l.err
}

// lead runs look-ups of a kind until none is left.
func (b *batcher) lead(kind string, run func(values []string) ([]*wire.Entry, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting[kind]) > 0 {
		batch := b.waiting[kind]
		batch = batch[:min(len(batch), valuesPerSearch)]
		b.waiting[kind] = b.waiting[kind][len(batch):]
		b.mu.Unlock()
		values := make([]string, len(batch))
		for i, l := range batch {
			values[i] = l.value
		}
		found, err := run(values)
		for _, l := range batch {
			l.found, l.err = found, err
			close(l.done)
		}
		b.mu.Lock()
	}
	delete(b.leading, kind)
	delete(b.waiting, kind)
}

// byAnchor returns the objects that have the anchor's value, as shape sh.
func (s *System) byAnchor(ctx context.Context, sh *shape, anchor *schema.Attribute, value string) ([]*sdk.Object, error) {
	request := sh.request
	if !slices.Contains(request, anchor.Name) {
		request = append(slices.Clip(request), anchor.Name)
	}
	shared := context.WithoutCancel(ctx) // it is for others, too; the connection's own limit ends it
	kind := sh.class + "\x00" + anchor.Name + "\x00" + strings.Join(request, "\x00")
	entries, err := s.anchors.do(kind, value, func(values []string) ([]*wire.Entry, error) {
		c, err := s.conn(shared)
		if err != nil {
			return nil, err
		}
		anyOf, err := s.anyOf(shared, c, anchor.Name, values)
		if err != nil {
			return nil, err
		}
		found, _, err := s.lookUp(shared, wire.Search{
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
