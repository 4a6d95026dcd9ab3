package double

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ber"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/schema"
)

// A filter is a parsed search filter (RFC 4511 section 4.5.1.7).
type filter struct {
	op    filterOp
	kids  []filter
	def   *schema.Attribute // nil for one the schema does not know: never true
	value string            // folded or canonical, by the attribute's syntax
	parts []string          // of a substring filter: initial, any…, final; "" for none
	bits  int64
	ref   *object // for DN-valued attributes; nil matches nothing
}

type filterOp uint8

const (
	opAnd filterOp = iota
	opOr
	opNot
	opEqual
	opSubstring
	opGreater
	opLess
	opPresent
	opBitAnd
	opBitOr
	opInChain
	opNever
)

// Matching rules of MS-ADTS 3.1.1.3.4.4.
const (
	ruleBitAnd  = "1.2.840.113556.1.4.803"
	ruleBitOr   = "1.2.840.113556.1.4.804"
	ruleInChain = "1.2.840.113556.1.4.1941"
)

var errFilter = errors.New("malformed filter")

// parseFilter reads a filter from its BER form.
func (d *directory) parseFilter(s string, depth int) (filter, string, error) {
	tag, body, rest, err := ber.Read(s)
	if err != nil {
		return filter{}, "", err
	}
	if depth > 100 {
		return filter{}, "", fmt.Errorf("%w: nested deeper than 100", errFilter)
	}
	f, err := d.parseChoice(tag, body, depth)
	return f, rest, err
}

func (d *directory) parseChoice(tag byte, body string, depth int) (filter, error) {
	switch tag {
	case 0xa0, 0xa1, 0xa2:
		f := filter{op: filterOp(tag - 0xa0)}
		for body != "" {
			kid, rest, err := d.parseFilter(body, depth+1)
			if err != nil {
				return f, err
			}
			f.kids, body = append(f.kids, kid), rest
		}
		if f.op == opNot && len(f.kids) != 1 {
			return f, errFilter
		}
		return f, nil
	case 0xa3, 0xa5, 0xa6, 0xa8:
		attr, rest, err := ber.Expect(body, ber.Octets)
		if err != nil {
			return filter{}, err
		}
		value, _, err := ber.Expect(rest, ber.Octets)
		if err != nil {
			return filter{}, err
		}
		op := map[byte]filterOp{0xa3: opEqual, 0xa5: opGreater, 0xa6: opLess, 0xa8: opEqual}[tag]
		return d.compare(op, attr, value), nil
	case 0xa4:
		return d.parseSubstring(body)
	case 0x87:
		def := d.schema.Attribute(body)
		if def == nil {
			return filter{op: opNever}, nil
		}
		return filter{op: opPresent, def: def}, nil
	case 0xa9:
		return d.parseExtensible(body)
	}
	return filter{}, fmt.Errorf("%w: choice %#x", errFilter, tag)
}

// compare makes a comparison; what cannot be true becomes opNever.
func (d *directory) compare(op filterOp, attr, value string) filter {
	def := d.schema.Attribute(attr)
	if def == nil {
		return filter{op: opNever}
	}
	f := filter{op: op, def: def}
	if def.Syntax == schema.DN && def != d.at.distinguishedName && def != d.at.objectCategory {
		f.ref, _, _ = d.lookup(value)
		if f.ref == nil {
			f.op = opNever
		}
		return f
	}
	if def == d.at.objectCategory && !strings.Contains(value, "=") {
		if c := d.schema.Class(value); c != nil { // short for the category of a class
			value = "CN=" + c.Default + "," + d.schemaHead.rdn
		}
	}
	if def.Syntax == schema.SID {
		if b, ok := parseSID(value); ok {
			value = b
		}
	}
	if def == d.at.objectGUID && len(value) != 16 {
		if g, ok := parseGUID(value); ok {
			value = string(g[:])
		}
	}
	f.value = d.key(def, value)
	return f
}

// key brings a value into the form in which it compares.
func (d *directory) key(def *schema.Attribute, v string) string {
	switch def.Syntax {
	case schema.Text, schema.OID, schema.DN, schema.Bool:
		return d.fold(v)
	case schema.Time:
		return strings.TrimSuffix(strings.TrimSuffix(v, "Z"), ".0")
	}
	return v
}

func (d *directory) parseSubstring(body string) (filter, error) {
	attr, rest, err := ber.Expect(body, ber.Octets)
	if err != nil {
		return filter{}, err
	}
	list, _, err := ber.Expect(rest, ber.Sequence)
	if err != nil {
		return filter{}, err
	}
	f := filter{op: opSubstring, def: d.schema.Attribute(attr), parts: []string{""}}
	final := ""
	for list != "" {
		tag, part, more, err := ber.Read(list)
		if err != nil {
			return f, err
		}
		if f.def != nil && f.def.Syntax == schema.Text {
			part = d.fold(part)
		}
		switch tag {
		case 0x80:
			f.parts[0] = part
		case 0x81:
			f.parts = append(f.parts, part)
		case 0x82:
			final = part
		default:
			return f, errFilter
		}
		list = more
	}
	f.parts = append(f.parts, final)
	if f.def == nil || f.def.Syntax == schema.DN {
		return filter{op: opNever}, nil
	}
	return f, nil
}

func (d *directory) parseExtensible(body string) (filter, error) {
	var rule, attr, value string
	for body != "" {
		tag, v, rest, err := ber.Read(body)
		if err != nil {
			return filter{}, err
		}
		switch tag {
		case 0x81:
			rule = v
		case 0x82:
			attr = v
		case 0x83:
			value = v
		}
		body = rest
	}
	op, known := map[string]filterOp{ruleBitAnd: opBitAnd, ruleBitOr: opBitOr, ruleInChain: opInChain}[rule]
	if !known {
		return filter{op: opNever}, nil
	}
	f := d.compare(op, attr, value)
	if f.op == opBitAnd || f.op == opBitOr {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return filter{op: opNever}, nil
		}
		f.bits = n
	}
	return f, nil
}

// matches evaluates the filter on an object.
func (d *directory) matches(f *filter, o *object) bool {
	switch f.op {
	case opAnd:
		for i := range f.kids {
			if !d.matches(&f.kids[i], o) {
				return false
			}
		}
		return true
	case opOr:
		for i := range f.kids {
			if d.matches(&f.kids[i], o) {
				return true
			}
		}
		return false
	case opNot:
		return !d.matches(&f.kids[0], o)
	case opNever:
		return false
	case opPresent:
		return d.present(o, f.def)
	case opInChain:
		return d.inChain(o, f.def, f.ref, map[*object]bool{})
	}
	if f.ref != nil {
		return f.op == opEqual && d.pointsTo(o, f.def, f.ref)
	}
	switch f.def { // these two stand in nearly every filter
	case d.at.objectClass:
		return f.op == opEqual && o.class.Is(f.value)
	case d.at.objectCategory:
		if f.op == opEqual {
			return strings.HasPrefix(f.value, "cn="+strings.ToLower(o.class.Default)+",")
		}
	}
	for _, v := range d.values(o, f.def) {
		if d.matchValue(f, v) {
			return true
		}
	}
	return false
}

func (d *directory) matchValue(f *filter, v string) bool {
	switch f.op {
	case opEqual:
		return d.key(f.def, v) == f.value
	case opGreater:
		return d.order(f.def, v, f.value) >= 0
	case opLess:
		return d.order(f.def, v, f.value) <= 0
	case opBitAnd, opBitOr:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return false
		}
		if f.op == opBitAnd {
			return n&f.bits == f.bits
		}
		return n&f.bits != 0
	case opSubstring:
		return matchParts(f.parts, d.key(f.def, v))
	}
	return false
}

func (d *directory) order(def *schema.Attribute, v, want string) int {
	switch def.Syntax {
	case schema.Number, schema.BigNumber:
		a, err1 := strconv.ParseInt(v, 10, 64)
		b, err2 := strconv.ParseInt(want, 10, 64)
		switch {
		case err1 != nil || err2 != nil || a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	}
	return strings.Compare(d.key(def, v), want)
}

func matchParts(parts []string, v string) bool {
	last := len(parts) - 1
	if !strings.HasPrefix(v, parts[0]) {
		return false
	}
	v = v[len(parts[0]):]
	for _, p := range parts[1:last] {
		i := strings.Index(v, p)
		if i < 0 {
			return false
		}
		v = v[i+len(p):]
	}
	return strings.HasSuffix(v, parts[last])
}

func (d *directory) present(o *object, def *schema.Attribute) bool {
	switch {
	case def == d.at.objectClass, def == d.at.objectCategory, def == d.at.objectGUID:
		return true
	case def == d.at.isDeleted:
		return o.deleted
	case def.Syntax == schema.DN && def.Back():
		for i := range o.back {
			if o.back[i].def.LinkID == def.LinkID-1 && len(o.back[i].from) > 0 {
				return true
			}
		}
		return false
	}
	return len(d.values(o, def)) > 0
}

// pointsTo reports whether a DN-valued attribute of o holds to.
func (d *directory) pointsTo(o *object, def *schema.Attribute, to *object) bool {
	if def.Back() {
		for i := range o.back {
			if o.back[i].def.LinkID == def.LinkID-1 {
				_, ok := o.back[i].from[to]
				return ok
			}
		}
		return false
	}
	if def == d.at.lastKnownParent {
		return o.lastParent == to
	}
	l := o.linkSet(def).find(to)
	return l != nil && !l.gone
}

// inChain follows the link over any number of steps.
func (d *directory) inChain(o *object, def *schema.Attribute, to *object, seen map[*object]bool) bool {
	if to == nil || seen[o] {
		return false
	}
	seen[o] = true
	if d.pointsTo(o, def, to) {
		return true
	}
	var next []*object
	if def.Back() {
		next = d.backLinks(o, def)
	} else if set := o.linkSet(def); set != nil {
		for i := range set.links {
			if !set.links[i].gone {
				next = append(next, set.links[i].to)
			}
		}
	}
	for _, n := range next {
		if d.inChain(n, def, to, seen) {
			return true
		}
	}
	return false
}

// candidates returns objects among which every match is, and true, if an index
// knows them. It reports false if only a scan does.
func (d *directory) candidates(f *filter) ([]*object, bool) {
	switch f.op {
	case opNever:
		return nil, true
	case opAnd:
		for i := range f.kids {
			if c, ok := d.candidates(&f.kids[i]); ok {
				return c, true
			}
		}
	case opOr:
		var all []*object
		seen := map[*object]bool{}
		for i := range f.kids {
			c, ok := d.candidates(&f.kids[i])
			if !ok {
				return nil, false
			}
			for _, o := range c {
				if !seen[o] {
					seen[o] = true
					all = append(all, o)
				}
			}
		}
		return all, true
	case opEqual:
		return d.candidatesEqual(f)
	case opGreater:
		if f.def == d.at.uSNChanged {
			n, err := strconv.ParseUint(f.value, 10, 64)
			if err != nil {
				return nil, true
			}
			var out []*object
			for _, c := range d.since(n - min(n, 1)) {
				if c.obj.usnChanged == c.usn {
					out = append(out, c.obj)
				}
			}
			return out, true
		}
	}
	return nil, false
}

func (d *directory) candidatesEqual(f *filter) ([]*object, bool) {
	one := func(o *object) ([]*object, bool) {
		if o == nil {
			return nil, true
		}
		return []*object{o}, true
	}
	switch {
	case f.def == d.at.objectGUID:
		var g [16]byte
		if copy(g[:], f.value) != 16 {
			return nil, true
		}
		return one(d.byGUID[g])
	case f.def == d.at.distinguishedName:
		o, _, _ := d.lookup(f.value)
		return one(o)
	case f.def == d.at.cn || f.def == d.at.name:
		p := d.cnIndex[f.value]
		if p.one == nil {
			return nil, true
		}
		return append([]*object{p.one}, p.more...), true
	case f.ref != nil && f.def.Forward():
		if b := f.ref.backSet(f.def); b != nil {
			out := make([]*object, 0, len(b.from))
			for o := range b.from {
				out = append(out, o)
			}
			return out, true
		}
		return nil, true
	case f.ref != nil && f.def.Back():
		var out []*object
		for i := range f.ref.links {
			if set := &f.ref.links[i]; set.def.LinkID == f.def.LinkID-1 {
				for j := range set.links {
					if !set.links[j].gone {
						out = append(out, set.links[j].to)
					}
				}
			}
		}
		return out, true
	}
	m := d.indexes[f.def]
	if m == nil {
		return nil, false
	}
	p := m[f.value]
	if p.one == nil {
		return nil, true
	}
	return append([]*object{p.one}, p.more...), true
}

// now is the clock of the directory, in seconds.
func now() int64 { return time.Now().Unix() }
