// Package history holds what is written to the provisioning log, and how a
// person's values are explained out of it. Entries are written in the
// transaction of what they tell (by intake, jobs, plan and api) and never
// changed; the rows are in store.
//
//	source record ─► rule of the source ─► person ─► rule of the target ─► account
//	   account row    Source.Explain        row       reasons of Plan       account row
//	                                                  and of the job that wrote it
//
// Explain walks this way backwards for every value of every account. What was
// written is known by the job that did it; a value without such a job was there
// before.
package history

import "github.com/drawbridge-id/drawbridge/coordinator/store"

// Kinds of entries.
const (
	SourceChanged = "source-changed" // a source's record is new or changed
	SourceGone    = "source-gone"    // a source's record is gone
	Refused       = "refused"        // a record that was pushed was not taken
	Matched       = "matched"        // an account that was there was joined to its person
	Planned       = "planned"        // jobs were made of a difference
	Held          = "held"           // jobs wait for approval
	Approved      = "approved"       // somebody let held jobs go
	Rejected      = "rejected"       // somebody dropped held jobs
	Written       = "written"        // a job was done
	Unchanged     = "unchanged"      // a job found its work done already
	Failed        = "failed"         // a job failed
	Drift         = "drift"          // somebody changed an account at its system, or what was said of that
	Config        = "config"         // a system's document was applied
	Audit         = "audit"          // somebody used the API to change something else
)

// AuditEntry tells of a change that somebody made through the API.
func AuditEntry(tenant, system, who, what string) store.History {
	return store.History{Tenant: tenant, Kind: Audit, System: system, Text: what + ", by " + who}
}
