package plan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// previewed gives a world whose directory is written to on approval only.
func previewed(t testing.TB) *rehearsal.World {
	w := world(t)
	w.Write(func(tx *store.Tx) error {
		return tx.PutSystemMode(store.SystemMode{Tenant: rehearsal.Tenant, System: "corp-ad", Mode: plan.ModePreview, At: tx.Now, Who: "test"})
	})
	return w
}

// plans gives the plans there are, the newest first.
func plans(t testing.TB, w *rehearsal.World) (list []store.Plan) {
	t.Helper()
	w.Write(func(tx *store.Tx) (err error) {
		list, err = tx.Plans(rehearsal.Tenant, "", 100)
		return err
	})
	return list
}

func approve(w *rehearsal.World, ref, hash string, rest bool) (int, error) {
	_, n, err := w.Planner.ApprovePlan(context.Background(), rehearsal.Tenant, "ada", ref, hash, rest)
	return n, err
}

// Pain 17: one can see what will happen, and just that happens.
func TestPain17_seenBeforeDone(t *testing.T) {
	t.Parallel()
	w := previewed(t)
	w.Read("hr", rehearsal.Workers(3)...)
	if n := w.Settle(); n != 0 {
		t.Fatalf("%d operations were carried out before anybody had seen them", n)
	}
	list := plans(t, w)
	if len(list) != 1 || list[0].State != store.PlanSealed || len(list[0].Hash) != 64 || list[0].Cause != "system corp-ad" {
		t.Fatalf("plans = %+v; want one, sealed, with a hash, of the system", list)
	}
	if _, err := approve(w, fmt.Sprint(list[0].ID), "abcdef", false); !errors.Is(err, plan.ErrOtherHash) {
		t.Errorf("approving it by another hash: %v; want ErrOtherHash", err)
	}
	if n, err := approve(w, list[0].Hash[:12], list[0].Hash, false); n != 3 || err != nil {
		t.Fatalf("approving it by its hash: %d, %v; want 3 changes", n, err)
	}
	if n := w.Settle(); n != 3 || len(w.Addresses()) != 3 {
		t.Errorf("%d operations, %d accounts; want the 3 of the plan", n, len(w.Addresses()))
	}
	if _, err := approve(w, fmt.Sprint(list[0].ID), "", false); !errors.Is(err, plan.ErrDecided) {
		t.Errorf("approving it again: %v; want ErrDecided", err)
	}
}

// A plan's hash says what it does: the same wanted again is the same plan, also where it is made anew.
func TestPlan_isWhatItDoes(t *testing.T) {
	t.Parallel()
	w := previewed(t)
	w.Read("hr", rehearsal.Workers(3)...)
	w.Plan()
	first := plans(t, w)[0].Hash
	w.Write(func(tx *store.Tx) error { return tx.MarkAllDue(rehearsal.Tenant, "test", 0) })
	w.Plan()
	if list := plans(t, w); len(list) != 1 || list[0].Hash != first {
		t.Errorf("planning the same again: %d plans, the hash stays %v; want the one there was", len(list), list[0].Hash == first)
	}
	if _, n, err := w.Planner.RejectPlan(context.Background(), rehearsal.Tenant, "ada", first, ""); n != 3 || err != nil {
		t.Fatalf("rejecting: %d, %v", n, err)
	}
	w.Write(func(tx *store.Tx) error { return tx.MarkAllDue(rehearsal.Tenant, "test", 0) })
	if w.Settle(); len(plans(t, w)) != 1 {
		t.Errorf("what was rejected was planned again")
	}
	w.Write(func(tx *store.Tx) error {
		people, err := tx.RemoveRejected(rehearsal.Tenant, "", "")
		return errors.Join(err, tx.MarkDue(rehearsal.Tenant, tx.Now, "tried again", people))
	})
	w.Plan()
	if list := plans(t, w); len(list) != 2 || list[0].Hash != first {
		t.Errorf("wanted once more, the plan has another hash, or there is none: %d plans", len(list))
	}
}

// What the source has changed since, or nobody has looked at yet, is not done for an old approval.
func TestApprovePlan_saysWhatNoLongerHolds(t *testing.T) {
	t.Parallel()
	w := previewed(t)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"), rehearsal.Worker("E1002", "Charles", "Babbage"))
	w.Plan()
	ref := fmt.Sprint(plans(t, w)[0].ID)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "King")) // nobody has planned it yet
	n, err := approve(w, ref, "", false)
	var stale *plan.Stale
	if !errors.As(err, &stale) || len(stale.Jobs) != 1 || stale.Of != 2 {
		t.Fatalf("approving = %d, %v; want 1 of 2 that no longer hold", n, err)
	}
	if w.Work(10) != 0 {
		t.Fatal("something of a refused approval was done")
	}
	if n, err = approve(w, ref, "", true); n != 1 || err != nil {
		t.Fatalf("approving the rest: %d, %v; want 1", n, err)
	}
	w.Settle()
	if got, want := w.Addresses(), []string{"CN=Charles Babbage" + research}; !slices.Equal(got, want) {
		t.Errorf("directory holds %q; want %q", got, want)
	}
	if list := plans(t, w); len(list) != 2 || list[0].State != store.PlanSealed {
		t.Errorf("plans = %+v; want a new one with what holds now", list)
	}
}

// A run as a preview holds what it finds, and nothing else; undecided, it is planned as ever after a day.
func TestPreview_ofACycle(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Write(func(tx *store.Tx) error { return tx.PreviewCycle(rehearsal.Tenant, 1) })
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	if w.Settle() != 0 || len(plans(t, w)) != 1 || plans(t, w)[0].Cause != "cycle 1" {
		t.Fatalf("plans = %+v, directory %q; want one of cycle 1, and nothing done", plans(t, w), w.Addresses())
	}
	w.Write(func(tx *store.Tx) error {
		people, err := tx.PeopleByKey(rehearsal.Tenant, []string{"e1001"})
		if err != nil {
			return err
		}
		alarms, err := tx.AlarmsOf(rehearsal.Tenant, []string{people[0].ID})
		if len(alarms) != 1 || alarms[0].At < tx.Now.Add(23*time.Hour) {
			t.Errorf("alarms = %+v; want one in a day, when the preview lapses", alarms)
		}
		previews, err2 := tx.Previews(rehearsal.Tenant, []string{people[0].ID})
		previews[0].Lapses = tx.Now // the day is over
		return errors.Join(err, err2, tx.PutPreviews(previews), tx.MarkDue(rehearsal.Tenant, tx.Now, "alarm", []string{people[0].ID}))
	})
	if w.Settle() != 1 {
		t.Error("a lapsed preview still holds")
	}
}

// A plan does not count against thresholds: what others do goes on.
func TestPreview_countsAgainstNoThreshold(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Workers(20)...)
	w.Settle()
	w.Write(func(tx *store.Tx) error { return tx.PreviewCycle(rehearsal.Tenant, 1) })
	gone := rehearsal.Workers(10, "status", "T")
	w.Read("hr", gone...)
	w.Plan()
	if got := tally(jobs(t, w, store.JobFilter{State: "held"})); got["disable held"] != 10 {
		t.Fatalf("held = %v; want the 10 disables in a plan", got)
	}
	w.Write(func(tx *store.Tx) error {
		held, err := tx.HeldClasses(rehearsal.Tenant)
		if len(held) != 0 {
			t.Errorf("held classes = %+v; want none: a plan is decided as a plan", held)
		}
		return err
	})
	w.Cycle = 2 // an ordinary one
	w.Read("hr", rehearsal.Worker("E0015", "Given15", "Family15", "status", "T"))
	if w.Settle(); w.Value("CN=Given15 Family15,OU=Leavers,DC=corp,DC=example", "enabled") != "false" {
		t.Errorf("a single leaver waits because of a plan: %q", w.Addresses())
	}
}

// Several steps for one object go in their order, also where they were held one by one.
func TestApprovePlan_keepsTheOrder(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Settle()
	w.Write(func(tx *store.Tx) error {
		return tx.PutSystemMode(store.SystemMode{Tenant: rehearsal.Tenant, System: "corp-ad", Mode: plan.ModePreview, At: tx.Now})
	})
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "King", "department", "Sales", "title", "Countess", "manager_id", ""))
	w.Plan()
	if n, err := approve(w, fmt.Sprint(plans(t, w)[0].ID), "", false); n != 2 || err != nil {
		t.Fatalf("approving a move and a modify: %d, %v", n, err)
	}
	if got := w.Work(10); got != 1 {
		t.Fatalf("%d operations of one object under way at once; want 1", got)
	}
	w.Settle()
	if got := w.Value("CN=Ada King,OU=Sales,DC=corp,DC=example", "title"); got != "Countess" {
		t.Errorf("title = %q at %q", got, w.Addresses())
	}
}

// An attribute that the system refuses is set aside alone; the rest is written, and it is tried again when it is time.
func TestPain02_oneBadAttributeStopsNothingElse(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Refuse = func(op *connectorv1.Operation) (connectorv1.Outcome, *connectorv1.Fault) {
		for _, a := range op.GetCreate().GetAttributes() {
			if a.GetName() == "title" {
				return connectorv1.Outcome_OUTCOME_INVALID, &connectorv1.Fault{Cause: "the title is refused", Attribute: "title", NextStep: "correct it"}
			}
		}
		for _, c := range op.GetModify().GetChanges() {
			if c.GetName() == "title" {
				return connectorv1.Outcome_OUTCOME_INVALID, &connectorv1.Fault{Cause: "the title is refused", Attribute: "title", NextStep: "correct it"}
			}
		}
		return 0, nil
	}
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Settle()
	at := "CN=Ada Lovelace" + research
	if got := w.Value(at, "department"); got != "Research" {
		t.Fatalf("directory holds %q, department %q; want the account without its title", w.Addresses(), got)
	}
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "title", "Countess", "last_name", "King"))
	w.Settle()
	at = "CN=Ada King" + research
	if got := w.Value(at, "sn"); got != "King" {
		t.Errorf("sn = %q; want what else has changed written", got)
	}
	w.Write(func(tx *store.Tx) error {
		problems, err := tx.Problems(rehearsal.Tenant, 10)
		if len(problems) != 1 || problems[0].Kind != "invalid" {
			t.Errorf("problems = %+v; want that of the title", problems)
		}
		return err
	})
	w.Refuse = nil
	w.Write(func(tx *store.Tx) error { _, err := tx.RetryNow(rehearsal.Tenant, "", ""); return err })
	w.Settle()
	if got := w.Value(at, "title"); got != "Countess" {
		t.Errorf("title = %q after it was tried again", got)
	}
}

// Pain 1: an attribute that is blank for a fifth of everybody destroys nothing before somebody has looked.
func TestPain01_blankedAttributeDestroysNothing(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Workers(40)...)
	w.Settle()
	before := w.Addresses()
	c := w.ReadWhole("hr", rehearsal.Workers(9, "title", "")...)
	if n := w.Settle(); c.State != store.CycleHeld || n != 0 || !slices.Equal(w.Addresses(), before) {
		t.Errorf("the read is %s, and %d operations were carried out; want it held, and none", c.State, n)
	}
	w.Write(func(tx *store.Tx) error {
		held, err := tx.HeldJobs(rehearsal.Tenant, store.HeldFilter{}, 99)
		if len(held) != 0 {
			t.Errorf("%d operations wait; want not even these", len(held))
		}
		return err
	})
	if err := w.Intake.Discard(context.Background(), rehearsal.Tenant, c.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	if n := w.Settle(); n != 0 {
		t.Errorf("%d operations were carried out after it was rejected; want none", n)
	}
}
