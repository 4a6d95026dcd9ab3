package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A Question is a job on its way to a system.
type Question struct {
	System  *linkv1.System
	Job     *linkv1.Job
	Ahead   []*linkv1.Job // those that will come next, so that one look at the system serves many
	Inspect Inspect       // nil where the connector cannot
	Paid    bool          // it was allowed before, and is only tried again
}

// Inspect asks the system; host.Process has it.
type Inspect func(context.Context, *connectorv1.InspectRequest) (*connectorv1.InspectResponse, error)

// A Decision is what is to be done with a job.
type Decision int

// The decisions. The zero value is not to let a job pass by omission.
const (
	Deny  Decision = iota // answer it with Fault
	Allow                 // let it pass
	Wait                  // ask again after Until; Fault says why
	Later                 // the system cannot be asked now: treat it by Fault or Err as a call that failed
)

// A Verdict is the answer to a [Question].
type Verdict struct {
	Decision Decision
	Outcome  connectorv1.Outcome // of Deny: DENIED; or what the system would answer of an object that is not there
	Fault    *connectorv1.Fault
	Err      error
	Until    time.Time
}

// Check decides about a job. A job that is allowed has been charged to its
// budgets, and is to be carried out now.
func (g *Guard) Check(ctx context.Context, q Question) Verdict {
	c := check{Question: q, guard: g, policy: g.Policy(), now: g.opt.Now(), op: q.Job.GetApply()}
	c.rules, c.named = c.policy.system(q.System.GetName(), q.System.GetConnector())
	steps := []func(context.Context) *Verdict{c.byRead}
	switch {
	case c.policy.Err != nil:
		steps = []func(context.Context) *Verdict{c.byFault}
	case c.op != nil:
		c.verb, c.weight = verbOf(c.op)
		g.journal.saw(q.System.GetName(), q.System.GetConnector(), c.op, c.now)
		steps = []func(context.Context) *Verdict{c.byWord, c.byPast, c.byObject, c.charge}
	}
	for _, step := range steps {
		if v := step(ctx); v != nil {
			return *v
		}
	}
	return Verdict{Decision: Allow}
}

// A check is a question that is being answered. Its steps return nil for a job
// that they let pass.
type check struct {
	Question
	guard    *Guard
	policy   *Policy
	rules    *System // those of the policy for the system
	named    bool    // the policy, if there is one, names the system
	op       *connectorv1.Operation
	verb     string
	weight   int
	now      time.Time
	approved bool // a person has let it pass its hours and budgets, once
}

// byFault denies what a policy would judge that cannot be used.
func (c *check) byFault(context.Context) *Verdict {
	return c.deny(&denial{rule: c.policy.at(""), cause: "the guardrail cannot be used: " + c.policy.Err.Error(), builtIn: true})
}

// byRead keeps what must not leave from being asked for by a look-up.
func (c *check) byRead(context.Context) *Verdict {
	attribute := c.Job.GetFind().GetAttribute()
	i := c.rules.withheld(attribute)
	if c.Job.GetFind() == nil || i < 0 {
		return nil
	}
	return c.report(&denial{rule: c.rules.rule(fmt.Sprintf("withhold[%d]", i)), attribute: attribute,
		cause: fmt.Sprintf("values of %s may not leave this site, nor be asked for", attribute)})
}

// byWord judges a job by what it says itself.
func (c *check) byWord(context.Context) *Verdict {
	if !c.named {
		if v := c.report(&denial{rule: c.policy.at("systems"), cause: fmt.Sprintf("system %q is not named in the guardrail", c.System.GetName())}); v != nil {
			return v
		}
	}
	return c.reportAll(c.rules.static(c.op, c.verb))
}

// byObject judges a job by what the system says now of what it would touch.
func (c *check) byObject(ctx context.Context) *Verdict {
	if !needsFacts(c.op) {
		return nil
	}
	if c.Inspect == nil {
		if c.System.GetConnector() != activeDirectory {
			return nil
		}
		return c.deny(&denial{rule: builtIn("never-touch"), builtIn: true,
			cause: "this release of the connector cannot tell what the object is to the domain's security"})
	}
	denials, missing, err := c.guard.factsOf(c.System.GetName()).judge(ctx, c.rules, c.Question, c.now, c.guard.journal)
	switch {
	case err != nil:
		return c.unread(err)
	case missing != "":
		return absent(c.op, missing)
	}
	return c.reportAll(denials)
}

// absent is the verdict on an object that is not where objects are looked for.
// The connector is not asked: it might find it in a part of the directory that
// is not the domain.
func absent(op *connectorv1.Operation, id string) *Verdict {
	if op.GetDelete() != nil {
		return &Verdict{Decision: Deny, Outcome: connectorv1.Outcome_OUTCOME_DONE}
	}
	return &Verdict{Decision: Deny, Outcome: connectorv1.Outcome_OUTCOME_NOT_FOUND, Fault: &connectorv1.Fault{
		Cause: "the object is no longer in the directory", Object: id, NextStep: "Nothing: it is read and planned again.",
	}}
}

// unread is the verdict where the system did not say what must be known.
func (c *check) unread(err error) *Verdict {
	var refused *refusedError
	if !errors.As(err, &refused) {
		return &Verdict{Decision: Later, Err: err}
	}
	switch refused.outcome {
	case connectorv1.Outcome_OUTCOME_UNAVAILABLE, connectorv1.Outcome_OUTCOME_UNKNOWN:
		return &Verdict{Decision: Later, Fault: refused.fault}
	}
	return c.deny(&denial{rule: builtIn("never-touch"), builtIn: true, object: refused.fault.GetObject(), attribute: refused.fault.GetAttribute(),
		cause: "what must be known of the object before it is written cannot be read: " + refused.fault.GetCause()})
}

// A denial is a rule that speaks against a job.
type denial struct {
	rule      Rule
	cause     string
	object    string
	attribute string
	builtIn   bool // holds also in mode observe
}

// reportAll reports denials until one stops the job.
func (c *check) reportAll(denials []*denial) *Verdict {
	for _, d := range denials {
		if v := c.report(d); v != nil {
			return v
		}
	}
	return nil
}

// report counts a denial. It stops the job unless the policy only observes and
// the rule is the admin's own.
func (c *check) report(d *denial) *Verdict {
	v := c.deny(d)
	if c.policy.Mode == Observe && !d.builtIn {
		return nil
	}
	return v
}

// deny counts a denial, says so in the log, and returns it as the job's answer.
func (c *check) deny(d *denial) *Verdict {
	if c.guard.count(heldKey{c.System.GetName(), c.Job.GetId()}, d, c.now) {
		message := "Guardrail denied a job"
		if c.policy.Mode == Observe && !d.builtIn {
			message = "Guardrail would have denied a job"
		}
		c.guard.opt.Log.Warn(message, "system", c.System.GetName(), "job", c.Job.GetId(), "rule", d.rule.String(), "cause", d.cause,
			"object", d.object, "attribute", d.attribute)
	}
	return &Verdict{Decision: Deny, Outcome: connectorv1.Outcome_OUTCOME_DENIED, Fault: &connectorv1.Fault{
		Cause:  fmt.Sprintf("denied by the guardrail of the agent's host: %s (%s)", d.cause, d.rule),
		Object: d.object, Attribute: d.attribute, Raw: d.rule.String(),
		NextStep: "If this is wanted, the domain's admin changes " + d.rule.where() + " on the agent's host; else find out who planned it.",
	}}
}

// count counts a denied job, which waits no more; loud tells to log it, which is
// once a second for each rule: a flood of denials is no flood of lines.
func (g *Guard) count(key heldKey, d *denial, now time.Time) (loud bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.denied++
	g.dirty = true
	delete(g.held, key)
	if now.Sub(g.told[d.rule.String()]) <= time.Second {
		return false
	}
	if len(g.told) > 1000 {
		clear(g.told)
	}
	g.told[d.rule.String()] = now
	return true
}

// MayLeave returns those of a system's attributes that may leave the site.
func (g *Guard) MayLeave(system *linkv1.System) []string {
	policy := g.Policy()
	s, _ := policy.system(system.GetName(), system.GetConnector())
	return slices.DeleteFunc(slices.Clone(system.GetAttributes()), func(name string) bool {
		if s.withheld(name) < 0 {
			return false
		}
		g.opt.Log.Warn("Attribute is withheld", "system", system.GetName(), "attribute", name, "mode", policy.Mode)
		return policy.Mode != Observe
	})
}
