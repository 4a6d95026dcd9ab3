package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// choose decides the unique attributes before any other rule is evaluated,
// since these may read them. It is false where a new account cannot have one.
func (p *planner) choose() bool {
	for _, r := range p.t.Rules {
		if !r.Unique() {
			continue
		}
		value, err := p.pick(r)
		switch {
		case err != nil:
			p.expression(err)
		case value != "":
			p.chosen = append(p.chosen, choice{r.Attribute, value})
			p.view.SetAccount(r.Attribute, value)
			continue
		}
		if p.account == nil {
			return false
		}
	}
	return true
}

// pick gives the value of a unique rule: the present one where it is still one
// of the rule's, else the first that is free.
func (p *planner) pick(r *mapping.Rule) (string, error) {
	current := ""
	if p.account != nil {
		if values, _ := p.object.Get(r.Attribute); len(values) > 0 {
			current = values[0]
		}
		if p.out.Join != "" && current != "" { // the ledger learns whose it is
			p.in.Names.Pick(r.Attribute, slices.Values([]string{current}))
		}
		if r.Apply == mapping.OnCreate || r.Apply == mapping.IfEmpty && current != "" {
			return current, nil
		}
	}
	v, err := p.view.Eval(r)
	if err != nil {
		return "", err
	}
	candidates := slices.DeleteFunc(slices.Clone(v.All()), func(c string) bool { return strings.HasPrefix(c, "@") })
	if len(candidates) == 0 {
		if p.account == nil {
			p.problem("invalid", &connectorv1.Fault{
				Cause:     fmt.Sprintf("The rule gives nothing for %s: %s (%s).", r.Attribute, r.Text(), inputs(p.view.Inputs(r))),
				Attribute: r.Attribute, NextStep: "Fill what the rule reads in the source, or correct the rule."})
		}
		return current, nil
	}
	if current != "" && r.Gave(current, candidates) {
		return current, nil
	}
	value, ok := p.in.Names.Pick(r.Attribute, r.Sequence(candidates))
	if !ok {
		p.problem("taken", &connectorv1.Fault{
			Cause:     fmt.Sprintf("Every name is taken that the rule gives for %s, from %s on.", r.Attribute, candidates[0]),
			Attribute: r.Attribute, NextStep: "Give the rule another candidate."})
		return current, nil
	}
	return value, nil
}

func inputs(in []mapping.Input) string {
	parts := make([]string, len(in))
	for i, n := range in {
		parts[i] = fmt.Sprintf("%s is %q", n.Name, n.Value)
	}
	return strings.Join(parts, ", ")
}

// want gives what an attribute shall hold. It is not ok where the attribute is
// left as it is.
func (p *planner) want(r *mapping.Rule, current []string) (values []string, note string, ok bool) {
	if r.Unique() {
		for _, c := range p.chosen {
			if c.attribute == r.Attribute {
				return []string{c.value}, "", true
			}
		}
		return nil, "", false
	}
	if p.account != nil && (r.Apply == mapping.OnCreate || r.Apply == mapping.IfEmpty && len(current) > 0) {
		return nil, "", false
	}
	v, err := p.view.Eval(r)
	switch {
	case err != nil:
		p.expression(err)
		return nil, "", false
	case r.Keep == mapping.KeepAdditive:
		if v.Empty() && (!v.Known || r.KeepEmpty) {
			return nil, "", false
		}
		values = p.added(r, v.All(), current)
	case v.Empty():
		return nil, "", v.Known && !r.KeepEmpty && r.Keep == mapping.KeepNone
	case r.Person:
		return p.reference(v.First())
	case r.Keep == mapping.KeepNone:
		values = v.All()
	default:
		values = kept(v.All(), current, r.Keep)
	}
	if r.MaxLength > 0 {
		for _, s := range values {
			if len(s) > r.MaxLength && len([]rune(s)) > r.MaxLength {
				p.tooLong(r, s)
				return nil, "", false
			}
		}
	}
	return values, "", true
}

func (p *planner) tooLong(r *mapping.Rule, value string) {
	fault := &connectorv1.Fault{
		Cause:     fmt.Sprintf("The value for %s has %d characters, but the system takes %d: %q.", r.Attribute, len([]rune(value)), r.MaxLength, value),
		Attribute: r.Attribute,
		NextStep:  fmt.Sprintf("Shorten it in the source, or by left(…, %d) in line %d of the document.", r.MaxLength, r.Line()),
	}
	if p.account != nil {
		fault.Object = p.account.Address
	}
	p.problem("invalid", fault)
}

// reference gives the account of a person, or notes whom to wait for.
func (p *planner) reference(key string) (values []string, note string, ok bool) {
	key = directory.Fold(key)
	if id := p.in.Refs.Account(key); id != "" {
		return []string{id}, "account of " + key, true
	}
	p.out.Waits = append(p.out.Waits, key)
	return nil, "", false
}

// added gives what is there, without what we added and the rule does not give
// any more, and the rule's values. What others wrote stays, also what the rule
// gives as well: nobody knows that they do not want it.
func (p *planner) added(r *mapping.Rule, values, current []string) []string {
	var ours []string
	if p.account != nil {
		ours = p.account.Added[strings.ToLower(r.Attribute)]
	}
	var out []string
	for _, c := range current {
		if among(r, values, c) || !among(r, ours, c) {
			out = append(out, c)
		}
	}
	for _, v := range values {
		if !among(r, out, v) {
			out = append(out, v)
		}
	}
	return out
}

// among tells whether a value is one of several, as the rule compares.
func among(r *mapping.Rule, values []string, value string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return equal(r, []string{v}, []string{value}) })
}

// kept gives the rule's values and those that are there besides.
func kept(values, current []string, keep mapping.Keep) []string {
	out := slices.Clone(values)
	for _, c := range current {
		if keep == mapping.KeepAlias {
			if kind, address, ok := strings.Cut(c, ":"); ok {
				c = strings.ToLower(kind) + ":" + address
			}
		}
		if !directory.Among(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// equal compares as directories do: text without regard to case and outer space
// unless the rule is exact, values in any order.
func equal(r *mapping.Rule, a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	same := func(x, y string) bool {
		return strings.EqualFold(x, y) || strings.EqualFold(strings.TrimSpace(x), strings.TrimSpace(y))
	}
	if r.Exact || r.Keep == mapping.KeepAlias || r.Type == connectorv1.Type_TYPE_BINARY {
		same = func(x, y string) bool { return x == y }
	}
	if len(a) == 1 {
		return same(a[0], b[0])
	}
	for _, x := range a {
		if !slices.ContainsFunc(b, func(y string) bool { return same(x, y) }) {
			return false
		}
	}
	return true
}

// modify plans what differs in attributes.
func (p *planner) modify(rules []*mapping.Rule) {
	var set, clear edit
	for _, r := range rules {
		current, _ := p.object.Get(r.Attribute)
		want, note, ok := p.want(r, current)
		switch {
		case !ok:
			continue
		case equal(r, current, want):
			p.agrees(r.Attribute)
			continue
		case len(p.in.Quarantined) > 0 && p.quarantined(r, want):
			continue
		}
		stands, changed := p.letsRule(r, want)
		if stands {
			continue
		}
		if changed {
			note = drifted
		}
		before := slices.Clone(current)
		e := &set
		if len(want) == 0 {
			e = &clear
		}
		e.add(&connectorv1.Change{Name: r.Attribute, Expect: before, Want: want}, p.reason(r, before, want, note))
	}
	p.edit("modify", set)
	p.edit("clear", clear)
}

func (p *planner) reason(r *mapping.Rule, before, after []string, note string) mapping.Reason {
	return mapping.Reason{Attribute: r.Attribute, Before: r.Shown(before), After: r.Shown(after), Rule: r.Text(), Line: r.Line(), From: p.view.Inputs(r), Note: note}
}
