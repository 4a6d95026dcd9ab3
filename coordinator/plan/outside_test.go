package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// scoped gives the documents with a scope, and what becomes of whoever leaves it.
func scoped(t testing.TB, choice string) string {
	return edited(t, "target:\n  class: user\n", "target:\n  class: user\n  scope: department != \"Agency\"\n",
		"    leave: {disable", "    out_of_scope: "+choice+"\n    leave: {disable")
}

// passed has somebody been out of scope for longer.
func passed(t testing.TB, w *rehearsal.World, key string, days int) {
	t.Helper()
	p := company{World: w, t: t}.who(key)
	w.Write(func(tx *store.Tx) error {
		rows, err := tx.OutsideOf(rehearsal.Tenant, "corp-ad", []string{p.ID})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d rows of %s being out of scope, %v; want one", len(rows), key, err)
		}
		if err := tx.RemoveOutside(rows); err != nil {
			return err
		}
		rows[0].Since = rows[0].Since.Add(-time.Duration(days) * 24 * time.Hour)
		return tx.PutOutside(rows)
	})
	w.Write(func(tx *store.Tx) error { return tx.MarkDue(rehearsal.Tenant, tx.Now, "an alarm", []string{p.ID}) })
}

// The days are counted from when somebody was seen to have left the scope, also
// where nothing of the person has changed for years; who comes back in time keeps
// the account, and the next time it begins anew.
func TestOutside_deletedInTime(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(scoped(t, "{delete: 30d after}"))
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "department", "Agency"), rehearsal.Worker("E1002", "Bob", "King"))
	w.Settle()
	if got := w.Addresses(); len(got) != 1 {
		t.Fatalf("accounts = %q; want Bob's", got)
	}
	out, in := rehearsal.Worker("E1002", "Bob", "King", "department", "Agency"), rehearsal.Worker("E1002", "Bob", "King")
	w.Read("hr", out)
	w.Settle()
	bob := w.Addresses()[0]
	if w.Value(bob, "enabled") != "false" {
		t.Errorf("at %s enabled is %q; want it locked at once", bob, w.Value(bob, "enabled"))
	}
	passed(t, w, "e1002", 29)
	w.Settle()
	if len(w.Objects) != 1 {
		t.Fatal("deleted before its time")
	}
	w.Read("hr", in)
	w.Settle()
	if w.Value("CN=Bob King"+research, "enabled") != "true" {
		t.Errorf("accounts = %q; want Bob back in his", w.Addresses())
	}
	w.Read("hr", out)
	w.Settle()
	passed(t, w, "e1002", 29) // of the second time
	w.Settle()
	if len(w.Objects) != 1 {
		t.Fatal("what was before he came back counts")
	}
	passed(t, w, "e1002", 1)
	w.Settle()
	if len(w.Objects) != 0 {
		t.Errorf("accounts = %q after 30 days; want none", w.Addresses())
	}
}

// A document that says something else meanwhile has nobody deleted for what was counted before.
func TestOutside_forgottenWithTheDocument(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(scoped(t, "{delete: 30d after}"))
	w.Read("hr", rehearsal.Worker("E1002", "Bob", "King"))
	w.Settle()
	w.Read("hr", rehearsal.Worker("E1002", "Bob", "King", "department", "Agency"))
	w.Settle()
	passed(t, w, "e1002", 20)
	w.Settle()
	w.Edit(scoped(t, "leave"))
	w.Settle()
	w.Edit(scoped(t, "{delete: 10d after}"))
	w.Settle()
	if len(w.Objects) != 1 {
		t.Error("deleted for days in which the document wanted something else")
	}
}

// An edited scope deletes nobody beyond the threshold of deletions.
func TestOutside_deletionsBeyondTheThresholdWait(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(scoped(t, "{disable: false, delete: at once}"))
	w.Read("hr", rehearsal.Workers(40)...)
	w.Settle()
	w.Edit(strings.Replace(scoped(t, "{disable: false, delete: at once}"), `"Agency"`, `"Research"`, 1))
	w.Settle()
	n := tally(jobs(t, w, store.JobFilter{}))
	if n["delete held"] != 40 || n["delete done"] != 0 || len(w.Objects) != 40 {
		t.Errorf("jobs = %v, %d accounts; want all 40 deletions held", n, len(w.Objects))
	}
}

// What a mode of preview shows is what is done once approved: lock and deletion in one plan; and an undo says what it can give back.
func TestOutside_seenApprovedUndone(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(scoped(t, "{delete: at once}"))
	w.Read("hr", rehearsal.Worker("E1002", "Bob", "King"))
	w.Settle()
	w.Edit(strings.Replace(scoped(t, "{delete: at once}"), "target:\n", "target:\n  mode: preview\n", 1))
	w.Read("hr", rehearsal.Worker("E1002", "Bob", "King", "department", "Agency"))
	w.Settle()
	if got := jobs(t, w, store.JobFilter{State: "held"}); !slices.Equal(got, []string{"disable held", "delete held"}) {
		t.Fatalf("jobs = %q; want the lock and the deletion, both seen first", got)
	}
	if _, n, err := w.Planner.ApprovePlan(t.Context(), rehearsal.Tenant, "ann", newestPlan(t, w), "", false); err != nil || n != 2 {
		t.Fatalf("approved %d, %v; want both", n, err)
	}
	w.Settle()
	if len(w.Objects) != 0 {
		t.Errorf("accounts = %q; want none", w.Addresses())
	}
	_, err := w.Planner.PlanUndo(t.Context(), rehearsal.Tenant, "ann", plan.Undo{Person: company{World: w, t: t}.who("e1002").ID, Since: store.InstantOf(time.Unix(0, 0))})
	if err == nil || !strings.Contains(err.Error(), "recycle bin") {
		t.Errorf("undo: %v; want it to say where a deleted account comes back from", err)
	}
}

// newestPlan gives the number of the plan that was made last.
func newestPlan(t testing.TB, w *rehearsal.World) (id string) {
	t.Helper()
	w.Write(func(tx *store.Tx) error {
		rows, err := tx.Plans(rehearsal.Tenant, "", 1)
		if err == nil && len(rows) > 0 {
			id = fmt.Sprint(rows[0].ID)
		}
		return err
	})
	return id
}
