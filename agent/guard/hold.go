package guard

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	waitStep = 5 * time.Second // after which a job that waits is looked at again
	mostHeld = 512             // jobs that wait; more are denied, so that others are not kept out
)

type heldKey struct {
	system string
	job    uint64
}

// held is a job that waits. An approval is for what it does, not for its number.
type held struct {
	*linkv1.WaitingJob
	sum [32]byte
}

// byPast has a job wait for its hour, its budget, or a person.
func (c *check) byPast(context.Context) *Verdict {
	if c.Paid {
		return nil
	}
	rule, why := c.early()
	if why == "" {
		return nil
	}
	if c.policy.Mode == Observe {
		return c.report(&denial{rule: rule, cause: why})
	}
	key, sum := heldKey{c.System.GetName(), c.Job.GetId()}, sumOf(c.op)
	if ok, err := c.guard.journal.takeApproval(key, sum); err == nil && ok {
		c.approved = true
		return nil
	}
	first, full := c.guard.hold(key, held{sum: sum, WaitingJob: &linkv1.WaitingJob{
		Job: key.job, System: key.system, Cause: fmt.Sprintf("%s (%s)", why, rule), Since: timestamppb.New(c.now),
	}})
	if full {
		return c.deny(&denial{rule: rule, cause: fmt.Sprintf("%s, and %d jobs wait for an approval already", why, mostHeld)})
	}
	if first {
		c.guard.opt.Log.Warn("Guardrail has a job wait", "system", key.system, "job", key.job, "rule", rule.String(), "cause", why)
	}
	return &Verdict{Decision: Wait, Until: c.now.Truncate(waitStep).Add(waitStep), Fault: &connectorv1.Fault{
		Cause:    fmt.Sprintf("waits at the guardrail of the agent's host: %s (%s)", why, rule),
		NextStep: "Wait until the budget has room, or approve it on the agent's host with `drawbridge-agent approve`.",
		Raw:      rule.String(),
	}}
}

// early says why a job cannot be done yet; "" means that it can.
func (c *check) early() (rule Rule, why string) {
	if !c.rules.open(c.verb, c.now) {
		return c.rules.rule("hours"), fmt.Sprintf("%s is not done at this hour", c.verb)
	}
	which, limit, done := c.guard.journal.over(c.System.GetName(), c.verb, c.weight, c.rules.limit(c.verb), c.now)
	if which == "" {
		return Rule{}, ""
	}
	return c.rules.rule("budgets." + c.verb + "." + which),
		fmt.Sprintf("%d of %d a %s are done already, and this is %d more: %s waits", done, limit, which, c.weight, c.verb)
}

// charge counts what is about to be done.
func (c *check) charge(context.Context) *Verdict {
	if c.Paid {
		return nil
	}
	limits := c.rules.limit(c.verb)
	if c.approved || c.policy.Mode == Observe {
		limits = nil
	}
	paid, err := c.guard.journal.charge(c.System.GetName(), c.verb, c.weight, limits, c.now)
	switch {
	case err != nil:
		return c.deny(&denial{rule: builtIn("budget"), cause: "what is done cannot be counted: " + err.Error(), builtIn: true})
	case !paid: // others were quicker
		return &Verdict{Decision: Wait, Until: c.now, Fault: &connectorv1.Fault{Cause: "the budget was used up a moment ago"}}
	}
	c.guard.Forget(c.System.GetName(), c.Job.GetId())
	return nil
}

// hold keeps a job among those that wait; first tells that it was not there yet,
// full that there is no room for it.
func (g *Guard) hold(key heldKey, job held) (first, full bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, waits := g.held[key]; waits {
		return false, false
	}
	if len(g.held) >= mostHeld {
		return false, true
	}
	g.held[key] = job
	g.dirty = true
	return true, false
}

// Forget drops a job that waits no more: it is carried out, or has ended
// otherwise, as by going stale.
func (g *Guard) Forget(system string, job uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := heldKey{system, job}
	if _, waits := g.held[key]; waits {
		delete(g.held, key)
		g.dirty = true
	}
}

// Approve lets jobs that wait pass their budgets and hours, once. It returns
// those that do not wait. who is for the log.
func (g *Guard) Approve(jobs []uint64, all bool, who string) (missing []uint64, err error) {
	approved := make(map[heldKey]held)
	missing = slices.Clone(jobs)
	g.mu.Lock()
	for key, w := range g.held {
		if all || slices.Contains(jobs, key.job) {
			approved[key] = w
			missing = slices.DeleteFunc(missing, func(id uint64) bool { return id == key.job })
		}
	}
	g.mu.Unlock()
	for key, w := range approved {
		if err := g.journal.approve(key, w.sum); err != nil {
			return missing, err
		}
		g.opt.Log.Warn("Job approved", "system", key.system, "job", key.job, "by", who)
	}
	return missing, nil
}
