package runner_test

import (
	"context"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/host"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// One of several agents begins nothing without its lease, for another may have
// its jobs; but what was placed for an instant is begun at it. What is not its
// own any more it drops.
func TestRunner_lease(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	r.runner.SetLease(time.Hour)
	mine, another, leaver := modify("dir", 1), modify("dir", 2), placed(3, 30, 0)
	r.accept(mine, another, leaver)
	r.runner.SetSystems([]*linkv1.System{system("dir", `"users": 9`)}, true)
	if got := r.results(1); got[0].GetJob() != leaver.Id || got[0].GetOutcome() != done {
		t.Errorf("first = %v; want the job placed ahead, done", got[0])
	}
	if err := r.runner.Assigned(context.Background(), []uint64{mine.Id}); err != nil {
		t.Fatal(err)
	}
	r.runner.Beat(time.Now())
	if got := r.results(2); len(got) != 2 || got[1].GetJob() != mine.Id || got[1].GetOutcome() != done {
		t.Errorf("results = %v; want that of the agent's own job, done", got)
	}
	if held, err := r.spool.Jobs("dir"); err != nil || len(held) != 0 {
		t.Errorf("jobs held = %v, %v; want none: the other was dropped", held, err)
	}
}
