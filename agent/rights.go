package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/rights"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// rightsEvery is how often it is looked whether a system's rights are to be compared.
const rightsEvery = 10 * time.Second

// compareRights compares what the account of each system may do with what its
// operations need: once at the start, and again when either has changed. What
// it finds is for status; nothing is done or left undone for it.
func (a *Agent) compareRights(ctx context.Context) error {
	compared := make(map[string]string) // system → what it was compared with
	tick := time.NewTicker(rightsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		policy := a.guard.Policy()
		for _, h := range a.runner.States() {
			s := a.runner.System(h.GetSystem())
			of := fmt.Sprint(s.GetRevision(), policy.Digest)
			if !h.GetReady() || len(s.GetWrites()) == 0 || compared[h.GetSystem()] == of {
				continue
			}
			probe, err := a.runner.Probe(ctx, s, rights.Needed(s, policy))
			if err != nil {
				continue // the lane says it
			}
			compared[h.GetSystem()] = of
			a.noteRights(h.GetSystem(), probe.GetSteps())
		}
	}
}

func (a *Agent) noteRights(system string, steps []*connectorv1.ProbeStep) {
	var warnings []string
	for _, step := range steps {
		if strings.HasPrefix(step.GetName(), rights.Prefix) && step.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
			warnings = append(warnings, strings.TrimPrefix(step.GetName(), rights.Prefix)+": "+step.GetFault().GetCause())
			a.log.Warn("Rights of a system's account are not those it needs", "system", system, "of", step.GetName(), "cause", step.GetFault().GetCause(),
				"next_step", step.GetFault().GetNextStep())
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rights == nil {
		a.rights = make(map[string][]string)
	}
	a.rights[system] = warnings
}
