package reconcile

import (
	"fmt"
	"iter"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// placeAttribute is what the ledger calls places in containers by.
const placeAttribute = "address"

// place gives the container that a rule wants and the name there. It is not ok
// where a rule could not be evaluated or gave nothing.
func (p *planner) place(container *mapping.Rule) (where, name string, ok bool) {
	for _, one := range []struct {
		rule *mapping.Rule
		to   *string
	}{{container, &where}, {p.t.Name, &name}} {
		if one.rule == nil {
			continue
		}
		v, err := p.view.Eval(one.rule)
		if err != nil {
			p.expression(err)
			return "", "", false
		}
		if *one.to = strings.TrimSpace(v.First()); *one.to != "" {
			continue
		}
		if p.account == nil || v.Known {
			p.problem("invalid", &connectorv1.Fault{
				Cause:     fmt.Sprintf("The rule gives nothing for %s: %s (%s).", one.rule.Attribute, one.rule.Text(), inputs(p.view.Inputs(one.rule))),
				Attribute: one.rule.Attribute, NextStep: "Fill what the rule reads in the source, or correct the rule."})
		}
		return "", "", false
	}
	return where, name, true
}

// free gives the first name from the wanted on that is free in the container.
func (p *planner) free(attribute, container string, names ...string) (string, bool) {
	if container == "" {
		return names[len(names)-1], true
	}
	picked, ok := p.in.Names.Pick(placeAttribute, p.addresses(attribute, container, names))
	if !ok {
		p.problem("taken", &connectorv1.Fault{Cause: fmt.Sprintf("Every name is taken in %s, from %s on.", container, names[0]),
			Attribute: p.t.Name.Attribute, NextStep: "Give the rule of the name something that tells people apart."})
		return "", false
	}
	_, name, _, _ := mapping.SplitDN(picked)
	return name, true
}

func (p *planner) addresses(attribute, container string, names []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range p.t.Name.Sequence(names) {
			if !yield(strings.ToUpper(attribute) + "=" + mapping.EscapeDN(name) + "," + container) {
				return
			}
		}
	}
}

// move plans that the account is where the rules want it, under its name. A
// system whose addresses are no distinguished names has no places.
func (p *planner) move(container *mapping.Rule, rename bool) {
	attribute, nowName, nowIn, ok := mapping.SplitDN(p.account.Address)
	if !ok {
		return
	}
	where, name, ok := p.place(container)
	if !ok {
		return
	}
	if container == nil {
		where = nowIn
	}
	fits := !rename || p.t.Name.Gave(nowName, []string{name})
	stays := sameDN(nowIn, where)
	if fits && stays {
		p.agrees(OfAddress)
		return
	}
	if stands, _ := p.lets(OfAddress, func(refused []string) bool {
		_, n, c, ok := mapping.SplitDN(strings.Join(refused, ""))
		return ok && sameDN(c, where) && (!rename || p.t.Name.Gave(n, []string{name}))
	}); stands {
		return
	}
	candidates := []string{name}
	if fits {
		candidates = []string{nowName, name}
	}
	if !rename {
		candidates = []string{nowName}
	}
	name, ok = p.free(attribute, where, candidates...)
	if !ok {
		return
	}
	var reasons []mapping.Reason
	if !stays {
		reasons = append(reasons, p.reason(container, []string{nowIn}, []string{where}, ""))
		reasons[0].Attribute = "container"
	}
	if name != nowName {
		reasons = append(reasons, p.reason(p.t.Name, []string{nowName}, []string{name}, ""))
	}
	p.op("move", true, ordinary, &connectorv1.Operation{Verb: &connectorv1.Operation_Move{Move: &connectorv1.Move{
		ExpectAddress: p.account.Address, Container: where, Name: name, MakeContainers: p.t.MakeContainers,
	}}}, reasons...)
}

// SameDN tells whether two distinguished names are of the same object.
func SameDN(a, b string) bool { return sameDN(a, b) }

// sameDN tells whether two distinguished names are of the same object.
func sameDN(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	for a != "" && b != "" {
		var attributeA, attributeB, nameA, nameB string
		var okA, okB bool
		attributeA, nameA, a, okA = mapping.SplitDN(a)
		attributeB, nameB, b, okB = mapping.SplitDN(b)
		if !okA || !okB || !strings.EqualFold(attributeA, attributeB) || directory.Fold(nameA) != directory.Fold(nameB) {
			return false
		}
	}
	return a == b
}
