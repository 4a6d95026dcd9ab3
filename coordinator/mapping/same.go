package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What an edit of a document touches is told by comparing forms: texts that say
// all that an outcome depends on, and nothing of how it is laid out, its
// comments, its schedule or its examples.

// SameSource tells whether two documents make the same of every record.
func SameSource(a, b *System) bool { return a.sourceForm() == b.sourceForm() }

// SameTarget tells whether two documents want the same of every account, and
// let the same pass without approval.
func SameTarget(a, b *System) bool { return a.targetForm() == b.targetForm() }

// Unread gives the attributes of the target that a document names and one
// before it did not, so that nothing is known of them yet.
func Unread(before, after *System) []string {
	was := before.Attributes()
	return slices.DeleteFunc(after.Attributes(), func(s string) bool {
		return slices.ContainsFunc(was, func(w string) bool { return strings.EqualFold(w, s) })
	})
}

func (s *System) sourceForm() string {
	if s.Source == nil {
		return ""
	}
	form := s.Source.form()
	if s.GroupSource != nil {
		form += s.GroupSource.form()
	}
	return form + s.environment
}

func (src *Source) form() string {
	if src == nil {
		return ""
	}
	f := form{}
	f.add("source", src.Class, src.Joins, src.OfAccounts, src.SameAs, src.Precedence)
	f.rule("key", src.key)
	f.rule("same_as", src.sameAs)
	for _, r := range src.rules {
		f.rule(r.path, r.expression)
		f.add(r.kind, r.precedence)
	}
	return f.String()
}

func (s *System) targetForm() string {
	if s.Target == nil {
		return ""
	}
	return s.Target.form() + s.GroupTarget.form() + s.environment
}

func (t *Target) form() string {
	if t == nil {
		return ""
	}
	f := form{}
	f.add(t.frame(), t.MakeContainers, t.Window)
	if t.Password != nil {
		f.add("password", *t.Password)
	}
	displays := []*Rule{t.Authoritative}
	for _, r := range t.Groups {
		displays = append(displays, r.Display)
	}
	for i, r := range slices.Concat([]*Rule{t.Scope, t.MatchRule, t.Container, t.Name}, displays, t.Groups, []*Rule{nil}, t.Rules,
		[]*Rule{nil}, t.Lifecycle.Leave.parting(), []*Rule{nil}, t.Lifecycle.OutOfScope.parting()) {
		if r == nil {
			f.add(i, "none")
			continue
		}
		f.rule(r.Attribute, r.expression)
		f.add(r.Apply, r.Keep, r.KeepEmpty, r.Exact, r.Person, r.CoolOff, r.Make, r.Directory)
	}
	for _, class := range slices.Sorted(maps.Keys(t.thresholds)) {
		f.add(class, t.thresholds[class])
	}
	return f.String()
}

// frame gives the form of what a target wants of every account, whatever its rules say.
func (t *Target) frame() string {
	f := form{}
	f.add("target", t.Class, t.OfGroups, t.WriteBack, t.BothWays, t.Match, t.EnabledAttribute, t.MemberOf)
	l := t.Lifecycle
	f.add(l.Create, l.Enable, l.HoldRehire, l.IgnoreOutOfScope, l.HoldOutOfScope, l.Leave.At)
	for _, p := range []*Parting{&l.Leave.Parting, l.OutOfScope} {
		if p == nil {
			f.add("as leavers")
			continue
		}
		f.add(p.Disable, p.Groups)
		if p.Delete != nil {
			f.add("delete", *p.Delete)
		}
	}
	return f.String()
}

// A form is put together of what an outcome depends on.
type form struct{ strings.Builder }

func (f *form) add(parts ...any) {
	for _, p := range parts {
		fmt.Fprintf(f, "%v\x00", p)
	}
}

func (f *form) rule(attribute string, e *expression) {
	if e == nil {
		f.add(attribute, "none")
		return
	}
	f.add(attribute, e.text)
}

// environmentOf gives the form of what all expressions of a document depend on.
func environmentOf(b *builder) string {
	f := form{}
	f.add(b.zone, b.defaultDomain)
	for _, path := range slices.Sorted(maps.Keys(b.extension)) {
		f.add(path, b.extension[path])
	}
	for _, name := range slices.Sorted(maps.Keys(b.tables)) {
		f.add("table", name)
		for _, key := range slices.Sorted(maps.Keys(b.tables[name])) {
			f.add(key, b.tables[name][key])
		}
	}
	return f.String()
}
