// Package schema knows what a directory can hold: its classes, and of each
// attribute the type, the length and who may write it. It is read from the
// server, for no two domains have the same:
//
//	attributeSchema, classSchema below the schema naming context   Active Directory
//	attributeTypes, objectClasses of the subschema entry           any other (RFC 4512)
//
// It also turns values from what the wire carries into the text of the
// contract and back, each by its attribute's [Kind].
package schema

import (
	"slices"
	"strings"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A Kind says how values are written on the wire.
type Kind uint8

// The kinds. A time in 100 ns since 1601 is an Integer: turning it into a date
// would lose the two values that mean "never".
const (
	String      Kind = iota
	ExactString      // case counts
	Integer
	Boolean
	Timestamp // generalized or UTC time
	Binary
	Reference // DN
	Name      // DN that is read as text: where the object itself is
	GUID
	SID
)

// Type returns the contract's type.
func (k Kind) Type() connectorv1.Type {
	switch k {
	case Integer:
		return connectorv1.Type_TYPE_INTEGER
	case Boolean:
		return connectorv1.Type_TYPE_BOOLEAN
	case Timestamp:
		return connectorv1.Type_TYPE_TIMESTAMP
	case Binary:
		return connectorv1.Type_TYPE_BINARY
	case Reference:
		return connectorv1.Type_TYPE_REFERENCE
	}
	return connectorv1.Type_TYPE_STRING
}

// An Attribute is one that the directory knows.
type Attribute struct {
	Name     string // as the server spells it
	Kind     Kind
	Multi    bool
	ReadOnly bool
	Indexed  bool // a search for it is quick
	Max      int  // in characters; 0: none known
}

// A class of the directory, with what it inherits not yet added.
type class struct {
	name       string
	superior   string
	auxiliary  []string
	attributes []string
}

// A Schema does not change once it is made.
type Schema struct {
	attributes map[string]*Attribute // by name in lower case
	classes    map[string]*class     // the same
}

// Virtual attributes are worked out from others, and only read.
const (
	Enabled   = "enabled"   // "true" or "false", from userAccountControl
	Container = "container" // DN of what the object lies in
	RDN       = "name"      // its name there, unescaped
)

func newSchema() *Schema {
	s := &Schema{attributes: map[string]*Attribute{}, classes: map[string]*class{}}
	for _, name := range []string{Enabled, Container, RDN} {
		kind := String
		if name == Enabled {
			kind = Boolean
		}
		s.attributes[name] = &Attribute{Name: name, Kind: kind, ReadOnly: true}
	}
	return s
}

func (s *Schema) add(a *Attribute) {
	key := strings.ToLower(a.Name)
	switch key {
	case Enabled, Container, RDN:
		return
	case "objectguid", "msexchmailboxguid":
		a.Kind = GUID
	case "distinguishedname":
		a.Kind = Name
	}
	s.attributes[key] = a
}

// Attribute returns what is known of an attribute, nil if there is no such.
func (s *Schema) Attribute(name string) *Attribute {
	if a := s.attributes[name]; a != nil {
		return a
	}
	return s.attributes[strings.ToLower(name)]
}

// Has tells whether the directory knows a class.
func (s *Schema) Has(class string) bool { return s.classes[strings.ToLower(class)] != nil }

// Classes describes those of names that the directory has, with everything
// that an object of them may hold.
func (s *Schema) Classes(names []string) []*connectorv1.Class {
	var found []*connectorv1.Class
	for _, name := range names {
		if !s.Has(name) {
			continue
		}
		may := map[string]bool{Container: true, RDN: true}
		s.collect(strings.ToLower(name), may, map[string]bool{})
		if may["useraccountcontrol"] {
			may[Enabled] = true
		}
		c := &connectorv1.Class{Name: name}
		for key := range may {
			if a := s.attributes[key]; a != nil {
				c.Attributes = append(c.Attributes, &connectorv1.AttributeType{
					Name: a.Name, Type: a.Kind.Type(), Multi: a.Multi, ReadOnly: a.ReadOnly, MaxLength: uint32(a.Max),
				})
			}
		}
		slices.SortFunc(c.Attributes, func(a, b *connectorv1.AttributeType) int { return strings.Compare(a.Name, b.Name) })
		found = append(found, c)
	}
	return found
}

func (s *Schema) collect(name string, may, seen map[string]bool) {
	c := s.classes[name]
	if c == nil || seen[name] {
		return
	}
	seen[name] = true
	for _, a := range c.attributes {
		may[strings.ToLower(a)] = true
	}
	for _, aux := range c.auxiliary {
		s.collect(strings.ToLower(aux), may, seen)
	}
	s.collect(strings.ToLower(c.superior), may, seen)
}
