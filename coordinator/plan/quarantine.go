package plan

import (
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// quarantined gives the attributes whose values a system refused to a person's
// account by name: what else is to be written goes on without them, until the
// problem is tried again or another value is wanted.
func (b *batch) quarantined(t target, p *person) []reconcile.Quarantine {
	waits := false
	for _, pr := range p.problems {
		waits = waits || pr.System == t.row.Name && pr.Kind != Rejected && pr.Retry > b.tx.Now
	}
	if !waits {
		return nil
	}
	var list []reconcile.Quarantine
	for _, j := range p.refused {
		if j.System != t.row.Name || j.State != store.JobFailed {
			continue
		}
		attribute := ""
		if f := history.TroubleOf(j.Fault); f != nil {
			attribute = f.Attribute
		}
		if attribute == "" {
			continue
		}
		op := operation(j.Work)
		for _, c := range op.GetModify().GetChanges() {
			if strings.EqualFold(c.GetName(), attribute) && len(op.GetModify().GetChanges()) > 1 {
				list = append(list, reconcile.Quarantine{Attribute: c.GetName(), Values: c.GetWant()})
			}
		}
		for _, a := range op.GetCreate().GetAttributes() {
			if strings.EqualFold(a.GetName(), attribute) && !strings.EqualFold(attribute, t.system.Target.Match) {
				list = append(list, reconcile.Quarantine{Attribute: a.GetName(), Values: a.GetValues()})
			}
		}
	}
	return list
}
