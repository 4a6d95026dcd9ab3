package mapping

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

// knownLimits are those of Active Directory where its schema is wider than what
// it takes, or was not read yet.
var knownLimits = map[string]int{
	"samaccountname": samLength, "cn": 64, "displayname": 256, "userprincipalname": 1024, "mail": 256,
	"employeeid": 16, "company": 64, "department": 64, "title": 128, "telephonenumber": 64,
}

// rule reads a rule that is an expression and nothing else.
func (b *builder) rule(attribute string, n ast.Node, want directory.Kind) *Rule {
	e := b.compile(b.building.scope, n, attribute, want)
	if e == nil {
		return nil
	}
	r := &Rule{Attribute: attribute, expression: e, key: b.place(n)}
	if b.sys.Connector == "activedirectory" {
		r.MaxLength = knownLimits[strings.ToLower(attribute)]
	}
	return r
}

// place is where something stands in the document.
func (b *builder) place(n ast.Node) Fault {
	p := position(n)
	return Fault{File: b.file, Line: b.base + p.Line, Column: p.Column}
}

// match reads by which attribute an account that is there already is found.
func (b *builder) match(t *Target, n ast.Node) {
	b.pairs(n, "match", func(attribute string, k, v ast.Node) {
		if t.Match != "" {
			b.fault(k, "choose the one that is surest", "match takes one attribute")
			return
		}
		t.Match = attribute
		if t.MatchRule = b.rule(attribute, v, directory.Text); t.MatchRule == nil {
			return
		}
		t.MatchRule.key = b.place(k)
		if t.MatchRule.Unique() {
			b.fault(v, "", "an existing account cannot be found by firstUnique")
		}
	})
}

// name reads the rule of the naming attribute, cn if the document does not say.
func (b *builder) name(n ast.Node) *Rule {
	attribute := "cn"
	if m, ok := n.(*ast.MappingNode); ok {
		var value ast.Node
		b.mapping(m, "name", map[string]key{
			"attribute": {false, b.text("attribute", &attribute)},
			"value":     {true, func(n ast.Node) { value = n }},
		})
		if value == nil {
			return nil
		}
		n = value
	}
	return b.rule(attribute, n, directory.Text)
}

// rules reads the rules of attributes, and puts them in order.
func (b *builder) rules(n ast.Node, what string) []*Rule {
	var rules []*Rule
	seen := map[string]bool{}
	b.pairs(n, what, func(attribute string, k, v ast.Node) {
		if seen[strings.ToLower(attribute)] {
			b.fault(k, "attributes are compared without regard to case", "%s has two rules", attribute)
			return
		}
		seen[strings.ToLower(attribute)] = true
		if r := b.attribute(attribute, v); r != nil {
			r.key = b.place(k)
			rules = append(rules, r)
		}
	})
	slices.SortFunc(rules, func(a, b *Rule) int {
		return strings.Compare(strings.ToLower(a.Attribute), strings.ToLower(b.Attribute))
	})
	return rules
}

// attribute reads the rule of an attribute: an expression, or how it is used.
func (b *builder) attribute(attribute string, n ast.Node) *Rule {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return b.rule(attribute, n, 0)
	}
	var value, person ast.Node
	var shape Rule
	b.mapping(m, attribute, map[string]key{
		"value":    {false, func(n ast.Node) { value = n }},
		"person":   {false, func(n ast.Node) { person = n }},
		"apply":    {false, b.one("apply", []string{"always", "create", "if_empty"}, func(i int) { shape.Apply = Apply(i) })},
		"keep":     {false, b.one("keep", []string{"none", "old", "alias", "additive"}, func(i int) { shape.Keep = Keep(i) })},
		"empty":    {false, b.one("empty", []string{"clear", "keep"}, func(i int) { shape.KeepEmpty = i == 1 })},
		"drift":    {false, b.one("drift", []string{"revert", "adopt", "leave"}, func(i int) { shape.Drift = Drift(i) })},
		"cool_off": {false, func(n ast.Node) { shape.CoolOff = b.coolOff(n) }},
		"case":     {false, b.one("case", []string{"fold", "exact"}, func(i int) { shape.Exact = i == 1 })},
	})
	switch {
	case (value == nil) == (person == nil):
		b.fault(n, "", "%s wants either value or person", attribute)
		return nil
	case person != nil:
		value, shape.Person = person, true
	}
	want := directory.Kind(0)
	if shape.Person {
		want = directory.Text
	}
	r := b.rule(attribute, value, want)
	if r == nil {
		return nil
	}
	r.Apply, r.Keep, r.KeepEmpty, r.Exact, r.Person = shape.Apply, shape.Keep, shape.KeepEmpty, shape.Exact, shape.Person
	r.Drift, r.CoolOff = shape.Drift, shape.CoolOff
	if r.Keep == KeepAdditive && (r.Unique() || r.Person || r.Apply != Always) {
		b.fault(n, "leave out keep, or the other", "%s: keep: additive is for values that are written whenever they differ, not for firstUnique, person or another apply", attribute)
	}
	if r.CoolOff > 0 && !r.Unique() {
		b.fault(n, "", "%s: cool_off is for rules that choose by firstUnique", attribute)
	}
	return r
}

// coolOff reads how long a name is kept from others, such as 90d or 2y.
func (b *builder) coolOff(n ast.Node) time.Duration {
	s, ok := b.scalar(n, "cool_off")
	if !ok {
		return 0
	}
	years, isYears := strings.CutSuffix(s, "y")
	if count, err := strconv.Atoi(years); isYears && err == nil && count > 0 && count <= 100 {
		return time.Duration(count) * 365 * 24 * time.Hour
	}
	span, err := parseSpan(s)
	if err != nil || span <= 0 {
		b.fault(n, "write it like 90d or 2y", "cool_off is no time: %s", s)
	}
	return span
}
