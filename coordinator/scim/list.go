package scim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

const listSchema = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

// A walk looks at so many rows in one transaction, and at so many in one
// request by cursor before it gives what it has, or by index before it gives up.
const (
	chunk       = 500
	cursorReach = 50_000
	indexReach  = 200_000
)

// A query is what a list is asked for.
type query struct {
	filter, sortBy, attributes, excluded string
	start, count                         string
	cursor                               *string // nil: by index
}

func queryOf(v url.Values) query {
	q := query{filter: v.Get("filter"), sortBy: v.Get("sortBy"), attributes: v.Get("attributes"), excluded: v.Get("excludedAttributes"),
		start: v.Get("startIndex"), count: v.Get("count")}
	if v.Has("cursor") {
		q.cursor = ptr(v.Get("cursor"))
	}
	return q
}

// A want is a query, understood.
type want struct {
	filter *path.Filter // nil: everybody
	since  store.Instant
	needle string
	exact  bool // since says all that the filter does, so that counting needs no walk
	start  int  // from 1
	count  int
	key    string // of bookmarks and cursors: view and filter
	kind   kind
	needs  need // of filter
}

func (q query) want(v view, k kind) (want, error) {
	w := want{start: 1, count: defaultPage, exact: true, key: v.name() + "\x00" + q.filter, kind: k}
	if q.start != "" {
		n, err := strconv.Atoi(q.start)
		if err != nil {
			return w, badf("invalidValue", "startIndex must be a number, not %q", q.start)
		}
		w.start = max(n, 1)
	}
	if q.count != "" {
		n, err := strconv.Atoi(q.count)
		if err != nil {
			return w, badf("invalidCount", "count must be a number, not %q", q.count)
		}
		w.count = min(max(n, 0), maxPage)
	}
	if q.sortBy != "" && !strings.EqualFold(q.sortBy, "id") {
		return w, badf("invalidPath", "%ss are not sorted by %s: leave sortBy out, they come in the order of id", k, q.sortBy)
	}
	if q.filter == "" {
		return w, nil
	}
	f, err := path.ParseFilter(q.filter)
	if err != nil {
		return w, badf("invalidFilter", "%v", err)
	}
	w.filter, w.exact, w.needs = f, false, needs(f)
	w.narrow(f, true)
	return w, nil
}

// narrow has the store leave out what cannot fulfil the filter.
func (w *want) narrow(f *path.Filter, whole bool) {
	if f.Op == "and" {
		for _, t := range f.Terms {
			w.narrow(t, false)
		}
		return
	}
	text, ok := f.Value.(string)
	if !ok {
		return
	}
	at := strings.ToLower(f.Path.String())
	switch {
	case at == "meta.lastmodified" && (f.Op == "gt" || f.Op == "ge"):
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return
		}
		since := store.Instant(t.UnixMilli()) // rounded down
		if f.Op == "gt" || t.UnixNano()%int64(time.Millisecond) != 0 {
			since++
		}
		w.since, w.exact = max(w.since, since), whole
	case f.Op == "eq":
		if n := needle(at, text); n != "" && w.kind == person {
			w.needle = n
		}
	}
}

// equality gives attribute and text where the filter is or demands an equality that a view of a kind may look up.
func (k kind) equality(f *path.Filter) (attribute, text string, ok bool) {
	if f == nil {
		return "", "", false
	}
	if f.Op == "and" {
		for _, t := range f.Terms {
			if attribute, text, ok = k.equality(t); ok {
				return attribute, text, ok
			}
		}
		return "", "", false
	}
	text, isText := f.Value.(string)
	attribute = strings.ToLower(f.Path.Attr)
	plain := f.Path.Sub == "" || attribute == members && strings.EqualFold(f.Path.Sub, "value")
	if f.Op != "eq" || !isText || !plain || f.Path.Filter != nil || f.Path.Schema != "" && !strings.EqualFold(f.Path.Schema, k.schema()) {
		return "", "", false
	}
	return attribute, text, slices.Contains(k.quick(), attribute)
}

func (w want) match(r *resource) bool { return w.filter == nil || w.filter.Match(r.body, exactly) }

// exactly tells of attributes that are compared with their case. The directory's externalId, a key, is not.
func exactly(p path.Path) bool {
	return strings.EqualFold(p.Attr, "id") || strings.EqualFold(p.Attr, members)
}

// list answers a query.
func (s *Server) list(q *request, k kind, asked query) (answer, error) {
	v := q.view(k)
	proj, err := projectionOf(asked.attributes, asked.excluded)
	if err != nil {
		return answer{}, err
	}
	w, err := asked.want(v, k)
	if err != nil {
		return answer{}, err
	}
	if attribute, text, ok := k.equality(w.filter); ok {
		var found []*resource
		quick := false
		if err := s.Store.Read(q.Context(), func(tx *store.Tx) (err error) {
			if found, quick, err = v.lookup(tx, attribute, text); err == nil {
				err = v.fill(tx, found, w.needs)
			}
			return err
		}); err != nil {
			return answer{}, err
		}
		if quick {
			found = slices.DeleteFunc(found, func(r *resource) bool { return !w.match(r) })
			total := len(found)
			found = found[min(w.start-1, total):]
			found, err := s.complete(q, v, found[:min(w.count, len(found))], proj.needs(k))
			return answer{status: http.StatusOK, body: proj.page(found, &total, w.start)}, err
		}
	}
	var body object
	if asked.cursor != nil {
		body, err = s.byCursor(q, v, w, *asked.cursor, proj)
	} else {
		body, err = s.byIndex(q, v, w, proj)
	}
	return answer{status: http.StatusOK, body: body}, err
}

// A place is how far a walk has come.
type place struct {
	After string `json:"a"`           // id of the last that was given
	Total int    `json:"t,omitempty"` // of all; -1 where it is not known
	Key   string `json:"k,omitempty"` // of the walk
}

// byCursor gives the page behind a cursor (RFC 9865).
func (s *Server) byCursor(q *request, v view, w want, cursor string, proj projection) (object, error) {
	at := place{Total: -1}
	if cursor != "" {
		text, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil || json.Unmarshal(text, &at) != nil || at.Key != digest(w.key) {
			return nil, badf("invalidCursor", "the cursor is none of this list: begin again with an empty one")
		}
	} else if w.exact {
		if err := s.Store.Read(q.Context(), func(tx *store.Tx) (err error) {
			at.Total, err = v.count(tx, w.since)
			return err
		}); err != nil {
			return nil, err
		}
	}
	found, last, more, err := s.walk(q, v, w, at.After, 0, cursorReach, false)
	if err != nil {
		return nil, err
	}
	page, err := s.complete(q, v, found.page, proj.needs(w.kind))
	if err != nil {
		return nil, err
	}
	if len(page) < len(found.page) {
		found.page, last, more = page, page[len(page)-1].id, true
	}
	body := proj.page(found.page, nil, 0)
	if at.Total >= 0 {
		body["totalResults"] = at.Total
	}
	if more {
		text, _ := json.Marshal(place{last, at.Total, digest(w.key)}) // always has a form
		body["nextCursor"] = base64.RawURLEncoding.EncodeToString(text)
	}
	return body, nil
}

// byIndex gives the page that begins at an index. Who goes on where a page has
// ended is found at once; anybody else's first rows are skipped.
func (s *Server) byIndex(q *request, v view, w want, proj projection) (object, error) {
	at, known := s.marks.get(mark{w.key, w.start})
	skip := 0
	if !known {
		at, skip = place{Total: -1}, w.start-1
		if w.exact {
			if err := s.Store.Read(q.Context(), func(tx *store.Tx) (err error) {
				at.Total, err = v.count(tx, w.since)
				return err
			}); err != nil {
				return nil, err
			}
		}
	}
	found, last, _, err := s.walk(q, v, w, at.After, skip, indexReach, at.Total < 0)
	if err != nil {
		return nil, err
	}
	page, err := s.complete(q, v, found.page, proj.needs(w.kind))
	if err != nil {
		return nil, err
	}
	if len(page) < len(found.page) {
		found.page, last = page, page[len(page)-1].id
	}
	if at.Total < 0 {
		at.Total = found.matched
	}
	if len(found.page) > 0 {
		s.marks.put(mark{w.key, w.start + len(found.page)}, place{After: last, Total: at.Total})
	}
	return proj.page(found.page, &at.Total, w.start), nil
}

// maxMembers is how many members the groups of a page show together, at most,
// but for one group that has more alone. A page is shorter then.
const maxMembers = 100_000

// complete gives the first of the resources, with what is to be shown of them
// that is kept apart.
func (s *Server) complete(q *request, v view, page []*resource, n need) ([]*resource, error) {
	err := s.Store.Read(q.Context(), func(tx *store.Tx) error {
		if !n.members {
			return v.fill(tx, page, n)
		}
		for i, left := 0, maxMembers; i < len(page); i++ {
			if err := v.fill(tx, page[i:i+1], n); err != nil {
				return err
			}
			list, _ := page[i].body[members].([]any)
			if left -= len(list); left < 0 && i > 0 {
				page = page[:i]
			}
		}
		return nil
	})
	return page, err
}

type findings struct {
	page    []*resource
	matched int // with those skipped
}

// walk gives the page behind an id, the id that the next begins behind, and
// whether there may be more. With all it goes on to the end, to count.
func (s *Server) walk(q *request, v view, w want, after string, skip, reach int, all bool) (found findings, last string, more bool, err error) {
	last = after
	at, rowSkip := after, 0
	if w.exact && w.needle == "" {
		rowSkip, found.matched = skip, skip
	}
	if w.count == 0 && !all {
		return found, last, true, nil
	}
	for looked := 0; ; {
		size := chunk
		if w.exact && !all {
			size = min(chunk, w.count-len(found.page))
		}
		var rows []*resource
		if err := s.Store.Read(q.Context(), func(tx *store.Tx) (err error) {
			if rows, err = v.walk(tx, store.Walk{After: at, Since: w.since, Needle: w.needle, Skip: rowSkip, Limit: size}); err == nil {
				err = v.fill(tx, rows, w.needs)
			}
			return err
		}); err != nil {
			return found, last, false, err
		}
		rowSkip = 0
		for _, r := range rows {
			at = r.id
			if len(found.page) < w.count {
				last = r.id
			}
			if !w.match(r) {
				continue
			}
			found.matched++
			if found.matched > skip && len(found.page) < w.count {
				found.page = append(found.page, r)
				last = r.id
			}
			if len(found.page) == w.count && !all {
				return found, last, true, nil
			}
		}
		if len(rows) < size {
			return found, last, false, nil
		}
		if looked += len(rows); looked >= reach {
			if !all {
				return found, last, true, nil
			}
			return found, last, false, badf("tooMany", "more than %d would have to be looked at to count who fulfils the filter: "+
				"page by cursor (&cursor=), which need not count, or filter by id, userName, externalId or meta.lastModified", indexReach)
		}
	}
}

func listing(resources []any, total *int, start int) object {
	if resources == nil {
		resources = []any{}
	}
	body := object{"schemas": []string{listSchema}, "itemsPerPage": len(resources), "Resources": resources}
	if total != nil {
		body["totalResults"] = *total
	}
	if start > 0 {
		body["startIndex"] = start
	}
	return body
}

// search answers a query given as a body (RFC 7644, 3.4.3).
func (s *Server) search(q *request, of string) (answer, error) {
	if q.Method != http.MethodPost {
		return answer{}, notAllowed(q, "POST")
	}
	data, err := read(q, maxBody)
	if err != nil {
		return answer{}, err
	}
	var body struct {
		Schemas                        []string
		Filter, SortBy                 string
		Attributes, ExcludedAttributes []string
		StartIndex, Count              json.Number
		Cursor                         *string
	}
	if err := decode(data, &body); err != nil || !slices.Contains(body.Schemas, "urn:ietf:params:scim:api:messages:2.0:SearchRequest") {
		return answer{}, badf("invalidSyntax", "the body is no SearchRequest of RFC 7644, 3.4.3")
	}
	switch of {
	case "Users", "Groups":
	case ".search":
		of = "Users"
	default:
		return answer{}, noSuchPath(q.URL.Path)
	}
	return s.list(q, kindAt(of), query{filter: body.Filter, sortBy: body.SortBy, attributes: strings.Join(body.Attributes, ","),
		excluded: strings.Join(body.ExcludedAttributes, ","), start: body.StartIndex.String(), count: body.Count.String(), cursor: body.Cursor})
}

// Bookmarks say where pages by index have ended, of the last that were asked for.
type bookmarks struct {
	mu    sync.Mutex
	at    map[mark]place
	order []mark // the oldest first
}

type mark struct {
	key   string
	start int
}

// maxMarks bounds the bookmarks: each is of a client that is paging now.
const maxMarks = 4096

func (b *bookmarks) get(m mark) (place, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.at[m]
	return p, ok
}

func (b *bookmarks) put(m mark, p place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at == nil {
		b.at = map[mark]place{}
	}
	if _, there := b.at[m]; !there {
		if len(b.order) == maxMarks {
			delete(b.at, b.order[0])
			b.order = b.order[1:]
		}
		b.order = append(b.order, m)
	}
	b.at[m] = p
}

func digest(key string) string { return fmt.Sprintf("%x", sum(key)) }
