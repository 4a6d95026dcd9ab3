package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Groups finds the directory's groups in the target, by folded key.
type Groups interface {
	// DirectoryGroup gives the native id of the group in this system; "" where it is not there yet.
	DirectoryGroup(key string) (id string)
	// Owned tells whether only members by rule remain in the group with the native id.
	Owned(id string) bool
	// Circle gives the keys on the way from one group up to another that it is in,
	// both included; nil where it is not in it.
	Circle(from, to string) []string
}

// A Made is a group that a rule makes, and the person is to be in.
type Made struct{ Key, Value, Display string }

// A Stranger is an object in an authoritative group that is nobody's account.
type Stranger struct{ ID, Class string }

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

// made notes the groups that rules make and the person is to be in, also while
// there is no account: the group may be made beside it.
func (p *planner) made() {
	if !p.t.Makes {
		return
	}
	for _, r := range p.t.Groups {
		if !r.Make {
			continue
		}
		v, err := p.view.Eval(r)
		if err != nil {
			p.out.Unmade = true
			p.expression(err)
			continue
		}
		for _, value := range v.All() {
			m := Made{Key: directory.MadeGroupKey(p.t.System, value), Value: value, Display: value}
			if r.Display != nil {
				d, err := p.view.Eval(r.Display)
				if err != nil {
					p.expression(err)
				} else if !d.Empty() {
					m.Display = d.First()
				}
			}
			p.out.Made = append(p.out.Made, m)
		}
	}
}

// A wish is a set of groups that the account shall be in, and what is new of it.
type wish struct {
	wanted, join []string
	reasons      []mapping.Reason
	broken       bool // something could not be told: nothing is left
}

// groups plans that the account is in the groups that the rules name, and in
// none that we put it in, or that are authoritative, and they do not name.
func (p *planner) groups() {
	if len(p.t.Groups) == 0 && len(p.account.Granted) == 0 && !p.t.Owns {
		return
	}
	present := p.memberships()
	var w wish
	for _, r := range p.t.Groups {
		v, err := p.view.Eval(r)
		if err != nil {
			p.expression(err)
			w.broken = true
			continue
		}
		for _, name := range v.All() {
			p.wishFor(&w, r, name, present)
		}
	}
	w.join = slices.DeleteFunc(w.join, func(id string) bool { return p.letsGroup(id, Joins) })
	leave := p.left(&w, present)
	p.membership(w.join, leave, w.reasons...)
}

// wishFor adds one group to the wish.
func (p *planner) wishFor(w *wish, r *mapping.Rule, name string, present []string) {
	id, key := "", ""
	switch {
	case r.Make:
		key = directory.Fold(directory.MadeGroupKey(p.t.System, name))
	case r.Directory:
		key = directory.Fold(directory.GroupKey(name))
	default:
		if id = p.in.Refs.Group(name); id == "" {
			p.problem("missing reference", &connectorv1.Fault{Cause: fmt.Sprintf("There is no group %q.", name), Object: p.account.Address,
				Attribute: "groups", NextStep: fmt.Sprintf("Make the group, or correct line %d of the document.", r.Line())})
			w.broken = true
			return
		}
	}
	if key != "" {
		if p.in.Groups != nil {
			id = p.in.Groups.DirectoryGroup(key)
		}
		if id == "" {
			p.out.Waits = append(p.out.Waits, key)
			return
		}
	}
	if !in(present, id) && p.circle(r, key, id) {
		return
	}
	w.wanted = append(w.wanted, id)
	if !in(present, id) && !in(w.join, id) {
		w.join = append(w.join, id)
		w.reasons = append(w.reasons, p.reason(r, nil, []string{name}, "joins the group"))
		w.reasons[len(w.reasons)-1].Attribute = "groups"
	}
}

// circle refuses that a group comes to be in itself, and names the way round.
func (p *planner) circle(r *mapping.Rule, key, id string) bool {
	if !p.t.OfGroups {
		return false
	}
	var way []string
	switch {
	case p.account.ID == id:
		way = []string{p.in.Person.Key}
	case key != "":
		way = p.in.Groups.Circle(key, p.in.Person.Key)
	}
	if way == nil {
		return false
	}
	p.problem("circle", &connectorv1.Fault{Cause: "The group would be in itself: " + strings.Join(append([]string{p.in.Person.Key}, way...), " in ") + ".",
		Object: p.account.Address, Attribute: "groups",
		NextStep: fmt.Sprintf("Take one of them out of the next in the source, or correct line %d of the document.", r.Line())})
	return true
}

// left gives the groups that the account is in against the rules: those that we
// put it in, and those in which only members by rule remain.
func (p *planner) left(w *wish, present []string) (leave []string) {
	if w.broken {
		return nil
	}
	for _, id := range p.account.Granted {
		if !in(w.wanted, id) && in(present, id) && !p.letsGroup(id, Leaves) {
			leave = append(leave, id)
			w.reasons = append(w.reasons, mapping.Reason{Attribute: "groups", Before: []string{id}, Rule: "no rule wants this group any more", Note: "leaves the group"})
		}
	}
	if !p.t.Owns || p.in.Groups == nil {
		return leave
	}
	for _, id := range present {
		if !in(w.wanted, id) && !in(leave, id) && p.in.Groups.Owned(id) && !p.letsGroup(id, Leaves) {
			leave = append(leave, id)
			w.reasons = append(w.reasons, mapping.Reason{Attribute: "groups", Before: []string{id}, Rule: owned, Note: "leaves the group"})
		}
	}
	return leave
}

// owned is the reason for which somebody leaves a group that is authoritative.
const owned = "the group is authoritative, and no rule wants this member"

// strangers plans that objects that are nobody's leave the group where it is authoritative.
func (p *planner) strangers() {
	if len(p.in.Strangers) == 0 || p.in.Groups == nil || !p.in.Groups.Owned(p.account.ID) {
		return
	}
	for _, s := range p.in.Strangers {
		p.op("membership", true, locksOut, &connectorv1.Operation{Verb: &connectorv1.Operation_ChangeMembership{
			ChangeMembership: &connectorv1.ChangeMembership{Leave: []string{p.account.ID}}}},
			mapping.Reason{Attribute: "groups", Before: []string{p.account.ID}, Rule: owned, Note: "leaves the group"})
		op := p.out.Ops[len(p.out.Ops)-1].Operation
		op.Id, op.Class = s.ID, s.Class
	}
}

// strip plans that a leaver's account leaves its groups.
func (p *planner) strip(which mapping.GroupsOfLeaver, why mapping.Reason) {
	var leave []string
	switch which {
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
