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

// together is how many of the results were under way at a time, for certain:
// each took latency at least.
func together(results []*linkv1.Result, latency time.Duration) (most int) {
	for _, r := range results {
		at, n := r.GetBegan().AsTime(), 0
		for _, other := range results {
			if before := at.Sub(other.GetBegan().AsTime()); before >= 0 && before < latency {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// Memberships share one slot of a lane that has but one, up to their bound. What
// waits for the slot is passed by a bounded number of them, and has it alone.
func TestRunner_membershipsShareASlot(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	r.runner.Concurrency = map[string]int{"dir": 1}
	const n, latency = 900, 100 * time.Millisecond
	jobs := make([]*linkv1.Job, n)
	for i := range jobs {
		jobs[i] = join("dir", i+1)
	}
	change := modify("dir", n+1)
	r.accept(slices.Insert(jobs, 500, change)...)
	r.runner.SetSystems([]*linkv1.System{system("dir", fmt.Sprintf(`"users": %d, "groups": 1, "latency": %q`, n+1, latency))}, true)
	results := r.results(n + 1)
	i := slices.IndexFunc(results, func(r *linkv1.Result) bool { return r.GetJob() == change.GetId() })
	at := results[i].GetBegan().AsTime()
	results = slices.Delete(results, i, i+1)
	late := 0
	for _, m := range results {
		if m.GetOutcome() != done {
			t.Fatalf("a membership = %v; want DONE", m)
		}
		// An end is noted a little after the slot is free, a beginning never before it is taken.
		after := m.GetBegan().AsTime().Sub(at)
		if after > 0 && after < latency {
			t.Errorf("a membership began %v after the change of the one slot did, which took %v at least", after, latency)
		}
		if after > 0 {
			late++
		}
	}
	if most := together(results, latency); most < 8 || most > 256 {
		t.Errorf("%d memberships were under way at a time; want many, and at most 256", most)
	}
	if late < 400-256 {
		t.Errorf("%d memberships came after the change, which had 400 behind it; want it passed by 256 at most", late)
	}
}
