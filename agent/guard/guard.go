// Package guard is the guardrail: the domain admin's local policy, which the
// cloud cannot change. It is asked last, after everything that the cloud can
// influence, and reads the system at write time. When it cannot decide, it
// denies.
//
//	job ─► verbs, classes, attributes, account bits, places   (what the job says)
//	    ─► hours, budgets, approvals                          (what was done before)
//	    ─► place, classes, security id, groups of the object  (what the system says now)
//	    ─► charge the budget ─► the connector
//
// The file guardrail.yaml is read when it changes. Without one, the built-in
// rules stand alone: they hold for Active Directory and protect administrators,
// what makes administrators, and computers.
//
// What may go wrong, and what comes of it:
//
//	the file cannot be read, has faults, may be written by others,
//	its signature does not fit, or it is gone       everything is denied
//	the system cannot be reached                    the job waits, as it would without a guardrail
//	the system does not show what must be known     denied
//	a budget is used up, or the hour is wrong       the job waits, for time or an approval
//	too many jobs wait                              the rest is denied
//	guard.db cannot be written                      denied
//
// Kept are, in guard.db: what was done in the last day by verb and minute,
// approvals, the digest of the policy, and what was seen, for a draft.
// What of it concerns reads is only that certain attributes never leave.
package guard

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	lookEvery = 2 * time.Second // at the file
	waitStep  = 5 * time.Second // after which a job that waits is looked at again
	mostHeld  = 512             // jobs that wait; more are denied, so that others are not kept out
)

// Options say where things are. The zero value of Now is the clock.
type Options struct {
	Policy  string // path of guardrail.yaml
	Key     string // public key that must have signed it, base64 of Ed25519; "" means none
	Data    string // folder of guard.db
	Log     *slog.Logger
	Changed func(*linkv1.Guardrail) // optional; called after anything that people look at has changed
	Now     func() time.Time
}

// A Guard decides. All its methods may be called at any time.
type Guard struct {
	opt     Options
	journal *journal

	mu     sync.Mutex
	looked time.Time
	policy *Policy // never nil
	print  fingerprint
	facts  map[string]*facts
	held   map[heldKey]held
	denied uint64
	told   map[string]time.Time // when a denial of a rule was last logged
	dirty  bool                 // something is to be told by Changed
}

type heldKey struct {
	system string
	job    uint64
}

// held is a job that waits. An approval is for what it does, not for its number.
type held struct {
	*linkv1.WaitingJob
	sum [32]byte
}

// Open reads the policy and the journal. A policy that cannot be used is no
// error: the guard then denies everything and says why.
func Open(opt Options) (*Guard, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	j, err := openJournal(opt.Data, opt.Now())
	if err != nil {
		return nil, err
	}
	g := &Guard{opt: opt, journal: j, facts: make(map[string]*facts), held: make(map[heldKey]held),
		told: make(map[string]time.Time)}
	g.mu.Lock()
	g.look(opt.Now())
	g.mu.Unlock()
	return g, nil
}

// Close writes what is still in memory.
func (g *Guard) Close() error { return g.journal.close(g.opt.Now()) }

// Run tells what has changed, and keeps what was seen, until ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		g.mu.Lock()
		g.look(g.opt.Now())
		dirty := g.dirty
		g.dirty = false
		g.mu.Unlock()
		if dirty && g.opt.Changed != nil {
			g.opt.Changed(g.State())
		}
		if err := g.journal.flush(g.opt.Now()); err != nil {
			g.opt.Log.ErrorContext(ctx, "What the guardrail saw cannot be kept", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// look reads the policy if the file has changed. g.mu is held.
func (g *Guard) look(now time.Time) {
	if g.policy != nil && now.Sub(g.looked) < lookEvery && !now.Before(g.looked) {
		return
	}
	g.looked = now
	print := fingerprintOf(g.opt.Policy)
	if g.policy != nil && print == g.print {
		return
	}
	g.print = print
	before := g.policy
	g.policy = load(g.opt.Policy, g.opt.Key, g.journal.knownDigest())
	if g.policy.Err == nil && g.policy.Digest != "" {
		if err := g.journal.setDigest(g.policy.Digest); err != nil {
			g.policy = &Policy{Err: fmt.Errorf("keep the digest of the guardrail: %w", err)}
		}
	}
	g.dirty = true
	log := g.opt.Log.With("file", g.opt.Policy, "mode", g.policy.Word(), "digest", g.policy.Digest)
	switch {
	case g.policy.Err != nil:
		log.Error("Guardrail cannot be used: everything is denied", "err", g.policy.Err)
	case before == nil:
		log.Info("Guardrail in force")
	default:
		log.Warn("Guardrail changed")
	}
}

// Policy returns the one in force.
func (g *Guard) Policy() *Policy {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.look(g.opt.Now())
	return g.policy
}

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

// A denial is a rule that speaks against a job.
type denial struct {
	rule      Rule
	cause     string
	object    string
	attribute string
	builtIn   bool // holds also in mode observe
}

// Check decides about a job. A job that is allowed has been charged to its
// budgets, and is to be carried out now.
func (g *Guard) Check(ctx context.Context, q Question) Verdict {
	now := g.opt.Now()
	policy := g.Policy()
	if policy.Err != nil {
		return g.deny(policy, q, &denial{rule: policy.at(""), cause: "the guardrail cannot be used: " + policy.Err.Error(), builtIn: true})
	}
	op := q.Job.GetApply()
	if op == nil {
		return g.checkRead(policy, q)
	}
	name := q.System.GetName()
	s, known := policy.system(name, q.System.GetConnector())
	verb, weight := verbOf(op)
	g.journal.saw(name, q.System.GetConnector(), op, now)
	if !known {
		if v, stop := g.report(policy, q, &denial{rule: policy.at("systems"), cause: fmt.Sprintf("system %q is not named in the guardrail", name)}); stop {
			return v
		}
	}
	for _, d := range s.static(op, verb) {
		if v, stop := g.report(policy, q, d); stop {
			return v
		}
	}
	approved := false
	if !q.Paid {
		var v Verdict
		var stop bool
		if v, stop, approved = g.hold(policy, q, s, verb, weight, now); stop {
			return v
		}
	}
	if q.Inspect != nil && needsFacts(op) {
		denials, missing, err := g.factsOf(name).judge(ctx, s, q, now, g.journal)
		switch {
		case err != nil:
			return g.unread(policy, q, err)
		case missing != "":
			return absent(op, missing)
		}
		for _, d := range denials {
			if v, stop := g.report(policy, q, d); stop {
				return v
			}
		}
	} else if q.System.GetConnector() == activeDirectory && needsFacts(op) {
		return g.deny(policy, q, &denial{rule: builtIn("never-touch"), builtIn: true,
			cause: "this release of the connector cannot tell what the object is to the domain's security"})
	}
	if !q.Paid {
		limits := s.limit(verb)
		if approved || policy.Mode == Observe {
			limits = nil
		}
		paid, err := g.journal.charge(name, verb, weight, limits, now)
		switch {
		case err != nil:
			return g.deny(policy, q, &denial{rule: builtIn("budget"), cause: "what is done cannot be counted: " + err.Error(), builtIn: true})
		case !paid: // others were quicker
			return Verdict{Decision: Wait, Until: now, Fault: &connectorv1.Fault{Cause: "the budget was used up a moment ago"}}
		}
		g.release(name, q.Job.GetId())
	}
	return Verdict{Decision: Allow}
}

// absent is the verdict on an object that is not where objects are looked for.
// The connector is not asked: it might find it in a part of the directory that
// is not the domain.
func absent(op *connectorv1.Operation, id string) Verdict {
	if op.GetDelete() != nil {
		return Verdict{Decision: Deny, Outcome: connectorv1.Outcome_OUTCOME_DONE}
	}
	return Verdict{Decision: Deny, Outcome: connectorv1.Outcome_OUTCOME_NOT_FOUND, Fault: &connectorv1.Fault{
		Cause: "the object is no longer in the directory", Object: id, NextStep: "Nothing: it is read and planned again.",
	}}
}

// checkRead keeps what must not leave from being asked for by a look-up.
func (g *Guard) checkRead(policy *Policy, q Question) Verdict {
	find := q.Job.GetFind()
	if find == nil {
		return Verdict{Decision: Allow}
	}
	s, _ := policy.system(q.System.GetName(), q.System.GetConnector())
	if i := s.withheld(find.GetAttribute()); i >= 0 {
		d := &denial{rule: s.rule(fmt.Sprintf("withhold[%d]", i)), attribute: find.GetAttribute(),
			cause: fmt.Sprintf("values of %s may not leave this site, nor be asked for", find.GetAttribute())}
		if v, stop := g.report(policy, q, d); stop {
			return v
		}
	}
	return Verdict{Decision: Allow}
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

// report counts a denial. It stops the job unless the policy only observes and
// the rule is the admin's own.
func (g *Guard) report(policy *Policy, q Question, d *denial) (Verdict, bool) {
	v := g.deny(policy, q, d)
	return v, policy.Mode != Observe || d.builtIn
}

func (g *Guard) deny(policy *Policy, q Question, d *denial) Verdict {
	fault := &connectorv1.Fault{
		Cause:  fmt.Sprintf("denied by the guardrail of the agent's host: %s (%s)", d.cause, d.rule),
		Object: d.object, Attribute: d.attribute, Raw: d.rule.String(),
		NextStep: "If this is wanted, the domain's admin changes " + d.rule.where() + " on the agent's host; else find out who planned it.",
	}
	now := g.opt.Now()
	g.mu.Lock()
	g.denied++
	g.dirty = true
	delete(g.held, heldKey{q.System.GetName(), q.Job.GetId()})
	loud := now.Sub(g.told[d.rule.String()]) > time.Second // a flood of denials is no flood of lines
	if loud {
		if len(g.told) > 1000 {
			clear(g.told)
		}
		g.told[d.rule.String()] = now
	}
	g.mu.Unlock()
	if loud {
		message := "Guardrail denied a job"
		if policy.Mode == Observe && !d.builtIn {
			message = "Guardrail would have denied a job"
		}
		g.opt.Log.Warn(message, "system", q.System.GetName(), "job", q.Job.GetId(), "rule", d.rule.String(), "cause", d.cause,
			"object", d.object, "attribute", d.attribute)
	}
	return Verdict{Decision: Deny, Outcome: connectorv1.Outcome_OUTCOME_DENIED, Fault: fault}
}

// hold decides whether a job must wait for its hour, its budget, or a person;
// approved tells that a person has let it pass, once.
func (g *Guard) hold(policy *Policy, q Question, s *System, verb string, weight int, now time.Time) (v Verdict, stop, approved bool) {
	name := q.System.GetName()
	why := ""
	var rule Rule
	if !s.open(verb, now) {
		rule, why = s.rule("hours"), fmt.Sprintf("%s is not done at this hour", verb)
	} else if which, limit, done := g.journal.over(name, verb, weight, s.limit(verb), now); which != "" {
		rule = s.rule("budgets." + verb + "." + which)
		why = fmt.Sprintf("%d of %d a %s are done already, and this is %d more: %s waits", done, limit, which, weight, verb)
	}
	if why == "" {
		return Verdict{}, false, false
	}
	if policy.Mode == Observe {
		g.report(policy, q, &denial{rule: rule, cause: why})
		return Verdict{}, false, false
	}
	key, sum := heldKey{name, q.Job.GetId()}, sumOf(q.Job.GetApply())
	if ok, err := g.journal.takeApproval(key, sum); err == nil && ok {
		return Verdict{}, false, true
	}
	g.mu.Lock()
	_, waits := g.held[key]
	full := !waits && len(g.held) >= mostHeld
	if !waits && !full {
		g.held[key] = held{sum: sum, WaitingJob: &linkv1.WaitingJob{
			Job: q.Job.GetId(), System: name, Cause: fmt.Sprintf("%s (%s)", why, rule), Since: timestamppb.New(now),
		}}
		g.dirty = true
	}
	g.mu.Unlock()
	if full {
		return g.deny(policy, q, &denial{rule: rule, cause: fmt.Sprintf("%s, and %d jobs wait for an approval already", why, mostHeld)}), true, false
	}
	if !waits {
		g.opt.Log.Warn("Guardrail has a job wait", "system", name, "job", q.Job.GetId(), "rule", rule.String(), "cause", why)
	}
	return Verdict{Decision: Wait, Until: now.Truncate(waitStep).Add(waitStep), Fault: &connectorv1.Fault{
		Cause:    fmt.Sprintf("waits at the guardrail of the agent's host: %s (%s)", why, rule),
		NextStep: "Wait until the budget has room, or approve it on the agent's host with `drawbridge-agent approve`.",
		Raw:      rule.String(),
	}}, true, false
}

func (g *Guard) release(system string, job uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := heldKey{system, job}
	if _, waits := g.held[key]; waits {
		delete(g.held, key)
		g.dirty = true
	}
}

// Forget drops a job that has ended otherwise, as by going stale.
func (g *Guard) Forget(system string, job uint64) { g.release(system, job) }

// unread is the verdict where the system did not say what must be known.
func (g *Guard) unread(policy *Policy, q Question, err error) Verdict {
	var refused *refusedError
	if !asRefused(err, &refused) {
		return Verdict{Decision: Later, Err: err}
	}
	switch refused.outcome {
	case connectorv1.Outcome_OUTCOME_UNAVAILABLE, connectorv1.Outcome_OUTCOME_UNKNOWN:
		return Verdict{Decision: Later, Fault: refused.fault}
	}
	return g.deny(policy, q, &denial{rule: builtIn("never-touch"), builtIn: true, object: refused.fault.GetObject(), attribute: refused.fault.GetAttribute(),
		cause: "what must be known of the object before it is written cannot be read: " + refused.fault.GetCause()})
}

// State returns what people look at.
func (g *Guard) State() *linkv1.Guardrail {
	policy := g.Policy()
	g.mu.Lock()
	defer g.mu.Unlock()
	state := &linkv1.Guardrail{Mode: policy.Word(), Digest: policy.Digest, Signed: policy.Signed, Summary: policy.Summary(), Denied: g.denied}
	if policy.Err != nil {
		state.Fault = &connectorv1.Fault{Cause: policy.Err.Error(), NextStep: "Mend the file on the agent's host; check it with `drawbridge-agent guard check`."}
	}
	for _, w := range g.held {
		state.Waiting = append(state.Waiting, w.WaitingJob)
	}
	slices.SortFunc(state.Waiting, func(a, b *linkv1.WaitingJob) int {
		if c := strings.Compare(a.GetSystem(), b.GetSystem()); c != 0 {
			return c
		}
		return int(int64(a.GetJob()) - int64(b.GetJob()))
	})
	return state
}

// Approve lets jobs that wait pass their budgets and hours, once. It returns
// those that do not wait. who is for the log.
func (g *Guard) Approve(jobs []uint64, all bool, who string) (missing []uint64, err error) {
	g.mu.Lock()
	approved := make(map[heldKey]held)
	for key, w := range g.held {
		if all || slices.Contains(jobs, key.job) {
			approved[key] = w
		}
	}
	g.mu.Unlock()
	for _, id := range jobs {
		found := false
		for key := range approved {
			found = found || key.job == id
		}
		if !found {
			missing = append(missing, id)
		}
	}
	for key, w := range approved {
		if err := g.journal.approve(key, w.sum); err != nil {
			return missing, err
		}
		g.opt.Log.Warn("Job approved", "system", key.system, "job", key.job, "by", who)
	}
	return missing, nil
}
