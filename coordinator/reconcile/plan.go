package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Plan says what to do for one person in one system.
func Plan(in Input) Output {
	p := planners.Get().(*planner)
	defer planners.Put(p)
	*p = planner{in: in, t: in.Target, object: p.object, chosen: p.chosen[:0]}
	p.view = p.t.View(in.Person, in.Now)
	defer p.view.Close()
	p.run()
	for _, at := range p.view.Next() {
		p.alarm(at, "a rule depends on this instant")
	}
	p.finish()
	out := p.out
	p.in, p.out = Input{}, Output{}
	return out
}

var planners = sync.Pool{New: func() any { return new(planner) }}

// A planner makes one plan.
type planner struct {
	in      Input
	t       *mapping.Target
	view    mapping.View
	account *Account // joined or present
	object  mapping.Object
	enabled bool
	told    bool // the object tells whether it is enabled
	out     Output

	chosen []choice // unique attributes, as they are or shall be
}

type choice struct{ attribute, value string }

func (p *planner) run() {
	if !p.find() {
		p.out.Unmade = true
		return
	}
	if p.in.Home {
		p.made()
		p.groups()
		return
	}
	if p.t.WriteBack {
		if p.account != nil && p.inScope() {
			p.modify(p.t.Rules)
		}
		return
	}
	tenure := p.in.Person.TenureAt(p.in.Now)
	life := p.t.Lifecycle
	leaveAt := life.Leave.At.After(tenure.End)
	enableAt := life.Enable.After(tenure.Start)
	p.alarm(enableAt, "the account is enabled "+life.Enable.String())
	p.alarm(leaveAt, "the person leaves")
	if life.Leave.Disable && !leaveAt.IsZero() {
		p.alarm(leaveAt.Add(-Lead), "the lock-out of a leaver is placed with the agent")
	}

	createAt := life.Create.After(tenure.Start)
	gone := p.gone(tenure, leaveAt, enableAt)
	switch {
	case p.account == nil && (gone == nil || gone.returns):
		if p.in.Now.Before(createAt) {
			p.alarm(createAt, "the account is made "+life.Create.String())
			return
		}
		if p.inScope() && !p.letsAccount() {
			p.made()
			p.create(!p.t.OfGroups && !p.in.Now.Before(enableAt))
			p.out.Settles = p.out.Settles && !(life.Leave.Disable && soon(leaveAt, p.in.Now))
		}
	case p.account == nil:
	case p.out.Join != "" && !p.inScope():
		p.out.Join = "" // not ours to touch
	case gone != nil:
		p.leave(*gone)
	case p.inScope():
		p.keep(tenure, enableAt)
	case p.out.Problem == nil && life.HoldOutOfScope:
		p.problem("out of scope", &connectorv1.Fault{Cause: "The person is not in the scope of the target any more, and has an account: " + p.t.Scope.Text() + ".",
			Object: p.account.Address, NextStep: "Correct the source or the scope; to have something done to such accounts, set out_of_scope to leave, or to what is to be done."})
	case p.out.Problem == nil && !life.IgnoreOutOfScope:
		p.leave(p.outside())
	}
}

// inScope tells whether the target is for the person; not where that cannot be told.
func (p *planner) inScope() bool {
	in, err := p.view.InScope()
	if err != nil {
		p.out.Unmade = true
		p.expression(err)
	}
	return err == nil && in
}

// A departure is why an account is that of a leaver, or of somebody out of scope.
type departure struct {
	parting mapping.Parting
	since   time.Time // zero: the account is not deleted by time
	returns bool      // on a day ahead
	why     mapping.Reason
}

// outside gives the departure of somebody out of scope. When they left it nothing
// tells: the scope, a date or a group may have changed as well as the person. So it
// is counted from when that was first seen, and never from before.
func (p *planner) outside() departure {
	d := departure{parting: p.t.Lifecycle.Leave.Parting, why: mapping.Reason{Rule: "out of scope: " + p.t.Scope.Text(), Line: p.t.Scope.Line(), From: p.view.Inputs(p.t.Scope)}}
	if own := p.t.Lifecycle.OutOfScope; own != nil {
		d.parting = *own
	}
	if d.parting.Delete != nil && d.parting.Delete.From == mapping.FromScope {
		p.out.Outside = true
		if d.since = p.in.Outside; d.since.IsZero() {
			d.since = p.in.Now
		}
	}
	return d
}

// gone gives the departure of somebody who has left, else nil.
func (p *planner) gone(t directory.Tenure, leaveAt, enableAt time.Time) *departure {
	now, leave, parting := p.in.Now, p.t.Lifecycle.Leave.At, p.t.Lifecycle.Leave.Parting
	switch {
	case !leaveAt.IsZero() && !now.Before(leaveAt):
		return &departure{parting: parting, since: t.End, why: mapping.Reason{Rule: "left: leave " + leave.String(), From: p.attribute("endDate")}}
	case !p.in.Person.HasSource:
		rule := "left: no source has a record of the person any more"
		if p.t.OfGroups {
			rule = "left: no rule names the group any more, and no source brings it"
		}
		return &departure{parting: parting, since: p.in.Person.Changed, why: mapping.Reason{Rule: rule}}
	case t.Ended:
		return &departure{parting: parting, since: p.in.Person.Changed, why: mapping.Reason{Rule: "left: the person is not active", From: p.attribute("active")}}
	case !t.Earlier.IsZero() && now.Before(enableAt) && !now.Before(leave.After(t.Earlier)):
		return &departure{parting: parting, returns: true, why: mapping.Reason{Rule: "left, and comes back on a day ahead", From: append(p.attribute("endDate"), p.attribute("startDate")...)}}
	}
	return nil
}

// attribute gives one of the person's attributes as a reason's input.
func (p *planner) attribute(path string) []mapping.Input {
	v, _ := p.in.Person.Attributes.Get(path)
	return []mapping.Input{{Name: path, Value: mapping.Text(v)}}
}

// find finds the account, and reads it. It is false where nothing can be said.
func (p *planner) find() bool {
	p.account = p.in.Account
	if p.account == nil && len(p.in.Candidates) > 1 {
		p.ambiguous()
		return false
	}
	if p.account == nil && len(p.in.Candidates) == 1 {
		p.account = &p.in.Candidates[0]
		p.out.Join = p.account.ID
	}
	if p.account == nil {
		return true
	}
	if err := p.object.Read(p.account.Object); err != nil {
		p.problem("invalid", &connectorv1.Fault{Cause: "The stored object of the account cannot be read.", Object: p.account.Address,
			NextStep: "Read the system in full.", Raw: err.Error()})
		return false
	}
	p.enabled, p.told = p.state()
	_, _, container, _ := mapping.SplitDN(p.account.Address)
	p.view.SetAccount(mapping.Container, container)
	p.view.SetGroups(p.inGroup)
	return true
}

func (p *planner) ambiguous() {
	places := make([]string, len(p.in.Candidates))
	for i, c := range p.in.Candidates {
		places[i] = c.Address
	}
	slices.Sort(places)
	value, _ := p.t.MatchValue(p.in.Person)
	p.problem("ambiguous", &connectorv1.Fault{
		Cause:     fmt.Sprintf("%d accounts have %s %q: %s.", len(places), p.t.Match, value, strings.Join(places, "; ")),
		Attribute: p.t.Match,
		NextStep:  fmt.Sprintf("Clear or correct %s on all but the person's own account, then read the system.", p.t.Match),
	})
}

// state tells whether the account may be used, and whether the object says so.
// Where it does not, the account is neither enabled nor disabled: nobody could
// tell that it had been done.
func (p *planner) state() (enabled, told bool) {
	v, _ := p.object.Get(p.t.EnabledAttribute)
	return len(v) == 1 && v[0] == "true", len(v) == 1
}

// alarm notes an instant ahead.
func (p *planner) alarm(at time.Time, why string) {
	if at.After(p.in.Now) {
		p.out.Alarms = append(p.out.Alarms, Alarm{at, why})
	}
}

// problem keeps the first thing that somebody must see to.
func (p *planner) problem(kind string, fault *connectorv1.Fault) {
	if p.out.Problem == nil {
		p.out.Problem = &Problem{Kind: kind, Fault: fault}
	}
}

// expression tells of a rule that could not be evaluated.
func (p *planner) expression(err error) {
	fault := &connectorv1.Fault{Cause: "A rule cannot be evaluated: " + err.Error() + ".", NextStep: "Correct the value in the source, or the rule."}
	if r, ok := err.(*mapping.RecordError); ok {
		fault.Attribute = r.Attribute
	}
	if p.account != nil {
		fault.Object = p.account.Address
	}
	p.problem("expression", fault)
}

// Truth of an operation: what locks out stays true, what lets in goes stale.
const (
	letsIn   = 12 * time.Hour
	ordinary = 72 * time.Hour
	locksOut = 7 * 24 * time.Hour
)

// op adds an operation.
func (p *planner) op(class string, takes bool, truth time.Duration, o *connectorv1.Operation, reasons ...mapping.Reason) {
	o.Class, o.ReturnAttributes = p.t.Class, p.t.Attributes
	if p.account != nil {
		o.Id = p.account.ID
	}
	p.out.Ops = append(p.out.Ops, Op{Class: class, Operation: o, Takes: takes, Reasons: reasons, NotAfter: p.in.Now.Add(truth)})
}

// limited tells whether the document limits a class that takes nothing away.
func (p *planner) limited(class string) bool { return !p.t.Threshold(class).None }

// finish puts alarms and waits in order, each once.
func (p *planner) finish() {
	p.out.Settles = p.out.Settles && p.out.Problem == nil
	if len(p.out.Alarms) > 1 {
		slices.SortStableFunc(p.out.Alarms, func(a, b Alarm) int { return a.At.Compare(b.At) })
		p.out.Alarms = slices.CompactFunc(p.out.Alarms, func(a, b Alarm) bool { return a.At.Equal(b.At) })
	}
	if len(p.out.Waits) > 1 {
		slices.Sort(p.out.Waits)
		p.out.Waits = slices.Compact(p.out.Waits)
	}
}
