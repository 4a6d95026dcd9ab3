package plan

import (
	"fmt"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Rejected is the kind of problem that a person's no leaves: the same change is
// not planned again until the problem is tried again by hand, or another one is
// wanted.
const Rejected = "rejected"

// Approve lets the held jobs that match go, exactly those, and returns how many
// there were. What is not as expected any more ends in a conflict at the
// connector, and is planned again.
func Approve(tx *store.Tx, tenant, who string, f store.HeldFilter) (int, error) {
	jobs, err := tx.HeldJobs(tenant, f, maxDecided)
	if err != nil || len(jobs) == 0 {
		return 0, err
	}
	until := map[int64]store.Instant{}
	for _, j := range jobs {
		if least := tx.Now.Add(time.Hour); j.NotAfter != 0 && j.NotAfter < least {
			until[j.ID] = tx.Now.Add(stale(j.Class))
		}
	}
	if err := tx.ApproveJobs(ids(jobs), until); err != nil {
		return 0, err
	}
	return len(jobs), tx.AddHistory(decided(jobs, history.Approved, "approved by "+who))
}

// Reject drops the held jobs that match, with those that follow them.
func Reject(tx *store.Tx, tenant, who string, f store.HeldFilter) (int, error) {
	jobs, err := tx.HeldJobs(tenant, f, maxDecided)
	if err != nil || len(jobs) == 0 {
		return 0, err
	}
	follow, err := tx.DropAfter(ids(jobs))
	if err != nil {
		return 0, err
	}
	// Followers that only wait for a rejected job are as little wanted as it is.
	if err := tx.EndJobs(ids(jobs), store.JobDropped, Rejected, ""); err != nil {
		return 0, err
	}
	if err := tx.SetOutcome(follow, Rejected); err != nil {
		return 0, err
	}
	problems := make([]store.Problem, len(jobs))
	for i, j := range jobs {
		problems[i] = store.Problem{Tenant: tenant, Person: j.Person, System: j.System, At: tx.Now, Kind: Rejected, Tries: 1, Job: j.ID,
			Fault: faultText(&connectorv1.Fault{Cause: j.Class + " was rejected by " + who,
				NextStep: fmt.Sprintf("correct the source; or have it planned again with: drawbridge problem retry --system %s", j.System)})}
	}
	if err := tx.PutProblems(problems); err != nil {
		return 0, err
	}
	return len(jobs), tx.AddHistory(decided(jobs, history.Rejected, "rejected by "+who))
}

// maxDecided bounds one decision.
const maxDecided = 1_000_000

func ids(jobs []store.Job) []int64 {
	out := make([]int64, len(jobs))
	for i, j := range jobs {
		out[i] = j.ID
	}
	return out
}

func decided(jobs []store.Job, kind, text string) []store.History {
	out := make([]store.History, len(jobs))
	for i, j := range jobs {
		out[i] = store.History{Tenant: j.Tenant, Kind: kind, System: j.System, Person: j.Person, Job: j.ID, Text: j.Class + " " + text}
	}
	return out
}
