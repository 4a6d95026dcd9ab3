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

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const lookEvery = 2 * time.Second // at the file

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
