package api_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// How far a cycle is can be followed from its first object to its last job,
// with rate and time left as soon as something has come.
func TestCycle_progress(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(rehearsal.Documents)
	api := connect(t, w)
	progress := func(id int64) client.Progress {
		t.Helper()
		var got client.CycleDetail
		if err := api.Get(t.Context(), fmt.Sprint("/v1/cycles/", id), nil, &got); err != nil {
			t.Fatal(err)
		}
		return got.Progress
	}
	first := w.ReadWhole("hr", rehearsal.Workers(40)...)
	if got := progress(first.ID); got.Phase != "planning" || got.Seen != 40 || got.Planned != 0 {
		t.Errorf("read, and nobody planned: %+v; want planning of 40", got)
	}
	w.Plan()
	w.Work(10)
	got := progress(first.ID)
	if got.Phase != "writing" || got.Planned != 40 || got.Ended != 10 || got.Rate <= 0 {
		t.Errorf("10 of 40 written: %+v; want that, and a rate", got)
	}
	if want := 30 / got.Rate; got.Left < want*0.99 || got.Left > want*1.01 {
		t.Errorf("10 of 40 written: %v s left at %v a second; want %v s", got.Left, got.Rate, want)
	}
	w.Settle()
	if got := progress(first.ID); got.Phase != "over" || got.Planned != 40 || got.Ended != 40 {
		t.Errorf("all written: %+v; want 40 and over", got)
	}

	job := []store.Job{{Tenant: rehearsal.Tenant, Site: rehearsal.Site, System: "hr", Class: "read", State: store.JobQueued}}
	w.Write(func(tx *store.Tx) error {
		if err := tx.AddJobs(job); err != nil {
			return err
		}
		return tx.PutCycle(store.Cycle{Tenant: rehearsal.Tenant, ID: job[0].ID, System: "hr", Cause: "schedule", Began: tx.Now, State: store.CycleReading})
	})
	if got := progress(job[0].ID); got.Phase != "waiting" || got.Seen != 0 || got.Rate != 0 || got.Left != 0 {
		t.Errorf("ordered: %+v; want waiting", got)
	}
	w.Claim(1)
	time.Sleep(5 * time.Millisecond) // so that there is a rate
	w.Cycle = job[0].ID
	w.Read("hr", rehearsal.Workers(15, "title", "Clerk")...)
	if got := progress(job[0].ID); got.Phase != "reading" || got.Seen != 15 || got.Expected != 40 || got.Rate <= 0 || got.Left <= 0 {
		t.Errorf("15 of some 40 read: %+v; want that, rate and time left", got)
	}
}
