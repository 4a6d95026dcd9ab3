package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

// A Source is the way from a system into the directory.
type Source struct {
	// Class of the objects that are records of people.
	Class string
	// Joins: the source adds to people that others make, and makes none; nobody is
	// employed or leaves because of it.
	Joins bool
	// OfAccounts: the records are the accounts of the document's target, and tell
	// of whose accounts they are.
	OfAccounts bool
	// OfGroups: the objects are groups; their keys are those of [directory.GroupKey].
	OfGroups bool
	// SameAs is the attribute of people by which a record whose key nobody has is
	// recognised as somebody's who is there; "" where there is none.
	SameAs string
	// Precedence of what the records say; the lowest wins.
	Precedence int

	scope    *scope
	key      *expression // nil where records are recognised by sameAs alone
	sameAs   *expression
	rules    []sourceRule // ascending by path
	mirror   *Source      // of what the system's mirrors tell; see mirror.go
	machines machines
}

// A Record is what an object of a source says.
type Record struct {
	// Key as the source spells it; "" where the record belongs to nobody by key.
	Key string
	// SameAs is the folded value at [Source.SameAs]; "" where there is none.
	SameAs     string
	Attributes directory.Attributes
}

// precedence of a source, and of a rule, that says nothing else.
const precedence = 100

type sourceRule struct {
	path       string
	kind       directory.Kind
	precedence int // 0: that of the source
	*expression
}

// Weight gives the precedence of what the source says of the attribute at path.
func (s *Source) Weight(path string) int {
	i, found := slices.BinarySearchFunc(s.rules, path, func(r sourceRule, p string) int { return strings.Compare(r.path, p) })
	if found && s.rules[i].precedence > 0 {
		return s.rules[i].precedence
	}
	return s.Precedence
}

// A RecordError tells which rule could not take a record, and why.
type RecordError struct {
	Attribute string // path, or "key"
	Line      int    // of the rule in the document
	Rule      string // text of the expression
	Err       error
}

// Error names the rule and the cause.
func (e *RecordError) Error() string {
	return fmt.Sprintf("%s: %v (line %d: %s)", e.Attribute, e.Err, e.Line, e.Rule)
}

// Unwrap gives the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// errNoKey is the cause where a record belongs to nobody.
var errNoKey = errors.New("the record has no key, so that it belongs to nobody; fill the column in the source")

// Columns gives the attributes of records that the rules read.
func (s *Source) Columns() []string {
	columns := make([]string, len(s.scope.variables))
	for i, v := range s.scope.variables {
		columns[i] = v.path
	}
	return columns
}

// Fills gives the attributes of people that are made of a column, and key where it tells whose the record is.
func (s *Source) Fills(column string) []string {
	reads := func(e *expression) bool {
		return e != nil && slices.ContainsFunc(e.reads, func(v *variable) bool { return strings.EqualFold(v.path, column) })
	}
	var paths []string
	if reads(s.key) {
		paths = append(paths, "key")
	}
	for _, r := range s.rules {
		if reads(r.expression) {
			paths = append(paths, r.path)
		}
	}
	return paths
}

// source reads the source of a document.
func (b *builder) source(n ast.Node) {
	s := &Source{Precedence: precedence}
	b.sourceScope(s)
	b.sys.Source = s
	var keyed bool
	var group ast.Node
	b.mapping(n, "source", map[string]key{
		"class": {true, b.text("class", &s.Class)},
		"key": {false, func(n ast.Node) {
			keyed = true
			s.key = b.compile(s.scope, n, "key", directory.Text)
		}},
		"people":     {false, b.one("people", []string{"make", "join"}, func(i int) { s.Joins = i == 1 })},
		"precedence": {false, b.integer("precedence", 1, &s.Precedence)},
		"same_as":    {false, func(n ast.Node) { b.sameAs(s, n) }},
		"attributes": {true, func(n ast.Node) { b.sourceRules(s, n) }},
		"group":      {false, func(n ast.Node) { group = n }},
	})
	b.keyed = keyed
	if group != nil {
		b.groupSource(group)
	}
	if s.Joins && slices.ContainsFunc(s.rules, func(r sourceRule) bool { return slices.Contains(employment, r.path) }) {
		b.fault(n, "leave them to the sources that make people", "a source with people: join says nothing of %s", strings.Join(employment, ", "))
	}
}

// sourceScope gives a source the scope of its expressions: columns, all of them texts.
func (b *builder) sourceScope(s *Source) {
	s.scope = b.scope()
	s.scope.row, s.scope.timeless = true, true
	s.scope.kind = func(string) directory.Kind { return directory.Text }
	s.scope.paths = func() []string { return nil }
}

// sourceRules reads the rules of attributes of a source.
func (b *builder) sourceRules(s *Source, n ast.Node) {
	b.pairs(n, "attributes", func(path string, k, v ast.Node) {
		kind := b.kind(path)
		if kind == 0 {
			hint := suggest(path, b.paths())
			if hint == "" {
				hint = "declare it under extension"
			}
			b.fault(k, hint, "a person has no attribute %s", path)
		}
		rule := sourceRule{path: path, kind: kind}
		if shape, ok := v.(*ast.MappingNode); ok {
			v = nil
			b.mapping(shape, path, map[string]key{
				"value":      {true, func(n ast.Node) { v = n }},
				"precedence": {false, b.integer("precedence", 1, &rule.precedence)},
			})
		}
		if v == nil {
			return
		}
		if rule.expression = b.compile(s.scope, v, path, kind); rule.expression != nil {
			s.rules = append(s.rules, rule)
		}
	})
	slices.SortFunc(s.rules, func(a, b sourceRule) int { return strings.Compare(a.path, b.path) })
}

// together settles what source and target of one document are to each other,
// where they are about the same objects: accounts that tell of their people, or
// records that are written back to.
func (b *builder) together(source ast.Node) {
	s, t := b.sys.Source, b.sys.Target
	if s == nil {
		return
	}
	same := t != nil && strings.EqualFold(t.Class, s.Class)
	s.OfAccounts = same && s.Joins
	switch {
	case s.OfAccounts && (b.keyed || s.sameAs != nil):
		b.fault(source, "leave out key and same_as", "whose account it is, is for the target to say by match")
	case !b.keyed && !s.OfAccounts && !(s.Joins && s.sameAs != nil):
		b.fault(source, "one with people: join and same_as may do without", "source lacks the key key")
	}
}

// employment are the attributes that say whether and since when somebody is employed.
var employment = []string{"active", "endDate", "startDate"}

// sameAs reads {attribute of people: expression}.
func (b *builder) sameAs(s *Source, n ast.Node) {
	b.pairs(n, "same_as", func(path string, k, v ast.Node) {
		switch {
		case s.SameAs != "":
			b.fault(k, "choose the one that is surest", "same_as takes one attribute")
			return
		case b.kind(path) != directory.Text:
			b.fault(k, suggest(path, b.paths()), "people are not recognised by %s: it is no text attribute of theirs", path)
			return
		}
		s.SameAs = path
		s.sameAs = b.compile(s.scope, v, "same_as", directory.Text)
	})
}

// Read evaluates an object, given as a marshalled connectorv1.Object. The error
// of a record that cannot be taken is a *RecordError.
func (s *Source) Read(object []byte) (Record, error) {
	m := s.machines.get(s.scope)
	defer s.machines.put(m)
	var r Record
	if err := s.load(m, object); err != nil {
		return r, err
	}
	for _, one := range []struct {
		what string
		rule *expression
		to   *string
	}{{"key", s.key, &r.Key}, {"same_as", s.sameAs, &r.SameAs}} {
		if one.rule == nil {
			continue
		}
		v, _, err := m.eval(one.rule)
		if err != nil {
			return r, recordError(one.what, one.rule, err)
		}
		if v != nil {
			*one.to = strings.TrimSpace(Text(v))
		}
	}
	r.SameAs = directory.Fold(r.SameAs)
	if r.Key == "" && !s.Joins {
		return r, recordError("key", s.key, errNoKey)
	}
	if s.OfGroups && r.Key != "" {
		r.Key = directory.GroupKey(r.Key)
	}
	var err error
	r.Attributes, err = s.attributes(m)
	return r, err
}

// attributes evaluates the rules of attributes over what is loaded.
func (s *Source) attributes(m *machine) (directory.Attributes, error) {
	var a directory.Attributes
	a.Grow(len(s.rules))
	for i := range s.rules {
		r := &s.rules[i]
		v, known, err := m.eval(r.expression)
		if err == nil && v != nil {
			v, err = convert(v, r.kind)
		}
		if err != nil {
			return directory.Attributes{}, recordError(r.path, r.expression, err)
		}
		if known {
			a.Set(r.path, v)
		}
	}
	return a, nil
}

// load tells the machine what the object holds.
func (s *Source) load(m *machine, object []byte) error {
	if err := m.row.Read(object); err != nil {
		return err
	}
	for _, v := range s.scope.variables {
		values, known := m.row.Get(v.path)
		switch {
		case len(values) == 0:
			m.set(v, nil, known)
		case v.all:
			m.set(v, slices.Clone(values), known) // the row's room is used again
		case values[0] == "":
			m.set(v, nil, known)
		default:
			m.set(v, values[0], known)
		}
	}
	return nil
}

// Explain tells for each attribute that the object fills by which rule and
// from what it came. It is for people, not for the hot path.
func (s *Source) Explain(object []byte) ([]Reason, error) {
	record, err := s.Read(object)
	if err != nil {
		return nil, err
	}
	m := s.machines.get(s.scope)
	defer s.machines.put(m)
	if err := s.load(m, object); err != nil {
		return nil, err
	}
	var reasons []Reason
	if s.key != nil {
		reasons = append(reasons, Reason{Attribute: "key", After: []string{record.Key}, Rule: s.key.text, Line: s.key.line, From: m.inputs(s.key)})
	}
	for _, r := range s.rules {
		v, known := record.Attributes.Get(r.path)
		if !known {
			continue
		}
		reasons = append(reasons, Reason{Attribute: r.path, After: textsOf(v), Rule: r.text, Line: r.line, From: m.inputs(r.expression)})
	}
	return reasons, nil
}

// textsOf gives the texts of a value: none for nothing.
func textsOf(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []string:
		return v
	}
	return []string{Text(v)}
}

func recordError(attribute string, e *expression, err error) error {
	return &RecordError{Attribute: attribute, Line: e.line, Rule: e.text, Err: err}
}

// convert makes a value that a rule gave into the kind that the attribute has.
func convert(v any, kind directory.Kind) (any, error) {
	switch t := v.(type) {
	case string:
		switch kind {
		case directory.Boolean:
			return boolean(t)
		case directory.Integer:
			return integer(t)
		case directory.Instant:
			at, _, err := parseDate(time.UTC, []any{t})
			return at, err
		case directory.List:
			return []string{t}, nil
		}
		return v, nil
	case int:
		v = int64(t)
	}
	if kind == directory.Text {
		if list, ok := v.([]string); ok {
			return nil, fmt.Errorf("the rule gives a list of %d values where one is wanted", len(list))
		}
		return Text(v), nil
	}
	if got := kindOf(v); got != kind {
		return nil, fmt.Errorf("the rule gives %v where %v is wanted", got, kind)
	}
	return v, nil
}

func kindOf(v any) directory.Kind {
	switch v.(type) {
	case string:
		return directory.Text
	case bool:
		return directory.Boolean
	case int64, int:
		return directory.Integer
	case time.Time:
		return directory.Instant
	case []string:
		return directory.List
	}
	return 0
}
