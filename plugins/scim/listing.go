package scim

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/web"
)

// A listing reads all resources of a type that a request is answered by, page
// by page, and gives each of them once.
type listing struct {
	system *System
	known  *service
	t      *resourceType
	take   func(got resource, key uint64) error // key is the hash of the native id
	reject func(place, reason string) error

	seen            idSet               // hashes of native ids
	rejects         map[uint64]struct{} // hashes of what was set aside
	first, last     resource            // id and name alone
	fresh           int                 // objects of the page that were not seen before
	joined, started bool                // whether the page begins with what is known; whether it has begun
}

var seed = maphash.MakeSeed()

func (l *listing) read(ctx context.Context, request web.Request) error {
	l.seen, l.rejects = idSet{}, map[uint64]struct{}{}
	l.system.count(request.Query, l.known, l.system.settings.PageSize)
	err := l.pages(ctx, request)
	if l.seen.n == 0 && l.system.mayRefuseProjection(err, request) {
		request.Query.Del("attributes")
		if err = l.pages(ctx, request); err == nil {
			l.system.wholly.Store(true)
		}
	}
	return err
}

func (l *listing) pages(ctx context.Context, request web.Request) error {
	s := l.system
	switch {
	case s.dialect.Paging == "none":
		return s.list(ctx, request, func(page) *web.Request { return nil }, l.resource)
	case l.known.cursor:
		return l.byCursor(ctx, request)
	}
	return l.byIndex(ctx, request)
}

// byCursor follows the cursors (RFC 9865). One that the server has forgotten
// means to begin again; what has been given is not given again.
func (l *listing) byCursor(ctx context.Context, request web.Request) error {
	for again := 0; ; again++ {
		first := request
		first.Query = maps.Clone(request.Query)
		first.Query.Set("cursor", "")
		err := l.system.list(ctx, first, func(p page) *web.Request {
			if p.cursor == "" {
				return nil
			}
			next := first
			next.Query = maps.Clone(first.Query)
			next.Query.Set("cursor", p.cursor)
			return &next
		}, l.resource)
		if e, ok := errors.AsType[*sdk.Error](err); !ok || again == 2 || !strings.Contains(e.Raw, "expiredCursor") && !strings.Contains(e.Raw, "invalidCursor") {
			return err
		}
	}
}

// Limits of reading by index.
const (
	passes   = 3  // times that all is read again because something is missing
	stepback = 64 // times that earlier pages are read again because they shifted
	dryPages = 3  // pages without anything new that are put up with
)

// byIndex reads pages by their place in the list. Since others edit it
// meanwhile, each page begins with the last object of the one before; where it
// does not, objects have moved up, and earlier pages are read again until the
// two meet. What comes twice is given once.
func (l *listing) byIndex(ctx context.Context, request web.Request) error {
	s := l.system
	if l.known.sort && request.Query.Get("filter") == "" {
		request.Query.Set("sortBy", "id")
		request.Query.Set("sortOrder", "ascending")
	}
	var firstTotal, total int
	for pass := 0; pass < passes; pass++ {
		start, back, steps, dry := 1, 1, 0, 0
		var fault error
		at := func(start int) *web.Request {
			next := request
			next.Query = maps.Clone(request.Query)
			next.Query.Set("startIndex", strconv.Itoa(start))
			l.joined, l.started, l.fresh = start == 1 || pass > 0, false, 0
			return &next
		}
		err := s.list(ctx, *at(1), func(p page) *web.Request {
			if total = p.total; pass == 0 && start == 1 && firstTotal == 0 {
				firstTotal = p.total
			}
			switch {
			case p.count == 0:
				return nil
			case !l.joined && steps == stepback:
				fault = sdk.Unavailable(fmt.Sprintf("the list of %s changes faster than it can be read, or its order does", l.t.name),
					"Read at a quieter time, or choose paging cursor if the server has it.")
				return nil
			case !l.joined:
				steps, back = steps+1, back*2
				start = max(1, start-back*p.count/2)
				return at(start)
			}
			unreliable := p.total < 0 || s.dialect.Total == "unreliable"
			if dry++; l.fresh > 0 || steps > 0 || pass > 0 {
				dry = 0
			}
			switch {
			case unreliable && l.fresh == 0 || !unreliable && start+p.count-1 >= p.total:
				return nil
			case dry == dryPages:
				fault = sdk.Unavailable(fmt.Sprintf("%s gives the same %s again and again: it ignores startIndex", s.client.Host(), l.t.name),
					"Set paging in deviations: none if the server gives everything at once, cursor if it has cursors.")
				return nil
			}
			if back = 1; l.fresh > 0 {
				steps = 0
			}
			start += max(1, p.count-1)
			return at(start)
		}, l.resource)
		if err = errors.Join(err, fault); err != nil {
			return single(err)
		}
		// What came in while it was read may be missing; the next read has it.
		missing := total - l.seen.n - len(l.rejects)
		if total < 0 || s.dialect.Total == "unreliable" || missing <= max(0, total-firstTotal) {
			return nil
		}
	}
	return sdk.Unavailable(fmt.Sprintf("%s says that there are %d resources of the type %s and gives %d", s.client.Host(), total, l.t.name, l.seen.n),
		"Have the server mended; if its totalResults is known to be wrong, set total: unreliable in deviations.")
}

// single takes an error out of a join of one.
func single(err error) error {
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		return e
	}
	return err
}

// resource takes one resource of a page.
func (l *listing) resource(raw []byte) error {
	values, fault := decode(raw)
	if fault != "" {
		return l.setAside(maphash.Bytes(seed, raw), "a resource of the type "+l.t.name, "It is "+fault+"; have the server mended.")
	}
	got := resource{values: values}
	id, name := got.id(), got.text(l.t.naming)
	if id == "" {
		return l.setAside(maphash.Bytes(seed, raw), l.t.name+" "+name, "It has no id; have the server mended (RFC 7643, 3.1).")
	}
	key := maphash.String(seed, id)
	again := l.seen.add(key)
	if !l.started {
		l.started = true
		if l.joined = l.joined || again; !l.joined && name != "" && l.last.text(l.t.naming) == name && l.keepsNamesApart() {
			return l.changed(l.last.id(), id, name)
		}
	}
	l.last = resource{values: map[string]any{"id": id, l.t.naming: name}}
	if again {
		return nil
	}
	if l.first.empty() {
		l.first = l.last
	}
	l.fresh++
	return l.take(got, key)
}

// setAside rejects what is no resource, once however often it comes.
func (l *listing) setAside(key uint64, place, reason string) error {
	if _, again := l.rejects[key]; again {
		return nil
	}
	l.rejects[key] = struct{}{}
	return l.reject(place, reason)
}

func (l *listing) keepsNamesApart() bool {
	a := l.t.byName[strings.ToLower(l.t.naming)]
	return a != nil && a.unique
}

func (l *listing) changed(before, now, name string) error {
	return sdk.Unavailable(fmt.Sprintf("%s calls %s %s by the id %s and then by %s: its ids change", l.system.client.Host(), l.t.name, name, before, now),
		"Have the server mended: ids must not change (RFC 7643, 3.1); until then nothing can be provisioned there.").On(name).At("id")
}

// stable looks whether the first object that was read can still be found by its
// native id: a server that makes ids up would lose every account.
func (l *listing) stable(ctx context.Context) error {
	if l.first.empty() {
		return nil
	}
	s, id, name := l.system, l.first.id(), l.first.text(l.t.naming)
	_, err := s.get(ctx, l.t, id, []*attribute{})
	e, refused := errors.AsType[*sdk.Error](err)
	if !refused || e.Outcome != sdk.OutcomeNotFound && e.Outcome != sdk.OutcomeConflict || !l.keepsNamesApart() || !l.known.filter {
		return nil // the read itself went well
	}
	now := id
	naming := l.t.byName[strings.ToLower(l.t.naming)]
	err = s.lookUp(ctx, l.known, l.t, naming, []string{name}, []*attribute{}, func(got resource) error {
		now = got.id()
		return nil
	})
	if err == nil && now != id {
		return l.changed(id, now, name)
	}
	return nil // it was deleted just now
}
