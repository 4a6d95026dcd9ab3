package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

// Attributes gives the attributes of the system that the document uses, in
// ascending order: what may leave the site, and what a read asks for.
func (s *System) Attributes() []string {
	names := map[string]string{} // folded to as written
	add := func(list ...string) {
		for _, n := range list {
			if _, known := names[strings.ToLower(n)]; !known && n != "" {
				names[strings.ToLower(n)] = n
			}
		}
	}
	for _, src := range []*Source{s.Source, s.GroupSource} {
		if src == nil {
			continue
		}
		for _, v := range src.scope.variables {
			add(v.path)
		}
	}
	for _, t := range []*Target{s.Target, s.GroupTarget} {
		if t == nil {
			continue
		}
		for _, r := range slices.Concat(t.Rules, t.Lifecycle.partings()) {
			add(r.Attribute)
		}
		add(t.Match, t.EnabledAttribute, t.MemberOf)
		if t.Name != nil {
			add(t.Name.Attribute)
		}
	}
	return slices.Sorted(maps.Values(names))
}

// Classes gives the classes of objects that the document reads or writes.
func (s *System) Classes() []string {
	var classes []string
	for _, of := range []*System{s, s.groups} {
		if of == nil {
			continue
		}
		if of.Source != nil && !slices.Contains(classes, of.Source.Class) {
			classes = append(classes, of.Source.Class)
		}
		if of.Target != nil && !slices.Contains(classes, of.Target.Class) {
			classes = append(classes, of.Target.Class)
		}
	}
	return classes
}

// CheckSchema compares the document with what the system has: attributes that
// it does not have, cannot be written, or are of another type. A schema that
// could not be read finds nothing.
func (s *System) CheckSchema(schema *connectorv1.SchemaResponse) Faults {
	if schema == nil || len(schema.GetClasses()) == 0 {
		return nil
	}
	var faults Faults
	if s.Source != nil {
		faults = append(faults, s.Source.check(s, schema)...)
	}
	if s.Target != nil {
		faults = append(faults, s.Target.check(s, schema)...)
	}
	if s.groups != nil {
		faults = append(faults, s.groups.CheckSchema(schema)...)
	}
	return faults
}

// class finds a class; the fault names those there are.
func (s *System) class(schema *connectorv1.SchemaResponse, name string) (types, *Fault) {
	var names []string
	for _, c := range schema.GetClasses() {
		if strings.EqualFold(c.GetName(), name) {
			return typesOf(c), nil
		}
		names = append(names, c.GetName())
	}
	hint := suggest(name, names)
	if hint == "" {
		hint = "there are " + strings.Join(names[:min(len(names), 10)], ", ")
	}
	return nil, &Fault{File: s.file, Message: fmt.Sprintf("system %s has no class %s", s.Name, name), Hint: hint}
}

// types are a class's attributes by folded name.
type types map[string]*connectorv1.AttributeType

func typesOf(c *connectorv1.Class) types {
	t := make(types, len(c.GetAttributes()))
	for _, a := range c.GetAttributes() {
		t[strings.ToLower(a.GetName())] = a
	}
	return t
}

func (t types) names() []string {
	names := make([]string, 0, len(t))
	for _, a := range t {
		names = append(names, a.GetName())
	}
	slices.Sort(names)
	return names
}

func (src *Source) check(s *System, schema *connectorv1.SchemaResponse) (faults Faults) {
	known, fault := s.class(schema, src.Class)
	if fault != nil {
		return Faults{*fault}
	}
	for _, v := range src.scope.variables {
		if known[strings.ToLower(v.path)] != nil {
			continue
		}
		rule := src.key
		if rule == nil || !slices.Contains(rule.reads, v) {
			rule = src.sameAs
		}
		if rule == nil || !slices.Contains(rule.reads, v) {
			i := slices.IndexFunc(src.rules, func(r sourceRule) bool { return slices.Contains(r.reads, v) })
			if i < 0 {
				continue // read by a rule that was refused
			}
			rule = src.rules[i].expression
		}
		hint := suggest(v.path, known.names())
		if hint == "" {
			hint = "there are " + strings.Join(known.names(), ", ")
		}
		faults = append(faults, Fault{File: s.file, Line: rule.line, Column: rule.column,
			Message: fmt.Sprintf("%s of %s has no attribute %s", src.Class, s.Name, v.path), Hint: hint})
	}
	return faults
}

func (t *Target) check(s *System, schema *connectorv1.SchemaResponse) (faults Faults) {
	known, fault := s.class(schema, t.Class)
	if fault != nil {
		return Faults{*fault}
	}
	add := func(r *Rule, message, hint string) {
		f := r.key
		f.Message, f.Hint = message, hint
		faults = append(faults, f)
	}
	rules := slices.Concat(t.Rules, t.Lifecycle.partings())
	if t.MatchRule != nil {
		rules = append(rules, t.MatchRule)
	}
	for _, r := range rules {
		a := known[strings.ToLower(r.Attribute)]
		switch {
		case a == nil:
			hint := suggest(r.Attribute, known.names())
			if hint == "" {
				hint = "drawbridge system schema " + s.Name + " lists what it has"
			}
			add(r, fmt.Sprintf("%s of %s has no attribute %s", t.Class, s.Name, r.Attribute), hint)
		case r == t.MatchRule:
		case a.GetReadOnly():
			add(r, fmt.Sprintf("only %s itself writes %s", s.Name, r.Attribute), "")
		default:
			if message, hint := r.mismatch(a); message != "" {
				add(r, message, hint)
			}
		}
	}
	return faults
}

// mismatch tells why the outcome of a rule does not fit the attribute.
func (r *Rule) mismatch(a *connectorv1.AttributeType) (message, hint string) {
	kind, kinds := r.kind(), []directory.Kind{}
	switch a.GetType() {
	case connectorv1.Type_TYPE_REFERENCE:
		if !r.Person {
			return fmt.Sprintf("%s is a reference to another account", r.Attribute), "write it as {person: …} with the key of a person"
		}
		return "", ""
	case connectorv1.Type_TYPE_BOOLEAN:
		kinds, hint = []directory.Kind{directory.Boolean}, "compare, or use boolean(…)"
	case connectorv1.Type_TYPE_INTEGER:
		kinds, hint = []directory.Kind{directory.Integer, directory.Text}, "use fileTime(…) or accountExpires(…) for an instant"
	case connectorv1.Type_TYPE_TIMESTAMP:
		kinds, hint = []directory.Kind{directory.Instant}, "use date(…)"
	}
	switch {
	case r.Person:
		return fmt.Sprintf("%s is no reference to another account", r.Attribute), "write value instead of person"
	case (kind == directory.List && !r.Unique() || r.Keep != KeepNone) && !a.GetMulti():
		return fmt.Sprintf("%s holds one value only", r.Attribute), ""
	case len(kinds) > 0 && kind != 0 && kind != directory.List && !r.Unique() && !slices.Contains(kinds, kind):
		return fmt.Sprintf("%s is of another type than the rule's %s", r.Attribute, kind), hint
	}
	if s, ok := r.constant.(string); ok && r.program == nil && a.GetMaxLength() > 0 && len([]rune(s)) > int(a.GetMaxLength()) {
		return fmt.Sprintf("the text has %d characters, but %s takes %d", len([]rune(s)), r.Attribute, a.GetMaxLength()), ""
	}
	return "", ""
}

// WithSchema gives the same system knowing the types and limits of the
// target's attributes, so that values are compared and cut as it does.
func (s *System) WithSchema(schema *connectorv1.SchemaResponse) *System {
	if schema == nil {
		return s
	}
	with := *s
	with.Target, with.GroupTarget = s.knowing(s.Target, schema), s.knowing(s.GroupTarget, schema)
	with.ofGroups()
	return &with
}

// knowing gives a target that knows the types and limits of its class.
func (s *System) knowing(t *Target, schema *connectorv1.SchemaResponse) *Target {
	if t == nil {
		return nil
	}
	known, fault := s.class(schema, t.Class)
	if fault != nil {
		return t
	}
	return &Target{
		System: t.System, Owns: t.Owns, OfGroups: t.OfGroups, Authoritative: t.Authoritative, Makes: t.Makes,
		Class: t.Class, WriteBack: t.WriteBack, BothWays: t.BothWays, Match: t.Match, MakeContainers: t.MakeContainers, Password: t.Password, Lifecycle: known.lifecycle(t.Lifecycle), Preview: t.Preview, Window: t.Window,
		Scope: t.Scope, MatchRule: t.MatchRule, Container: t.Container, Name: known.with(t.Name),
		Rules: known.all(t.Rules), Groups: t.Groups,
		EnabledAttribute: t.EnabledAttribute, MemberOf: t.MemberOf, Attributes: t.Attributes, scope: t.scope, thresholds: t.thresholds,
	}
}

// lifecycle gives a lifecycle whose rules know the types and limits of their attributes.
func (t types) lifecycle(l Lifecycle) Lifecycle {
	l.Leave.Rules = t.all(l.Leave.Rules)
	if l.OutOfScope != nil {
		p := *l.OutOfScope
		p.Rules = t.all(p.Rules)
		l.OutOfScope = &p
	}
	return l
}

func (t types) all(rules []*Rule) []*Rule {
	out := make([]*Rule, len(rules))
	for i, r := range rules {
		out[i] = t.with(r)
	}
	return out
}

func (t types) with(r *Rule) *Rule {
	if r == nil {
		return nil
	}
	a := t[strings.ToLower(r.Attribute)]
	if a == nil {
		return r
	}
	out := *r
	out.Type, out.Multi = a.GetType(), a.GetMulti()
	if n := int(a.GetMaxLength()); n > 0 && (out.MaxLength == 0 || n < out.MaxLength) {
		out.MaxLength = n // the schema may be wider than the system is: Active Directory takes 20 of 256 for sAMAccountName
	}
	return &out
}
