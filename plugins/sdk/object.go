package sdk

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// An Object is an entry, row or resource as it exists in a system. A value is
// text in the form that its type gives it, see the contract.
type Object struct {
	Class      string
	ID         string // native: never changes and is never given again, where the system has such
	Address    string // where people find it: a distinguished name, a line of a file
	Attributes []Attribute
}

// An Attribute without values is known to be empty; one that is not there is unknown.
type Attribute struct {
	Name   string
	Values []string
}

// Fields of connectorv1.Object and connectorv1.Attribute. That they are these,
// and that appendObject writes what proto.Marshal would, is tested.
var (
	objectClass      = protowire.AppendTag(nil, 1, protowire.BytesType)[0]
	objectID         = protowire.AppendTag(nil, 2, protowire.BytesType)[0]
	objectAddress    = protowire.AppendTag(nil, 3, protowire.BytesType)[0]
	objectAttributes = protowire.AppendTag(nil, 4, protowire.BytesType)[0]
	attributeName    = protowire.AppendTag(nil, 1, protowire.BytesType)[0]
	attributeValues  = protowire.AppendTag(nil, 2, protowire.BytesType)[0]
)

// appendObject appends o as connectorv1.Object, with the attributes that order
// picks, in that order. Marshalling by reflection is three times as slow, and
// a read does nothing else.
func appendObject(b []byte, o *Object, order []int) []byte {
	b = appendText(b, objectClass, o.Class)
	b = appendText(b, objectID, o.ID)
	b = appendText(b, objectAddress, o.Address)
	for _, i := range order {
		a := &o.Attributes[i]
		b = append(b, objectAttributes)
		b = protowire.AppendVarint(b, uint64(sizeAttribute(a)))
		b = appendText(b, attributeName, a.Name)
		for _, v := range a.Values { // an empty one is written, too: it is an element
			b = append(b, attributeValues)
			b = protowire.AppendString(b, v)
		}
	}
	return b
}

// sizeObject is how many bytes appendObject appends.
func sizeObject(o *Object, order []int) int {
	size := sizeText(o.Class) + sizeText(o.ID) + sizeText(o.Address)
	for _, i := range order {
		size += 1 + protowire.SizeBytes(sizeAttribute(&o.Attributes[i]))
	}
	return size
}

func sizeAttribute(a *Attribute) int {
	size := sizeText(a.Name)
	for _, v := range a.Values {
		size += 1 + protowire.SizeBytes(len(v))
	}
	return size
}

// appendText appends a singular string, which proto3 leaves out when empty.
func appendText(b []byte, tag byte, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(append(b, tag), s)
}

func sizeText(s string) int {
	if s == "" {
		return 0
	}
	return 1 + protowire.SizeBytes(len(s))
}

// A layout picks the attributes that were asked for and puts them in ascending
// order of name. Objects that follow each other mostly have the same names, so
// it is worked out once for a run of them.
type layout struct {
	wanted map[string]bool // in lower case
	names  []string        // of the last object
	order  []int           // indices of its attributes that are sent
	twice  string          // a name that it has twice
}

func newLayout(attributes []string) *layout {
	l := &layout{wanted: make(map[string]bool, len(attributes))}
	for _, name := range attributes {
		l.wanted[strings.ToLower(name)] = true
	}
	return l
}

// of returns the indices to send for attributes, valid until the next call,
// and a name that is there twice, if one is.
func (l *layout) of(attributes []Attribute) (order []int, twice string) {
	if l.same(attributes) {
		return l.order, l.twice
	}
	l.names, l.order, l.twice = l.names[:0], l.order[:0], ""
	for i := range attributes {
		name := attributes[i].Name
		l.names = append(l.names, strings.Clone(name))
		if l.wants(name) {
			l.order = append(l.order, i)
		}
	}
	slices.SortFunc(l.order, func(a, b int) int { return strings.Compare(l.names[a], l.names[b]) })
	for i := 1; i < len(l.order); i++ {
		if name := l.names[l.order[i]]; name == l.names[l.order[i-1]] {
			l.twice = name
		}
	}
	return l.order, l.twice
}

func (l *layout) same(attributes []Attribute) bool {
	if len(attributes) != len(l.names) || l.names == nil {
		return false
	}
	for i := range attributes {
		if attributes[i].Name != l.names[i] {
			return false
		}
	}
	return true
}

// wants keeps the answer for each spelling, so that a name is folded once.
func (l *layout) wants(name string) bool {
	wanted, known := l.wanted[name]
	if !known {
		wanted = l.wanted[strings.ToLower(name)]
		l.wanted[strings.Clone(name)] = wanted
	}
	return wanted
}
