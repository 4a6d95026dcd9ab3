package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// deviations gives where the person's account in a system is let be as it is.
func (p *person) deviations(system string) []reconcile.Deviation {
	var list []reconcile.Deviation
	for _, d := range p.lets {
		if d.System != system {
			continue
		}
		list = append(list, reconcile.Deviation{Attribute: d.Attribute, Refused: store.TextsOf(d.Refused), At: d.At.Time(), Stands: d.Kind != store.DeviationFound})
	}
	return list
}

// end ends deviations of attributes: the rules want something else now, or the account is as they want it again.
func (b *batch) end(t target, p *person, attributes []string) {
	for _, d := range p.lets {
		if d.System != t.row.Name || !slices.ContainsFunc(attributes, func(a string) bool { return strings.EqualFold(a, d.Attribute) }) {
			continue
		}
		b.ended = append(b.ended, d)
		if d.Kind != store.DeviationFound { // that it was put back is told by the job
			b.history = append(b.history, store.History{Tenant: b.tenant, Kind: history.Drift, System: t.row.Name, Person: p.row.ID, Account: d.Account,
				Text: d.Attribute + " is no longer let be as it was " + cmp.Or(verbs[d.Kind], d.Kind) + ": the rules want something else, or it is as they want it"})
		}
	}
}

var verbs = map[string]string{store.DeviationLeft: "found", store.DeviationAdopted: "adopted", store.DeviationUndone: "undone"}

// undoing tells whether something of the person's account is being undone: its result makes them due.
func (p *person) undoing(system string) bool {
	return slices.ContainsFunc(p.jobs, func(j store.Job) bool {
		return j.System == system && j.Outcome == store.JobUndo && (j.State == store.JobQueued || j.State == store.JobWaiting || j.State == store.JobSent)
	})
}

// cycle gives the latest cycle that told of the person's records, or of their account in the target; 0 where none did.
func (p *person) cycle(t target) int64 {
	latest := int64(0)
	for _, a := range p.accounts {
		if a.System == t.row.Name || p.sources.has(a) {
			latest = max(latest, a.Seen)
		}
	}
	return latest
}
