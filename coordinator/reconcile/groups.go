package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// memberships gives the native ids of the groups that the account is in, as far
// as is known: what the object says, else what we did.
func (p *planner) memberships() []string {
	if p.t.MemberOf != "" {
		if ids, known := p.object.Get(p.t.MemberOf); known {
			return ids
		}
	}
	return p.account.Granted
}

// inGroup tells whether the account is in the group with the name.
func (p *planner) inGroup(name string) bool {
	id := p.in.Refs.Group(name)
	return id != "" && in(p.memberships(), id)
}

// groups plans that the account is in the groups that the rules name, and in
// none that we put it in and they do not name any more.
func (p *planner) groups() {
	if len(p.t.Groups) == 0 && len(p.account.Granted) == 0 {
		return
	}
	present := p.memberships()
	var wanted, join, leave []string
	var reasons []mapping.Reason
	whole := true
	for _, r := range p.t.Groups {
		v, err := p.view.Eval(r)
		if err != nil {
			p.expression(err)
			whole = false
			continue
		}
		for _, name := range v.All() {
			id := p.in.Refs.Group(name)
			if id == "" {
				p.problem("missing reference", &connectorv1.Fault{Cause: fmt.Sprintf("There is no group %q.", name), Object: p.account.Address,
					Attribute: "groups", NextStep: fmt.Sprintf("Make the group, or correct line %d of the document.", r.Line())})
				whole = false
				continue
			}
			wanted = append(wanted, id)
			if !in(present, id) && !in(join, id) {
				join = append(join, id)
				reasons = append(reasons, p.reason(r, nil, []string{name}, "joins the group"))
				reasons[len(reasons)-1].Attribute = "groups"
			}
		}
	}
	join = slices.DeleteFunc(join, func(id string) bool { return p.letsGroup(id, Joins) })
	for _, id := range p.account.Granted {
		if whole && !in(wanted, id) && in(present, id) && !p.letsGroup(id, Leaves) {
			leave = append(leave, id)
			reasons = append(reasons, mapping.Reason{Attribute: "groups", Before: []string{id}, Rule: "no rule wants this group any more", Note: "leaves the group"})
		}
	}
	p.membership(join, leave, reasons...)
}

// strip plans that a leaver's account leaves its groups.
func (p *planner) strip(why mapping.Reason) {
	var leave []string
	switch p.t.Lifecycle.Leave.Groups {
	case mapping.StripAll:
		leave = slices.Clone(p.memberships())
	case mapping.StripOurs:
		present := p.memberships()
		leave = slices.DeleteFunc(slices.Clone(p.account.Granted), func(id string) bool { return !in(present, id) })
	}
	leave = slices.DeleteFunc(leave, func(id string) bool { return p.letsGroup(id, Leaves) })
	why.Attribute, why.Before = "groups", leave
	p.membership(nil, leave, why)
}

func (p *planner) membership(join, leave []string, reasons ...mapping.Reason) {
	if len(join)+len(leave) == 0 {
		return
	}
	truth := letsIn
	if len(join) == 0 {
		truth = locksOut
	}
	p.op("membership", len(leave) > 0, truth, &connectorv1.Operation{Verb: &connectorv1.Operation_ChangeMembership{
		ChangeMembership: &connectorv1.ChangeMembership{Join: join, Leave: leave}}}, reasons...)
}

// in compares native ids.
func in(ids []string, id string) bool {
	return slices.ContainsFunc(ids, func(i string) bool { return strings.EqualFold(i, id) })
}
