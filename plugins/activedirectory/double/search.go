package double

import (
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ber"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/schema"
)

// Limits of MS-ADTS 3.1.1.3.4.6.
const (
	maxPageSize = 1000
	maxValRange = 1500
)

const (
	scopeBase = 0
	scopeOne  = 1
)

// A query is a decoded SearchRequest.
type query struct {
	base      string
	scope     int64
	sizeLimit int
	typesOnly bool
	filter    string // BER
	selection selection
	controls  controls
}

// A selection says which attributes to return.
type selection struct {
	all   bool
	none  bool
	attrs []selected
	roots []string // names as asked: the rootDSE has some that the schema has not
}

type selected struct {
	def      *schema.Attribute
	name     string // as asked
	ranged   bool
	from, to int // to -1 means the end
}

// A pager is what remains of a paged search.
type pager struct {
	key  string // of the query, which must not change between pages
	rest []*object
	f    *filter
}

// search does a SearchRequest: it writes the entries to the session's buffer
// and returns the result with its response controls.
func (s *session) search(id int64, body string, c controls) (result, []byte) {
	q, err := s.decodeQuery(body)
	if err != nil {
		return malformed(err), nil
	}
	q.controls = c
	if q.base == "" && q.scope == scopeBase {
		return s.rootDSE(id, &q), nil
	}
	if !s.who.bound {
		return notBound(), nil
	}
	d := s.dir
	d.mu.RLock()
	defer d.mu.RUnlock()
	f, _, err := d.parseFilter(q.filter, 0)
	if err != nil {
		return malformed(err), nil
	}
	top, best, ok := d.lookup(q.base)
	switch {
	case !ok:
		return badDN(), nil
	case top == nil || top.deleted && !c.showDeleted:
		return noObject(best), nil
	case c.dirSync:
		return s.dirSync(id, &q, top, &f)
	}
	var found []*object
	switch {
	case c.paged && c.cookie != "":
		p := s.pagers[c.cookie]
		if p == nil || p.key != q.base+q.filter {
			return svcErr(unwilling, 0x57, willNotPerform), nil
		}
		delete(s.pagers, c.cookie)
		found, f = p.rest, *p.f
	default:
		found = d.scope(top, q.scope, &f, c.showDeleted)
		if q.scope > scopeOne && top == d.domain && !c.domainScope && q.sizeLimit == 0 {
			s.reference(id, "ldap://"+d.dnsName+"/"+d.config.rdn)
		}
	}
	return s.emit(id, &q, &f, found)
}

// emit sends the matches among found, as many as the limits allow.
func (s *session) emit(id int64, q *query, f *filter, found []*object) (result, []byte) {
	limit := maxPageSize
	if q.controls.paged && q.controls.pageSize < limit {
		limit = q.controls.pageSize
	}
	exceeded := !q.controls.paged
	if q.sizeLimit > 0 && q.sizeLimit <= limit {
		limit, exceeded = q.sizeLimit, true
	}
	sent := 0
	var next []*object
	for i, o := range found {
		if o.deleted && !q.controls.showDeleted || !s.dir.matches(f, o) {
			continue
		}
		if sent == limit {
			next = found[i:]
			break
		}
		s.entry(id, o, q)
		sent++
	}
	if next != nil && exceeded {
		return svcErr(sizeLimitExceeded, 0x2023, "4"), nil
	}
	if !q.controls.paged {
		return result{}, nil
	}
	cookie := ""
	if next != nil {
		cookie = strconv.Itoa(int(id)) + "/" + strconv.Itoa(len(next))
		s.pagers[cookie] = &pager{key: q.base + q.filter, rest: next, f: f}
	}
	return result{}, pagedResponse(cookie)
}

// scope collects the objects that a filter has to be tried on: from an index
// if one serves, else by walking.
func (d *directory) scope(top *object, scope int64, f *filter, showDeleted bool) []*object {
	if scope == scopeBase {
		return []*object{top}
	}
	if c, ok := d.candidates(f); ok {
		out := c[:0]
		for _, o := range c {
			if scope == scopeOne && o.parent == top || scope > scopeOne && o.within(top) {
				out = append(out, o)
			}
		}
		return out
	}
	var out []*object
	if scope > scopeOne {
		out = append(out, top)
	}
	var walk func(*object)
	walk = func(p *object) {
		for o := p.first; o != nil; o = o.next {
			if o.deleted && !showDeleted {
				continue
			}
			out = append(out, o)
			if scope > scopeOne && o.first != nil {
				walk(o)
			}
		}
	}
	walk(top)
	return out
}

func (s *session) decodeQuery(body string) (q query, err error) {
	var v string
	if q.base, body, err = ber.Expect(body, ber.Octets); err != nil {
		return q, err
	}
	if v, body, err = ber.Expect(body, ber.Enumerated); err != nil {
		return q, err
	}
	q.scope = ber.Int(v)
	if _, body, err = ber.Expect(body, ber.Enumerated); err != nil { // aliases: there are none
		return q, err
	}
	if v, body, err = ber.Expect(body, ber.Integer); err != nil {
		return q, err
	}
	q.sizeLimit = int(ber.Int(v))
	if _, body, err = ber.Expect(body, ber.Integer); err != nil { // time limit: nothing takes long
		return q, err
	}
	if v, body, err = ber.Expect(body, ber.Boolean); err != nil {
		return q, err
	}
	q.typesOnly = v != "\x00"
	whole := body
	if _, _, body, err = ber.Read(body); err != nil {
		return q, err
	}
	q.filter = whole[:len(whole)-len(body)]
	list, _, err := ber.Expect(body, ber.Sequence)
	if err != nil {
		return q, err
	}
	q.selection.all = list == ""
	for list != "" {
		if v, list, err = ber.Expect(list, ber.Octets); err != nil {
			return q, err
		}
		q.selection.add(s.dir.schema, v)
	}
	return q, nil
}

func (sel *selection) add(sch *schema.Schema, name string) {
	switch name {
	case "*":
		sel.all = true
		return
	case "1.1":
		sel.none = true
		return
	}
	sel.roots = append(sel.roots, name)
	base, option, hasOption := strings.Cut(name, ";")
	def := sch.Attribute(base)
	if def == nil {
		return
	}
	one := selected{def: def, name: name, to: -1}
	if hasOption {
		from, to, ok := parseRange(option)
		if !ok {
			return
		}
		one.ranged, one.from, one.to, one.name = true, from, to, base
	}
	sel.attrs = append(sel.attrs, one)
}

// parseRange reads range=LOW-HIGH, where HIGH may be *.
func parseRange(option string) (from, to int, ok bool) {
	if len(option) < 6 || !strings.EqualFold(option[:6], "range=") {
		return 0, 0, false
	}
	low, high, ok := strings.Cut(option[6:], "-")
	from, err := strconv.Atoi(low)
	if err != nil || !ok || from < 0 {
		return 0, 0, false
	}
	if high == "*" {
		return from, -1, true
	}
	to, err = strconv.Atoi(high)
	return from, to, err == nil && to >= from
}

// pagedResponse encodes the response control of a paged search.
func pagedResponse(cookie string) []byte {
	v, m := ber.Begin(nil, ber.Sequence)
	v = ber.AppendInt(v, ber.Integer, 0)
	v = ber.Append(v, ber.Octets, cookie)
	return responseControl(oidPaged, ber.End(v, m))
}

func responseControl(oid string, value []byte) []byte {
	b, all := ber.Begin(nil, 0xa0)
	b, one := ber.Begin(b, ber.Sequence)
	b = ber.Append(b, ber.Octets, oid)
	b = ber.Append(b, ber.Octets, string(value))
	b = ber.End(b, one)
	return ber.End(b, all)
}
