package reconcile

import (
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A Deviation is where an account is known to be other than the rules want:
// somebody changed it at the system, or a change of ours was undone. What is
// refused is not written while the rules want just that; when they want
// something else, or the account is as they want it, the deviation ends.
type Deviation struct {
	// Attribute is one of a rule, OfAddress, OfEnabled, OfAccount, or OfGroup and the native id of a group.
	Attribute string
	Refused   []string
	At        time.Time
	// Stands: it is let be. Else it is known and put right.
	Stands bool
}

// What else than attributes of rules a deviation may be of.
const (
	OfAddress = "address"
	OfEnabled = "enabled"
	OfAccount = "account"
	OfGroup   = "group " // and a native id; refused is Joins or Leaves
	Joins     = "joins"
	Leaves    = "leaves"
)

// drifted is the note of an operation that puts right what somebody changed.
const drifted = "somebody changed it at the system"

// lets tells whether something is let be as it is, because just what is wanted
// is refused; and whether somebody changed it at the system. A deviation that
// refuses something else is over.
func (p *planner) lets(attribute string, refuses func(refused []string) bool) (stands, changed bool) {
	for _, d := range p.in.Deviations {
		if !strings.EqualFold(d.Attribute, attribute) {
			continue
		}
		if refuses(d.Refused) {
			return d.Stands, !d.Stands
		}
		p.out.Ended = append(p.out.Ended, d.Attribute)
	}
	return false, false
}

// agrees ends the deviation of something that is as it is wanted.
func (p *planner) agrees(attribute string) {
	for _, d := range p.in.Deviations {
		if strings.EqualFold(d.Attribute, attribute) {
			p.out.Ended = append(p.out.Ended, d.Attribute)
		}
	}
}

// letsRule is lets for the attribute of a rule.
func (p *planner) letsRule(r *mapping.Rule, want []string) (stands, changed bool) {
	if len(p.in.Deviations) == 0 {
		return false, false
	}
	if r.Keep == mapping.KeepAdditive { // others may have written besides: only the rule's own values count
		v, err := p.view.Eval(r)
		return p.lets(r.Attribute, func(refused []string) bool {
			return err == nil && !slices.ContainsFunc(v.All(), func(own string) bool { return !among(r, refused, own) })
		})
	}
	return p.lets(r.Attribute, func(refused []string) bool { return equal(r, refused, want) })
}

// letsState is lets for whether the account may be used.
func (p *planner) letsState(want string) bool {
	stands, _ := p.lets(OfEnabled, func(refused []string) bool { return slices.Equal(refused, []string{want}) })
	return stands
}

// letsGroup is lets for joining or leaving a group.
func (p *planner) letsGroup(id, what string) bool {
	stands, _ := p.lets(OfGroup+id, func(refused []string) bool { return slices.Equal(refused, []string{what}) })
	return stands
}

// letsAccount tells whether there shall be no account: one was made, and that
// was undone. It is over when anything of the person has changed since.
func (p *planner) letsAccount() bool {
	stands, _ := p.lets(OfAccount, func([]string) bool {
		return !slices.ContainsFunc(p.in.Deviations, func(d Deviation) bool { return d.Attribute == OfAccount && p.in.Person.Changed.After(d.At) })
	})
	return stands
}

// A quarantine is an attribute that the system would not take a value for.
type Quarantine struct {
	Attribute string
	Values    []string
}

// quarantined tells whether just this value was refused for the attribute, and its time has not come again.
func (p *planner) quarantined(r *mapping.Rule, want []string) bool {
	is := slices.ContainsFunc(p.in.Quarantined, func(q Quarantine) bool {
		return strings.EqualFold(q.Attribute, r.Attribute) && equal(r, q.Values, want)
	})
	p.out.Withheld = p.out.Withheld || is
	return is
}

// edit adds what a modify, or a clear, changes.
type edit struct {
	changes []*connectorv1.Change
	reasons []mapping.Reason
	takes   bool
}

func (e *edit) add(c *connectorv1.Change, r mapping.Reason) {
	e.changes, e.reasons = append(e.changes, c), append(e.reasons, r)
	e.takes = e.takes || slices.ContainsFunc(c.GetExpect(), func(v string) bool { return !slices.Contains(c.GetWant(), v) })
}

func (p *planner) edit(class string, e edit) {
	if len(e.changes) > 0 {
		p.op(class, e.takes, ordinary, &connectorv1.Operation{Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{Changes: e.changes}}}, e.reasons...)
	}
}
