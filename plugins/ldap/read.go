package ldap

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
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
	next, err := s.begin(ctx, c, q)
	if err != nil {
		return nil, err
	}
	r := &reading{s: s, c: c, out: out}
	if next.Way != byNone {
		r.given = &next.Census
	}
	if next.Way == byTime {
		r.times = &times{began: time.Now()}
	}
	for _, name := range q.Classes {
		sh, err := s.shapeOf(ctx, c, s.classOf(name), q.Attributes)
		if err != nil {
			return nil, err
		}
		if err := r.prepare(ctx, sh, true); err != nil {
			return nil, err
		}
		if err := r.give(ctx, sh, filterOf(sh.class)); err != nil {
			return nil, err
		}
	}
	if r.times != nil {
		r.times.end(next)
	}
	return next.marshal()
}

// A reading passes objects to the agent. It is for one goroutine.
type reading struct {
	s     *System
	c     *dc.Conn
	out   *sdk.Sink
	given *census          // counts what was given; nil if nobody wants to know
	found func(id string)  // told of what was given; may be nil
	names *resolver        // nil until needed
	table *membershipTable // of all groups; nil where memberOf is asked for object by object
	times *times           // nil where nobody wants to know
	told  map[string]bool  // URLs of references that were reported
}

// prepare makes ready for objects of sh; whole says that most of them follow.
func (r *reading) prepare(ctx context.Context, sh *shape, whole bool) (err error) {
	if r.names == nil && len(sh.references) > 0 {
		r.names = r.s.resolver(sh.directory)
	}
	if r.table == nil && sh.memberOf >= 0 && whole {
		r.table, err = r.s.readGroups(ctx, r.c, sh.directory)
	}
	return err
}

// give passes on all objects that f matches below the base.
func (r *reading) give(ctx context.Context, sh *shape, f filter.Filter) error {
	base := r.s.base(r.c.Root)
	var elsewhere []string
	here := *r.s.Session // whose references are this read's
	here.BaseMustBe = true
	here.Missed = func(_ context.Context, urls []string) { elsewhere = append(elsewhere, urls...) }
	if err := r.search(ctx, &here, r.c, sh, base, f); err != nil {
		return err
	}
	return r.elsewhere(ctx, sh, f, elsewhere)
}

func (r *reading) search(ctx context.Context, on *session.Session, c *dc.Conn, sh *shape, base string, f filter.Filter) error {
	w := &window{s: r.s, sh: sh, names: r.names, table: r.table}
	o := &decoded{}
	attributes := sh.request
	if r.times != nil && !slices.ContainsFunc(attributes, func(name string) bool { return strings.EqualFold(name, modifyTimestamp) }) {
		attributes = append(slices.Clip(attributes), modifyTimestamp)
	}
	err := on.Search(ctx, c, wire.Search{
		Base: base, Scope: wire.ScopeSubtree, Filter: f.Bytes(), Attributes: attributes,
	}, func(e *wire.Entry) error {
		if r.times != nil {
			r.times.note(e)
		}
		if len(sh.references) == 0 {
			sh.decode(e, o)
			return r.pass(&o.Object)
		}
		w.add(e.Clone())
		if len(w.objects) < windowSize {
			return nil
		}
		return r.flush(ctx, w)
	})
	if err == nil {
		err = r.flush(ctx, w)
	}
	return r.s.unread(err, fault.About{Server: c.Root.Server, Doing: "read " + sh.class.name + " objects", Object: base, Right: "read access"})
}

func (r *reading) flush(ctx context.Context, w *window) error {
	if len(w.objects) == 0 {
		return nil
	}
	if w.sh.memberOf >= 0 && w.table == nil {
		if err := r.s.findGroups(ctx, w); err != nil {
			return err
		}
	}
	if err := w.resolve(ctx); err != nil {
		return err
	}
	for _, o := range w.objects {
		if err := r.pass(&o.Object); err != nil {
			return err
		}
	}
	w.objects, w.uids = w.objects[:0], w.uids[:0]
	return nil
}

func (r *reading) pass(o *sdk.Object) error {
	if r.given != nil {
		r.given.add(o.ID)
	}
	if r.found != nil {
		r.found(o.ID)
	}
	return r.out.Object(o)
}

// elsewhere deals with parts of the tree that lie on other servers, as the
// settings say. Nobody signs in to a server that is not in the settings.
func (r *reading) elsewhere(ctx context.Context, sh *shape, f filter.Filter, urls []string) error {
	for _, text := range urls {
		if r.s.settings.Referrals == "ignore" {
			return nil
		}
		reason := "This part of the tree is on another server and was not read. Configure that server as a system of its own, or set \"referrals\" to ignore or, with the server in \"servers\", to follow."
		if r.s.settings.Referrals == "follow" {
			server, base, ok := r.known(text)
			if ok {
				if err := r.follow(ctx, sh, f, server, base); err != nil {
					return err
				}
				continue
			}
			reason = "This part of the tree is on a server that is not in \"servers\": nobody signs in there. Add it, or set \"referrals\" to ignore."
		}
		if err := r.reject(text, reason); err != nil {
			return err
		}
	}
	return nil
}

// reject reports a reference once, however many classes it hides objects of.
func (r *reading) reject(text, reason string) error {
	if r.told[text] {
		return nil
	}
	if r.told == nil {
		r.told = map[string]bool{}
	}
	r.told[text] = true
	return r.out.Reject(text, reason, "")
}

func (r *reading) follow(ctx context.Context, sh *shape, f filter.Filter, server dc.Server, base string) error {
	c, err := r.s.Pool.To(ctx, server)
	if err != nil {
		return r.s.Fault(err, fault.About{Server: server, Doing: "follow a reference"})
	}
	defer c.Close()
	there := *r.s.Session // a reference there is not followed any further
	var further []string
	there.Missed = func(_ context.Context, urls []string) { further = append(further, urls...) }
	if err := r.search(ctx, &there, c, sh, base, f); err != nil {
		return err
	}
	for _, text := range further {
		if err := r.reject(text, fmt.Sprintf("A reference from %s, itself referred to, is not followed. Configure that server as a system of its own.", server.URL)); err != nil {
			return err
		}
	}
	return nil
}

// known finds the server of a reference among those of the settings.
func (r *reading) known(text string) (server dc.Server, base string, ok bool) {
	u, err := url.Parse(text)
	if err != nil {
		return server, "", false
	}
	base = strings.TrimPrefix(u.Path, "/")
	if base == "" || !dn.Valid(base) {
		return server, "", false
	}
	for _, s := range r.s.options.Servers {
		if strings.EqualFold(s.Host, u.Hostname()) && (u.Port() == "" || strings.HasSuffix(s.Address, ":"+u.Port())) {
			return s, base, true
		}
	}
	return server, "", false
}

// windowSize objects wait for each other, so that what they refer to is looked
// up together.
const windowSize = 500

// A window is objects whose references are still names.
type window struct {
	s       *System
	sh      *shape
	objects []*decoded
	uids    [][]string
	names   *resolver
	table   *membershipTable
}

func (s *System) window(sh *shape) *window {
	return &window{s: s, sh: sh, names: s.resolver(sh.directory)}
}

// add decodes e, which must be the window's to keep.
func (w *window) add(e *wire.Entry) {
	o := &decoded{}
	w.sh.decode(e, o)
	w.names.learn(o.Address, o.ID)
	uids := valuesOf(e, "uid")
	w.objects, w.uids = append(w.objects, o), append(w.uids, uids)
	if w.table != nil {
		o.Attributes[w.sh.memberOf].Values = w.table.of(o.Address, uids)
	}
}

// resolve puts native ids in the place of names. What leads to nothing, and
// the member that only stands for none, are left out.
func (w *window) resolve(ctx context.Context) error {
	if w.s.settings.EmptyMember != "" {
		w.names.known[dn.Key(w.s.settings.EmptyMember)] = ""
	}
	var lists []*[]string
	for _, o := range w.objects {
		for _, slot := range w.sh.references {
			if len(o.Attributes[slot].Values) > 0 && slot != w.sh.memberOf {
				lists = append(lists, &o.Attributes[slot].Values)
			}
		}
	}
	return w.names.resolve(ctx, lists)
}

// Find looks many values up with few searches.
func (s *System) Find(ctx context.Context, f sdk.Lookup, out *sdk.Sink) error {
	c, err := s.Conn(ctx)
	if err != nil {
		return err
	}
	sh, err := s.shapeOf(ctx, c, s.classOf(f.Class), f.Attributes)
	if err != nil {
		return err
	}
	for len(f.Values) > 0 {
		n := min(len(f.Values), session.ValuesPerSearch)
		anyOf, err := s.anyOf(ctx, c, f.Attribute, f.Values[:n])
		if err != nil {
			return err
		}
		f.Values = f.Values[n:]
		found, _, err := s.LookUp(ctx, wire.Search{
			Base: s.base(c.Root), Scope: wire.ScopeSubtree, Attributes: sh.request,
			Filter: filter.And(filterOf(sh.class), anyOf).Bytes(),
		})
		if err != nil {
			return err
		}
		objects, err := s.finished(ctx, sh, found)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if err := out.Object(o); err != nil {
				return err
			}
		}
	}
	return nil
}
