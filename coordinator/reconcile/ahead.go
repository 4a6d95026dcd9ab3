package reconcile

import (
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Lead is how long before somebody leaves their lock-out is placed with the agent.
const Lead = 30 * 24 * time.Hour

// Truth is how long after its instant a lock-out placed ahead may still be begun.
const Truth = locksOut

// Ahead gives the instant at which the person's account is to be locked by
// their end date, zero where there is none, and the operation to be placed with
// the agent for it: nil while that is too far ahead or not ahead any more, or
// the account cannot be used as it is.
func Ahead(in Input) (at time.Time, op *Op) {
	life := in.Target.Lifecycle
	tenure := in.Person.TenureAt(in.Now)
	at = life.Leave.At.After(tenure.End)
	if !life.Leave.Disable || in.Account == nil || !soon(at, in.Now) {
		return at, nil
	}
	p := planners.Get().(*planner)
	defer planners.Put(p)
	*p = planner{in: in, t: in.Target, object: p.object, chosen: p.chosen[:0]}
	p.view = p.t.View(in.Person, in.Now)
	defer p.view.Close()
	if p.find() && p.told && p.enabled && p.inScope() && p.gone(tenure, at, life.Enable.After(tenure.Start)) == nil {
		p.lock(mapping.Reason{Rule: "leaves: leave " + life.Leave.At.String() + ", placed ahead of time", From: p.attribute("endDate")})
		op = &p.out.Ops[0]
		op.NotAfter = at.Add(Truth)
	}
	p.in, p.out = Input{}, Output{}
	return at, op
}

// soon tells whether somebody's lock-out is ahead and near enough to be placed.
func soon(at, now time.Time) bool { return at.After(now) && !at.After(now.Add(Lead)) }

// lock adds the operation that locks the account.
func (p *planner) lock(why mapping.Reason) {
	why.Attribute, why.Before, why.After = "enabled", []string{"true"}, []string{"false"}
	p.op("disable", true, locksOut, &connectorv1.Operation{Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{}}}, why)
}
