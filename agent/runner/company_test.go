package runner_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/host"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

func join(system string, i int) *linkv1.Job {
	return apply(system, &connectorv1.Operation{Class: "user", Id: "user-" + strconv.Itoa(i), Verb: &connectorv1.Operation_ChangeMembership{
		ChangeMembership: &connectorv1.ChangeMembership{Join: []string{"group-1"}}}})
}

// together is how many of the results were under way at a time.
func together(results []*linkv1.Result) (most int) {
	for _, r := range results {
		at, n := r.GetBegan().AsTime(), 0
		for _, other := range results {
			if !other.GetBegan().AsTime().After(at) && other.GetFinished().AsTime().After(at) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// Memberships share one slot of a lane that has but one, up to their bound. What
// waits for the slot is not kept waiting for all of them, and has it alone.
func TestRunner_membershipsShareASlot(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	r.runner.Concurrency = map[string]int{"dir": 1}
	const n = 900
	jobs := make([]*linkv1.Job, n)
	for i := range jobs {
		jobs[i] = join("dir", i+1)
	}
	r.accept(jobs...)
	r.runner.SetSystems([]*linkv1.System{system("dir", fmt.Sprintf(`"users": %d, "groups": 1, "latency": "100ms"`, n+1))}, true)
	r.results(1)
	urgent := modify("dir", n+1)
	urgent.Priority = 9
	r.accept(urgent)
	results := r.results(n + 1)
	i := slices.IndexFunc(results, func(r *linkv1.Result) bool { return r.GetJob() == urgent.GetId() })
	changed := results[i]
	results = slices.Delete(results, i, i+1)
	late := 0
	for _, m := range results {
		if m.GetOutcome() != done {
			t.Fatalf("a membership = %v; want DONE", m)
		}
		if m.GetBegan().AsTime().Before(changed.GetFinished().AsTime().Add(-time.Millisecond)) && m.GetFinished().AsTime().After(changed.GetBegan().AsTime().Add(time.Millisecond)) {
			t.Errorf("a membership went from %v to %v, the change of the one slot from %v to %v", m.GetBegan().AsTime(), m.GetFinished().AsTime(), changed.GetBegan().AsTime(), changed.GetFinished().AsTime())
		}
		if m.GetBegan().AsTime().After(changed.GetBegan().AsTime()) {
			late++
		}
	}
	if most := together(results); most < 8 || most > 256 {
		t.Errorf("%d memberships were under way at a time; want many, and at most 256", most)
	}
	if late == 0 {
		t.Error("the change waited for all memberships; want it in between")
	}
}
