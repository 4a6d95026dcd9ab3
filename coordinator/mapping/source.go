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

	scope    *scope
	key      *expression
	rules    []sourceRule // ascending by path
	machines machines
}

type sourceRule struct {
	path string
	kind directory.Kind
	*expression
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

// source reads the source of a document.
func (b *builder) source(n ast.Node) {
	s := &Source{scope: b.scope()}
	s.scope.row, s.scope.timeless = true, true
	s.scope.kind = func(string) directory.Kind { return directory.Text }
	s.scope.paths = func() []string { return nil }
	b.sys.Source = s
	b.mapping(n, "source", map[string]key{
		"class": {true, b.text("class", &s.Class)},
		"key":   {true, func(n ast.Node) { s.key = b.compile(s.scope, n, "key", directory.Text) }},
		"attributes": {true, func(n ast.Node) {
			b.pairs(n, "attributes", func(path string, k, v ast.Node) {
				kind := b.kind(path)
				if kind == 0 {
					hint := suggest(path, b.paths())
					if hint == "" {
						hint = "declare it under extension"
					}
					b.fault(k, hint, "a person has no attribute %s", path)
				}
				if e := b.compile(s.scope, v, path, kind); e != nil {
					s.rules = append(s.rules, sourceRule{path, kind, e})
				}
			})
		}},
	})
	slices.SortFunc(s.rules, func(a, b sourceRule) int { return strings.Compare(a.path, b.path) })
}

// Person evaluates an object, given as a marshalled connectorv1.Object. The key
// is folded. The error of a record that cannot be taken is a *RecordError.
func (s *Source) Person(object []byte) (string, directory.Attributes, error) {
	m := s.machines.get(s.scope)
	defer s.machines.put(m)
	var a directory.Attributes
	if err := s.load(m, object); err != nil {
		return "", a, err
	}
	k, _, err := m.eval(s.key)
	if err == nil && k == nil {
		err = errNoKey
	}
	if err != nil {
		return "", a, recordError("key", s.key, err)
	}
	a.Grow(len(s.rules))
	for i := range s.rules {
		r := &s.rules[i]
		v, known, err := m.eval(r.expression)
		if err == nil && v != nil {
			v, err = convert(v, r.kind)
		}
		if err != nil {
			return "", directory.Attributes{}, recordError(r.path, r.expression, err)
		}
		if known {
			a.Set(r.path, v)
		}
	}
	return directory.Fold(Text(k)), a, nil
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
	key, attributes, err := s.Person(object)
	if err != nil {
		return nil, err
	}
	m := s.machines.get(s.scope)
	defer s.machines.put(m)
	if err := s.load(m, object); err != nil {
		return nil, err
	}
	reasons := []Reason{{Attribute: "key", After: []string{key}, Rule: s.key.text, Line: s.key.line, From: m.inputs(s.key)}}
	for _, r := range s.rules {
		v, known := attributes.Get(r.path)
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
