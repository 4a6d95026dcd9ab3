package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/rights"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// systems has each system's connector try the way to it.
func (e *examination) systems(p prober) {
	if p == nil || len(p.Systems()) == 0 {
		e.leaveOut("systems", "the coordinator has given this site none yet")
		return
	}
	for _, name := range p.Systems() {
		steps, err := p.Probe(e.ctx, name)
		if err != nil {
			e.fail("system "+name, err.Error(), "see the finding for its connector above")
			continue
		}
		for _, s := range steps {
			e.probeStep("system "+name, s)
		}
	}
}

func (e *examination) probeStep(step string, s *connectorv1.ProbeStep) {
	detail := fmt.Sprintf("%s, %s", s.GetName(), s.GetTook().AsDuration().Round(time.Millisecond))
	if s.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE {
		if s.GetDetail() != "" {
			detail += ": " + s.GetDetail()
		}
		e.pass(step, detail)
		return
	}
	detail += ": " + s.GetFault().GetCause()
	if raw := s.GetFault().GetRaw(); raw != "" {
		detail += "\n" + raw
	}
	if strings.HasPrefix(s.GetName(), rights.Prefix) { // the agent works, up to that right
		e.warn(step, detail, s.GetFault().GetNextStep())
		return
	}
	e.fail(step, detail, s.GetFault().GetNextStep())
}
