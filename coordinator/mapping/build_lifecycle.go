package mapping

import (
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

// lifecycle reads what a target wants in each part of a person's life.
func (b *builder) lifecycle(t *Target, n ast.Node) {
	l := &t.Lifecycle
	b.mapping(n, "lifecycle", map[string]key{
		"create":       {false, b.moment("create", false, &l.Create)},
		"enable":       {false, b.moment("enable", false, &l.Enable)},
		"leave":        {false, func(n ast.Node) { b.leave(t, n) }},
		"rehire":       {false, b.one("rehire", []string{"restore", "hold"}, func(i int) { l.HoldRehire = i == 1 })},
		"out_of_scope": {false, func(n ast.Node) { b.outOfScope(l, n) }},
	})
	if l.Create.Offset > l.Enable.Offset {
		b.fault(n, "", "an account cannot be enabled before it is created")
	}
}

func (b *builder) leave(t *Target, n ast.Node) {
	l := &t.Lifecycle.Leave
	keys := b.parting("leave", &l.Parting)
	keys["at"] = key{false, b.moment("at", true, &l.At)}
	keys["delete"] = key{false, func(n ast.Node) {
		l.Delete = new(Moment)
		b.moment("delete", true, l.Delete)(n)
		if l.Delete.Offset < l.At.Offset {
			b.fault(n, "", "an account cannot be deleted before its person has left")
		}
	}}
	b.mapping(n, "leave", keys)
	b.constant("leave", &l.Parting)
}

// outOfScope reads what becomes of the account of somebody who left the scope: a word, or keys like those of leave.
func (b *builder) outOfScope(l *Lifecycle, n ast.Node) {
	if _, ok := n.(*ast.MappingNode); !ok {
		b.one("out_of_scope", []string{"leave", "ignore", "hold"}, func(i int) { l.IgnoreOutOfScope, l.HoldOutOfScope = i == 1, i == 2 })(n)
		return
	}
	p := &Parting{Disable: true}
	keys := b.parting("out_of_scope", p)
	keys["delete"] = key{false, func(n ast.Node) { p.Delete = b.afterScope(n) }}
	b.mapping(n, "out_of_scope", keys)
	b.constant("out_of_scope", p)
	l.OutOfScope = p
}

// parting gives the keys of what becomes of an account that is not wanted as it was, but for its deletion.
func (b *builder) parting(what string, p *Parting) map[string]key {
	return map[string]key{
		"disable":    {false, b.boolean("disable", &p.Disable)},
		"move":       {false, func(n ast.Node) { p.Container = b.rule("move", n, directory.Text) }},
		"groups":     {false, b.one("groups", []string{"keep", "ours", "strip"}, func(i int) { p.Groups = GroupsOfLeaver(i) })},
		"attributes": {false, func(n ast.Node) { p.Rules = b.rules(n, what+".attributes") }},
	}
}

// constant refuses rules of a parting that would choose or refer.
func (b *builder) constant(what string, p *Parting) {
	for _, r := range p.Rules {
		if r.Unique() || r.Person {
			b.faults = append(b.faults, Fault{File: b.file, Line: r.key.Line, Column: r.key.Column,
				Message: what + ".attributes can be neither firstUnique nor person"})
		}
	}
}

// afterScope reads "at once" or "30d after"; nil where it is no time.
func (b *builder) afterScope(n ast.Node) *Moment {
	s, ok := b.scalar(n, "delete")
	if !ok {
		return nil
	}
	m := &Moment{From: FromScope}
	if s == atOnce {
		return m
	}
	text, counted := strings.CutSuffix(s, " after")
	span, err := parseSpan(text)
	if !counted || err != nil || span < 0 {
		b.fault(n, `write it like "at once" or "30d after": it is counted from when they left the scope`, "delete is no time: %s", s)
		return nil
	}
	m.Offset = span
	return m
}

// atOnce is how documents say that nothing is waited for.
const atOnce = "at once"

// moment reads "at start", "7d before start" or "90d after end".
func (b *builder) moment(what string, fromEnd bool, to *Moment) func(ast.Node) {
	base := "start"
	if fromEnd {
		base = "end"
	}
	return func(n ast.Node) {
		s, ok := b.scalar(n, what)
		if !ok {
			return
		}
		if *to = (Moment{}); fromEnd {
			to.From = FromEnd
		}
		words := strings.Fields(s)
		if len(words) == 2 && words[0] == "at" && words[1] == base {
			return
		}
		if len(words) == 3 && words[2] == base && (words[1] == "before" || words[1] == "after") {
			span, err := parseSpan(words[0])
			if err == nil && span >= 0 {
				if to.Offset = span; words[1] == "before" {
					to.Offset = -span
				}
				return
			}
		}
		b.fault(n, `write it like "at `+base+`" or "7d before `+base+`"`, "%s is no moment: %s", what, s)
	}
}

// String gives the moment as documents write it.
func (m Moment) String() string {
	base, span := map[Base]string{FromStart: " start", FromEnd: " end"}[m.From], m.Offset
	word := "after"
	if span < 0 {
		word, span = "before", -span
	}
	switch {
	case span == 0 && m.From == FromScope:
		return atOnce
	case span == 0:
		return "at" + base
	case span%(24*time.Hour) == 0:
		return strconv.Itoa(int(span/(24*time.Hour))) + "d " + word + base
	}
	return span.String() + " " + word + base
}
