// Package schema holds the part of Active Directory's schema that concerns
// users, groups, computers, contacts and containers: the attributes with their
// syntax and limits, and the classes with what they must and may contain. The
// two tables beside this file are facts of the 2012 R2 schema as Samba
// provisions it; attributes that Exchange adds are not there.
package schema

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed attributes.txt
var attributeTable string

//go:embed classes.txt
var classTable string

// A Syntax says how values of an attribute look and compare.
type Syntax uint8

// The syntaxes that matter to a server.
const (
	Text      Syntax = iota // UTF-8, compared without regard to case
	ExactText               // compared byte by byte
	DN
	OID
	Number
	BigNumber
	Bool
	Time
	Octets
	SID
)

// An Attribute is an attributeSchema object.
type Attribute struct {
	ID          int // its place in [Schema.Attributes]
	Name        string
	Lower       string // Name in lower case
	CN          string
	OID         string
	SyntaxOID   string
	OMSyntax    string
	Syntax      Syntax
	Single      bool
	SystemOnly  bool
	Constructed bool // made when asked for, never stored
	Local       bool // not replicated, so never in DirSync
	Indexed     bool
	RangeLower  int // -1 means none
	RangeUpper  int // characters or bytes; -1 means none
	LinkID      int // 0 means no link; even forward, odd back
}

// Forward reports whether values are links that show on the other side.
func (a *Attribute) Forward() bool { return a.LinkID > 0 && a.LinkID%2 == 0 }

// Back reports whether the attribute is the other side of a link.
func (a *Attribute) Back() bool { return a.LinkID%2 == 1 }

// A Class is a classSchema object with all it inherits.
type Class struct {
	Name      string
	CN        string
	OID       string
	Category  int // 1 structural, 2 abstract, 3 auxiliary, 0 of 1988
	RDN       *Attribute
	Chain     []string            // objectClass values, top first
	Lists     [][2]string         // schema attribute, class or attribute name: as stored
	Default   string              // CN of the objectCategory of its objects
	May       map[*Attribute]bool // must included
	Must      []*Attribute
	Superiors map[string]bool // lower-case names of classes it may lie in
	Super     *Class
	Aux       []*Class // direct
	lists     map[string][]string
	superName string
	rdnName   string
}

// Is reports whether the class is, or descends from, the class of that name in
// lower case.
func (c *Class) Is(lower string) bool {
	for _, n := range c.Chain {
		if strings.EqualFold(n, lower) {
			return true
		}
	}
	return false
}

// Structural reports whether objects can be of the class.
func (c *Class) Structural() bool { return c.Category <= 1 }

// A Schema is immutable once loaded.
type Schema struct {
	Attributes []*Attribute
	Classes    []*Class
	byName     map[string]*Attribute // by every spelling seen in the tables, and lower case
	classes    map[string]*Class
}

// Attribute finds an attribute by name, whatever its case, or by OID.
func (s *Schema) Attribute(name string) *Attribute {
	if a := s.byName[name]; a != nil { // the usual spelling costs no folding
		return a
	}
	return s.byName[strings.ToLower(name)]
}

// Class finds a class by name, whatever its case.
func (s *Schema) Class(name string) *Class {
	if c := s.classes[name]; c != nil {
		return c
	}
	return s.classes[strings.ToLower(name)]
}

// Load reads the tables.
func Load() (*Schema, error) {
	s := &Schema{byName: map[string]*Attribute{}, classes: map[string]*Class{}}
	for line := range strings.Lines(attributeTable) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		a, err := parseAttribute(strings.Fields(line))
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", strings.TrimSpace(line), err)
		}
		a.ID = len(s.Attributes)
		s.Attributes = append(s.Attributes, a)
		s.byName[a.Name], s.byName[a.Lower], s.byName[a.OID] = a, a, a
	}
	for line := range strings.Lines(classTable) {
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "class "):
			c, err := parseClass(f)
			if err != nil {
				return nil, fmt.Errorf("class %q: %w", strings.TrimSpace(line), err)
			}
			s.Classes = append(s.Classes, c)
			s.classes[c.Name], s.classes[strings.ToLower(c.Name)] = c, c
		default:
			c := s.Classes[len(s.Classes)-1]
			c.lists[f[0]] = f[1:]
			for _, v := range f[1:] {
				c.Lists = append(c.Lists, [2]string{f[0], v})
			}
		}
	}
	for _, c := range s.Classes {
		if err := s.resolve(c); err != nil {
			return nil, fmt.Errorf("class %s: %w", c.Name, err)
		}
	}
	return s, nil
}

func parseAttribute(f []string) (*Attribute, error) {
	if len(f) != 9 {
		return nil, fmt.Errorf("%d fields, want 9", len(f))
	}
	a := &Attribute{
		Name: f[0], Lower: strings.ToLower(f[0]), CN: strings.ReplaceAll(f[1], "_", " "), OID: f[2],
		SyntaxOID: f[3], OMSyntax: f[4],
		Single: strings.Contains(f[5], "s"), SystemOnly: strings.Contains(f[5], "y"),
		Constructed: strings.Contains(f[5], "c"), Local: strings.Contains(f[5], "n"),
		Indexed:    strings.Contains(f[5], "x"),
		RangeLower: -1, RangeUpper: -1,
	}
	for i, to := range []*int{&a.RangeLower, &a.RangeUpper, &a.LinkID} {
		if f[6+i] == "-" {
			continue
		}
		n, err := strconv.Atoi(f[6+i])
		if err != nil {
			return nil, err
		}
		*to = n
	}
	switch a.SyntaxOID {
	case "2.5.5.1":
		a.Syntax = DN
	case "2.5.5.2":
		a.Syntax = OID
	case "2.5.5.3", "2.5.5.5":
		a.Syntax = ExactText
	case "2.5.5.8":
		a.Syntax = Bool
	case "2.5.5.9":
		a.Syntax = Number
	case "2.5.5.16":
		a.Syntax = BigNumber
	case "2.5.5.11":
		a.Syntax = Time
	case "2.5.5.10", "2.5.5.15":
		a.Syntax = Octets
	case "2.5.5.17":
		a.Syntax = SID
	}
	return a, nil
}

func parseClass(f []string) (*Class, error) {
	if len(f) != 8 {
		return nil, fmt.Errorf("%d fields, want 8", len(f))
	}
	category, err := strconv.Atoi(f[4])
	if err != nil {
		return nil, err
	}
	return &Class{
		Name: f[1], CN: strings.ReplaceAll(f[2], "_", " "), OID: f[3], Category: category,
		superName: strings.TrimPrefix(f[5], "sub="),
		rdnName:   strings.TrimPrefix(f[6], "rdn="),
		Default:   strings.ReplaceAll(strings.TrimPrefix(f[7], "category="), "_", " "),
		lists:     map[string][]string{},
	}, nil
}

// resolve fills in what a class has of its ancestors and auxiliaries; the
// ancestors first, for an auxiliary descends from top as well.
func (s *Schema) resolve(c *Class) error {
	c.May, c.Superiors = map[*Attribute]bool{}, map[string]bool{}
	c.Super = s.Class(c.superName)
	if c.RDN = s.Attribute(c.rdnName); c.RDN == nil {
		return fmt.Errorf("unknown RDN attribute %s", c.rdnName)
	}
	for _, n := range slices.Concat(c.lists["auxiliaryClass"], c.lists["systemAuxiliaryClass"]) {
		if aux := s.Class(n); aux != nil {
			c.Aux = append(c.Aux, aux)
		}
	}
	seen := map[*Class]bool{}
	var take func(*Class, bool)
	take = func(from *Class, inherits bool) {
		if from == nil || seen[from] {
			return
		}
		seen[from] = true
		if inherits {
			c.Chain = append(c.Chain, from.Name)
			for _, n := range slices.Concat(from.lists["possSuperiors"], from.lists["systemPossSuperiors"]) {
				c.Superiors[strings.ToLower(n)] = true
			}
		}
		for _, n := range slices.Concat(from.lists["mayContain"], from.lists["systemMayContain"]) {
			if a := s.Attribute(n); a != nil {
				c.May[a] = true
			}
		}
		for _, n := range slices.Concat(from.lists["mustContain"], from.lists["systemMustContain"]) {
			if a := s.Attribute(n); a != nil {
				c.May[a] = true
				c.Must = append(c.Must, a)
			}
		}
		if from.superName != from.Name {
			take(s.Class(from.superName), inherits)
		}
		for _, n := range slices.Concat(from.lists["auxiliaryClass"], from.lists["systemAuxiliaryClass"]) {
			take(s.Class(n), false)
		}
	}
	take(c, true)
	slices.Reverse(c.Chain)
	return nil
}
