package mapping

import (
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

// An Example says what a document makes of somebody. It is checked by
// coordinator/examples.
type Example struct {
	Name string    // "" where it has none
	Line int       // where it begins
	At   time.Time // instant at which it holds; zero: whenever it is asked
	// Rows are the records that it is given, by source; a source's own example
	// has one, under the name of the system.
	Rows map[string]map[string][]string
	// Person is given instead of rows. Group tells that it is a group of the directory.
	Person directory.Attributes
	Group  bool
	// Expect is what must come of it, in the order of the document.
	Expect []Expected
}

// An Expected is one thing that an example says. Of a target it is an attribute
// of the account, or container, name, enabled, groups, or account, which is
// none, made or nothing.
type Expected struct {
	Name   string
	Values []string // none: it is empty
	Line   int
}

// besides are what a target's examples may expect that is no attribute.
var besides = []string{"account", "container", "enabled", "groups", "name"}

// examples reads the examples of a document, when all its rules are known.
func (b *builder) examples(n ast.Node) {
	b.list("examples", func(n ast.Node) {
		var expect ast.Node
		e := Example{Line: b.base + position(n).Line, Rows: map[string]map[string][]string{}}
		b.mapping(n, "the example", map[string]key{
			"name":   {false, b.text("name", &e.Name)},
			"at":     {false, func(n ast.Node) { b.instant(n, &e.At) }},
			"given":  {false, func(n ast.Node) { b.given(n, &e) }},
			"person": {false, func(n ast.Node) { b.person(n, &e) }},
			"group":  {false, func(n ast.Node) { e.Group = true; b.person(n, &e) }},
			"expect": {true, func(n ast.Node) { expect = n }},
		})
		switch {
		case e.Group && b.sys.GroupTarget == nil:
			b.fault(n, "", "an example of a group is for a target with the key group")
			return
		case expect != nil:
			b.expect(expect, &e)
		}
		if (len(e.Rows) == 0) == (e.Person.Len() == 0) {
			b.fault(n, "given holds records of a source, person attributes of a person", "an example wants either given, person or group")
		}
		b.sys.Examples = append(b.sys.Examples, e)
	})(n)
}

func (b *builder) instant(n ast.Node, to *time.Time) {
	s, ok := b.scalar(n, "at")
	if !ok {
		return
	}
	t, _, err := parseDate(b.zone, []any{s})
	if err != nil {
		b.fault(n, "", "at: %v", err)
	}
	*to = t
}

// given reads the record of a source, or of a target the records by source.
func (b *builder) given(n ast.Node, e *Example) {
	if b.sys.Target == nil {
		e.Rows[b.sys.Name] = b.values(n, "given")
		return
	}
	b.pairs(n, "given", func(system string, _, v ast.Node) { e.Rows[system] = b.values(v, system) })
}

func (b *builder) values(n ast.Node, what string) map[string][]string {
	row := map[string][]string{}
	b.pairs(n, what, func(column string, _, v ast.Node) { row[column] = b.several(v, column) })
	return row
}

// several reads a value, a list of values, or nothing.
func (b *builder) several(n ast.Node, what string) []string {
	var list []string
	one := func(n ast.Node) {
		if _, nothing := n.(*ast.NullNode); nothing {
			return
		}
		if s, ok := b.scalar(n, what); ok && s != "" {
			list = append(list, s)
		}
	}
	if _, ok := n.(*ast.SequenceNode); ok {
		b.list(what, one)(n)
	} else {
		one(n)
	}
	return list
}

func (b *builder) person(n ast.Node, e *Example) {
	b.pairs(n, "person", func(path string, k, v ast.Node) {
		kind := b.kind(path)
		if kind == 0 {
			b.fault(k, suggest(path, b.paths()), "a person has no attribute %s", path)
			return
		}
		list := b.several(v, path)
		if kind == directory.List || len(list) == 0 {
			e.Person.Set(path, list)
			if len(list) == 0 {
				e.Person.Set(path, nil)
			}
			return
		}
		value, err := convert(list[0], kind)
		if err != nil || len(list) > 1 {
			b.fault(v, "", "%s cannot be %s", path, strings.Join(list, ", "))
			return
		}
		e.Person.Set(path, value)
	})
}

// expect reads what must come of an example; what nothing gives is a fault.
func (b *builder) expect(n ast.Node, e *Example) {
	b.pairs(n, "expect", func(name string, k, v ast.Node) {
		if names := b.outcomes(e); !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			b.fault(k, suggest(name, names), "no rule gives %s", name)
		}
		e.Expect = append(e.Expect, Expected{Name: name, Values: b.several(v, name), Line: b.base + position(k).Line})
	})
}

// outcomes lists what the rules of the document give.
func (b *builder) outcomes(e *Example) []string {
	var names []string
	t := b.sys.Target
	if e.Group {
		t = b.sys.GroupTarget
	}
	if t != nil {
		names = append(names, besides...)
		for _, r := range slices.Concat(t.Rules, t.Lifecycle.partings()) {
			names = append(names, r.Attribute)
		}
		return names
	}
	names = append(names, "key")
	for _, r := range b.sys.Source.rules {
		names = append(names, r.path)
	}
	return names
}
