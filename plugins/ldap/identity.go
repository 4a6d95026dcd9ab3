package ldap

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/session"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Attributes that directories have for native ids, the best first: RFC 4530,
// 389 Directory Server, FreeIPA.
var idAttributes = []string{entryUUID, "nsUniqueId", "ipaUniqueID"}

const (
	entryUUID = "entryUUID"
	byDN      = "dn" // no attribute: the DN is the id
)

// chooseID returns the attribute of the native id, or byDN.
func (s *System) chooseID(known *schema.Schema) (string, error) {
	if name := s.settings.ID; name != "" {
		if strings.EqualFold(name, byDN) {
			return byDN, nil
		}
		a := known.Attribute(name)
		if a == nil {
			return "", sdk.Invalid(fmt.Sprintf("the directory has no attribute %q, which \"id\" names", name), "Correct \"id\" in the settings.").At(name)
		}
		return a.Name, nil
	}
	for _, name := range idAttributes {
		if a := known.Attribute(name); a != nil {
			return a.Name, nil
		}
	}
	return byDN, nil
}

// suffix is the naming context in which everything lies that objects may
// refer to.
func (s *System) suffix(root *dc.Root) string {
	base := s.base(root)
	for _, name := range root.Contexts {
		if dn.Under(base, name) {
			return name
		}
	}
	return base
}

// A place is where an object is now.
type place struct {
	dn      string
	classes []string // object classes
}

// locate finds the objects with native ids; those that are not there are not
// in the answer. Ids asked for at the same time are one search.
func (s *System) locate(ctx context.Context, ids ...string) (map[string]place, error) {
	places := make(map[string]place, len(ids))
	c, err := s.Conn(ctx)
	if err != nil {
		return nil, err
	}
	d, err := s.known(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(ids) == 1 && d.id != byDN {
		shared := context.WithoutCancel(ctx) // it is for others, too; the connection's own limit ends it
		found, _, err := s.ids.Do(d.id, ids[0], func(values []string) ([]*wire.Entry, error) { return s.lookUpIDs(shared, d, values) })
		if err == nil {
			d.note(places, found, ids)
		}
		return places, err
	}
	for batch := range slices.Chunk(ids, session.ValuesPerSearch) {
		found, err := s.lookUpIDs(ctx, d, batch)
		if err != nil {
			return nil, err
		}
		d.note(places, found, batch)
	}
	return places, nil
}

func (s *System) lookUpIDs(ctx context.Context, d *directory, ids []string) (found []*wire.Entry, err error) {
	if d.id == byDN {
		for _, id := range ids {
			e, _, err := s.ReadOne(ctx, id, []string{"objectClass"})
			if err != nil {
				return nil, err
			}
			if e != nil {
				found = append(found, e)
			}
		}
		return found, nil
	}
	c, err := s.Conn(ctx)
	if err != nil {
		return nil, err
	}
	parts := make([]filter.Filter, len(ids))
	for i, id := range ids {
		parts[i] = filter.Equal(d.id, id)
	}
	found, _, err = s.LookUp(ctx, wire.Search{
		Base: s.suffix(c.Root), Scope: wire.ScopeSubtree, Filter: filter.Or(parts...).Bytes(), Attributes: []string{d.id, "objectClass"},
	})
	return found, err
}

// note puts those of found that are asked for into places.
func (d *directory) note(places map[string]place, found []*wire.Entry, ids []string) {
	for _, e := range found {
		for _, id := range ids {
			if d.id == byDN && dn.Equal(id, e.DN) || d.id != byDN && strings.EqualFold(id, d.idOf(e)) {
				places[id] = place{dn: e.DN, classes: valuesOf(e, "objectClass")}
			}
		}
	}
}

// idOf returns the native id of an entry that was read with the attribute of it.
func (d *directory) idOf(e *wire.Entry) string {
	if d.id == byDN {
		return e.DN
	}
	for i := range e.Attributes {
		if a := &e.Attributes[i]; strings.EqualFold(a.Name, d.id) && len(a.Values) > 0 {
			return a.Values[0]
		}
	}
	return ""
}

// target returns where the object of an operation is.
func (s *System) target(ctx context.Context, id string) (place, error) {
	places, err := s.locate(ctx, id)
	if err != nil {
		return place{}, err
	}
	p, ok := places[id]
	if !ok {
		return place{}, fault.Gone(id)
	}
	return p, nil
}

// A resolver turns DNs into native ids. It remembers what it knows, so it is
// for one read; what it does not know it looks up in batches.
type resolver struct {
	s     *System
	d     *directory
	known map[string]string // by dn.Key; empty: nothing is there
}

// most is how many names a resolver remembers, some 10 MB.
const most = 40_000

func (s *System) resolver(d *directory) *resolver {
	return &resolver{s: s, d: d, known: map[string]string{}}
}

func (r *resolver) learn(name, id string) {
	if len(r.known) < most {
		r.known[dn.Key(name)] = strings.Clone(id)
	}
}

// resolve puts ids in the place of DNs in each of lists, and leaves out those
// that lead to nothing. The lists keep their memory.
func (r *resolver) resolve(ctx context.Context, lists []*[]string) error {
	if r.d.id == byDN {
		return nil
	}
	unknown, asked := []string(nil), map[string]bool{}
	for _, list := range lists {
		for _, name := range *list {
			key := dn.Key(name)
			if _, ok := r.known[key]; !ok && name != "" && !asked[key] {
				asked[key] = true
				unknown = append(unknown, name)
			}
		}
	}
	if len(r.known)+len(unknown) > most {
		clear(r.known) // then the lists of this call must be asked for whole
		unknown = unknown[:0]
		for _, list := range lists {
			unknown = append(unknown, *list...)
		}
	}
	if err := r.lookUp(ctx, unknown); err != nil {
		return err
	}
	for _, list := range lists {
		ids := (*list)[:0]
		for _, name := range *list {
			if id := r.known[dn.Key(name)]; id != "" {
				ids = append(ids, id)
			}
		}
		*list = ids
	}
	return nil
}

// lookUp learns the ids of names: by searches for entryDN (RFC 5020) where the
// directory has it, else by reading each, some at a time.
func (r *resolver) lookUp(ctx context.Context, names []string) error {
	c, err := r.s.Conn(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		r.known[dn.Key(name)] = ""
	}
	if r.d.entryDN {
		for batch := range slices.Chunk(names, session.ValuesPerSearch) {
			parts := make([]filter.Filter, len(batch))
			for i, name := range batch {
				parts[i] = filter.Equal("entryDN", name)
			}
			found, _, err := r.s.LookUp(ctx, wire.Search{
				Base: r.s.suffix(c.Root), Scope: wire.ScopeSubtree, Filter: filter.Or(parts...).Bytes(), Attributes: []string{r.d.id},
			})
			if err != nil {
				return err
			}
			for _, e := range found {
				r.known[dn.Key(e.DN)] = r.d.idOf(e)
			}
		}
		return nil
	}
	const atATime = 16
	found := make([]string, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atATime)
	for i, name := range names {
		group.Go(func() error {
			e, _, err := r.s.ReadOne(ctx, name, []string{r.d.id})
			if err == nil && e != nil {
				found[i] = r.d.idOf(e)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, name := range names {
		r.known[dn.Key(name)] = found[i]
	}
	return nil
}

func valuesOf(e *wire.Entry, name string) []string {
	for i := range e.Attributes {
		if strings.EqualFold(e.Attributes[i].Name, name) {
			return e.Attributes[i].Values
		}
	}
	return nil
}
