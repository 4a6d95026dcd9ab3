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

	// Canonical is the name under which a server that follows RFC 4512 gives
	// values, where Name is another name of the attribute; else empty.
	Canonical string
	// Unmatched says that the server cannot compare values: a single one can
	// neither be looked for nor deleted, only all of them be replaced.
	Unmatched bool
}

// A class of the directory, with what it inherits not yet added.
type class struct {
	name       string
	superior   string
	auxiliary  []string
	attributes []string
	required   []string // of attributes
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
		var more []string
		if s.Holds(name, "userAccountControl") {
			more = append(more, Enabled)
		}
		found = append(found, s.Class(name, []string{name}, more...))
	}
	return found
}

// Class describes objects that are of all of the classes of: with everything
// that such may hold, and more.
func (s *Schema) Class(name string, of []string, more ...string) *connectorv1.Class {
	may := map[string]bool{Container: true, RDN: true}
	for _, class := range of {
		s.collect(strings.ToLower(class), may, map[string]bool{})
	}
	for _, extra := range more {
		may[strings.ToLower(extra)] = true
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
	return c
}

// Holds tells whether objects of a class may hold an attribute.
func (s *Schema) Holds(class, attribute string) bool {
	may := map[string]bool{}
	s.collect(strings.ToLower(class), may, map[string]bool{})
	return may[strings.ToLower(attribute)]
}

// Requires tells whether objects of a class must hold an attribute.
func (s *Schema) Requires(class, attribute string) bool {
	for i := 0; i < 32 && class != ""; i++ {
		c := s.classes[strings.ToLower(class)]
		if c == nil {
			return false
		}
		if slices.ContainsFunc(c.required, func(name string) bool { return strings.EqualFold(name, attribute) }) {
			return true
		}
		class = c.superior
	}
	return false
}

// Set puts an attribute in, or in the place of the one of that name: for what
// a connector knows better than the server says. It is for the one who made s,
// before anybody else has it.
func (s *Schema) Set(a *Attribute) { s.attributes[strings.ToLower(a.Name)] = a }

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
