package reconcile

import (
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// create plans a new account. A problem with what it cannot do without stops
// it; any other attribute that has one is left out.
func (p *planner) create(enabled bool) {
	where, name, ok := p.place(p.t.Container)
	if !ok || !p.choose() {
		return
	}
	name, ok = p.free(p.t.Name.Attribute, where, name)
	if !ok {
		return
	}
	c := &connectorv1.Create{Container: where, Name: name, Enabled: enabled, MakeContainers: p.t.MakeContainers,
		Attributes: make([]*connectorv1.Attribute, 0, len(p.t.Rules))}
	reasons := make([]mapping.Reason, 0, len(p.t.Rules)+2) // with name and container
	for _, r := range p.t.Rules {
		values, note, ok := p.want(r, nil)
		if !ok || len(values) == 0 || len(p.in.Quarantined) > 0 && p.quarantined(r, values) {
			continue
		}
		c.Attributes = append(c.Attributes, &connectorv1.Attribute{Name: r.Attribute, Values: values})
		reasons = append(reasons, p.reason(r, nil, values, note))
	}
	slices.SortFunc(c.Attributes, func(a, b *connectorv1.Attribute) int { return strings.Compare(a.Name, b.Name) })
	c.Anchor = p.anchor(c)
	if w := p.t.Password; w != nil {
		to, ok := p.recipients(w.Recipients)
		if !ok {
			return
		}
		c.Password = p.rule(to)
	}
	reasons = append(reasons, p.reason(p.t.Name, nil, []string{name}, ""))
	if p.t.Container != nil {
		reasons = append(reasons, p.reason(p.t.Container, nil, []string{where}, ""))
	}
	p.op("create", p.limited("create"), letsIn, &connectorv1.Operation{Verb: &connectorv1.Operation_Create{Create: c}}, reasons...)
	p.out.Settles = len(p.t.Groups) == 0
}

// anchor gives that by which an earlier attempt is recognised: the match
// attribute, else one whose value is nobody else's.
func (p *planner) anchor(c *connectorv1.Create) *connectorv1.Attribute {
	for _, a := range c.Attributes {
		if strings.EqualFold(a.Name, p.t.Match) && len(a.Values) == 1 {
			return a
		}
	}
	if len(p.chosen) > 0 {
		return &connectorv1.Attribute{Name: p.chosen[0].attribute, Values: []string{p.chosen[0].value}}
	}
	return &connectorv1.Attribute{Name: p.t.Name.Attribute, Values: []string{c.Name}}
}

// keep plans for the account of somebody employed, or soon to be: where it is,
// what it holds, its groups, and last that it may be used.
func (p *planner) keep(t directory.Tenure, enableAt time.Time) {
	enable := p.told && !p.enabled && !p.in.Now.Before(enableAt)
	if enable && p.t.Lifecycle.HoldRehire && p.wasLeaver(t) {
		p.out.Unmade = true
		p.problem("rehire", &connectorv1.Fault{Cause: "The person comes back, and the document says to hold their return.", Object: p.account.Address,
			NextStep: "Enable the account by hand, or set rehire to restore."})
		return
	}
	p.made()
	p.choose()
	p.move(p.t.Container, true)
	p.modify(p.t.Rules)
	p.groups()
	p.strangers()
	if !enable {
		if p.told && p.enabled {
			p.agrees(OfEnabled)
		}
		return
	}
	if p.letsState("true") {
		return
	}
	if p.in.ByHand != nil && p.in.ByHand() {
		p.problem("by hand", &connectorv1.Fault{Cause: "The person is employed, but somebody has disabled the account in the system.", Object: p.account.Address,
			NextStep: "Enable it there when the reason is gone; it is not overruled from here."})
		return
	}
	p.op("enable", p.limited("enable"), letsIn, &connectorv1.Operation{Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{Enabled: true}}},
		mapping.Reason{Attribute: "enabled", Before: []string{"false"}, After: []string{"true"},
			Rule: "employed: enable " + p.t.Lifecycle.Enable.String(), From: p.attribute("startDate")})
}

// wasLeaver tells whether the account is as a leaver's is.
func (p *planner) wasLeaver(t directory.Tenure) bool {
	if !t.Earlier.IsZero() {
		return true
	}
	leavers := p.t.Lifecycle.Leave.Container
	if leavers == nil {
		return false
	}
	v, err := p.view.Eval(leavers)
	_, _, container, ok := mapping.SplitDN(p.account.Address)
	return err == nil && ok && sameDN(container, v.First())
}

// leave plans for the account of a leaver, or of somebody out of scope: locked
// first, then out of its groups, then out of the way; and gone when it is time.
// What comes before the deletion is done also when that is due: it may be held,
// or denied.
func (p *planner) leave(gone departure) {
	leave, why := gone.parting, gone.why
	let := false // somebody lets it be open
	switch open := p.told && p.enabled; {
	case leave.Disable && !open && p.told:
		p.agrees(OfEnabled)
	case leave.Disable && open:
		if let = p.letsState("false"); !let {
			p.lock(why)
		}
	}
	p.strip(leave.Groups, why)
	p.modify(leave.Rules)
	if leave.Container != nil {
		p.move(leave.Container, false)
	}
	if leave.Delete == nil || gone.since.IsZero() {
		return
	}
	switch at := leave.Delete.After(gone.since); {
	case p.in.Now.Before(at):
		p.alarm(at, "the account is deleted "+leave.Delete.String())
	case !let:
		why.Attribute, why.Note = "account", "delete "+leave.Delete.String()
		p.op("delete", true, letsIn, &connectorv1.Operation{Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}}, why)
	}
}
