package mapping

import (
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

// groupClass is what systems call groups where the document does not say.
const groupClass = "group"

// groupRule reads a rule of groups: an expression that names groups which are
// there, or how groups are made, or which of the directory's are meant.
func (b *builder) groupRule(t *Target, n ast.Node) {
	const what = "groups"
	m, ok := n.(*ast.MappingNode)
	if !ok {
		if r := b.rule(what, n, 0); r != nil {
			t.Groups = append(t.Groups, r)
		}
		return
	}
	var value, keys, display ast.Node
	var makes bool
	b.mapping(m, what, map[string]key{
		"value":     {false, func(n ast.Node) { value = n }},
		"directory": {false, func(n ast.Node) { keys = n }},
		"make":      {false, b.boolean("make", &makes)},
		"display":   {false, func(n ast.Node) { display = n }},
	})
	switch {
	case (value == nil) == (keys == nil):
		b.fault(n, "", "groups wants either value or directory")
		return
	case keys != nil && makes:
		b.fault(n, "leave out make: the group's own source makes it", "a group of the directory is not made by a rule")
		return
	case display != nil && !makes:
		b.fault(display, "", "display is for groups with make: true")
		return
	case keys != nil:
		value = keys
	}
	r := b.rule(what, value, 0)
	if r == nil {
		return
	}
	r.Make, r.Directory = makes, keys != nil
	t.Makes = t.Makes || makes
	if display != nil {
		r.Display = b.rule("display", display, directory.Text)
	}
	t.Groups = append(t.Groups, r)
}

// groupTarget reads how groups are made in the system.
func (b *builder) groupTarget(n ast.Node) {
	people := b.sys.Target
	needs := slices.IndexFunc(people.Groups, func(r *Rule) bool { return r.Make || r.Directory })
	if n == nil {
		if needs >= 0 {
			f := people.Groups[needs].key
			f.Message, f.Hint = "groups are made, but the target does not say how", "give it the key group"
			b.faults = append(b.faults, f)
		}
		return
	}
	unique := map[string]bool{}
	t := &Target{Class: groupClass, OfGroups: true, Preview: people.Preview, Window: people.Window, scope: b.targetScope(n, unique), thresholds: people.thresholds,
		Lifecycle: Lifecycle{Leave: Leave{At: Moment{From: FromEnd}}}}
	b.sys.GroupTarget, b.building = t, t
	b.mapping(n, "group", map[string]key{
		"class":           {false, b.text("class", &t.Class)},
		"scope":           {false, func(n ast.Node) { t.Scope = b.rule("scope", n, directory.Boolean) }},
		"match":           {false, func(n ast.Node) { b.match(t, n) }},
		"container":       {false, func(n ast.Node) { t.Container = b.rule("container", n, directory.Text) }},
		"make_containers": {false, b.boolean("make_containers", &t.MakeContainers)},
		"name":            {true, func(n ast.Node) { t.Name = b.name(n) }},
		"attributes":      {false, func(n ast.Node) { t.Rules = b.rules(n, "group.attributes") }},
		"authoritative":   {false, func(n ast.Node) { t.Authoritative = b.rule("authoritative", n, directory.Boolean) }},
		"groups":          {false, b.list("group.groups", func(n ast.Node) { b.groupRule(t, n) })},
		"remove":          {false, func(n ast.Node) { b.remove(t, n) }},
	})
	b.reserved(t)
	b.steady(t)
	b.building = people
	if strings.EqualFold(t.Class, people.Class) {
		b.fault(n, "", "groups and people are of one class: %s", t.Class)
	}
	if src := b.sys.GroupSource; src != nil && strings.EqualFold(src.Class, t.Class) {
		if t.BothWays = people.BothWays; !t.BothWays {
			b.fault(n, "leave out group in the source, or here, or say both_ways: true", "the system would bring the groups that are made in it: groups go one way")
		}
		if t.BothWays && t.Match != "" {
			b.fault(n, "leave it out", "where groups go both ways, every object is a record or ours: match has no place")
		}
	}
	if t.Makes {
		b.fault(n, "groups within groups are those of the directory: - {directory: memberOf}", "a group does not make other groups")
	}
	if len(t.Groups) > 0 || t.asksGroups() {
		t.MemberOf = MemberOf
	}
	people.MemberOf = MemberOf
	people.Owns = t.Authoritative != nil
	t.Owns = people.Owns
}

// MemberOf is the attribute in which objects tell of their groups.
const MemberOf = "memberOf"

// remove reads when a group goes that nobody is in or brings any more.
func (b *builder) remove(t *Target, n ast.Node) {
	s, ok := b.scalar(n, "remove")
	if !ok || s == "never" {
		return
	}
	span, err := time.Duration(0), error(nil)
	if s != "at once" {
		span, err = parseSpan(s)
	}
	if err != nil || span < 0 {
		b.fault(n, `write it like "at once", 30d or never`, "remove is no time: %s", s)
		return
	}
	t.Lifecycle.Leave.Delete = &Moment{From: FromEnd, Offset: span}
}

// groupSource reads what of the system is a group of the directory.
func (b *builder) groupSource(n ast.Node) {
	s := &Source{Class: groupClass, OfGroups: true, Precedence: precedence}
	b.sourceScope(s)
	b.sys.GroupSource = s
	keyed := false
	b.mapping(n, "group", map[string]key{
		"class": {false, b.text("class", &s.Class)},
		"key": {true, func(n ast.Node) {
			keyed = true
			s.key = b.compile(s.scope, n, "key", directory.Text)
		}},
		"precedence": {false, b.integer("precedence", 1, &s.Precedence)},
		"attributes": {true, func(n ast.Node) { b.sourceRules(s, n) }},
	})
	if people := b.sys.Source; keyed && strings.EqualFold(s.Class, people.Class) {
		b.fault(n, "", "groups and people are of one class: %s", s.Class)
	}
}
