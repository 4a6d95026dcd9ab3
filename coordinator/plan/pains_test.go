package plan_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Pain 9: an edited mapping has those looked at again whom it touches, from what
// is stored; the system is not read again for it.
func TestPain09_anEditTouchesWhomItChanges(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Touch()
	w.Read("hr", append(rehearsal.Workers(200), rehearsal.Worker("E9001", "Bo", "Berg", "department", "Sales"))...)
	w.Settle()
	w.Edit(edited(t, "title: title\n    manager: {", `title: 'department == "Sales" ? "Seller" : title'`+"\n    manager: {"))
	if got := dueKeys(t, w); !slices.Equal(got, []string{"e9001"}) {
		t.Errorf("%d people are looked at again, %q; want the one in Sales, of 201", len(got), got[:min(5, len(got))])
	}
	if n := w.Settle(); n != 1 || w.Value("CN=Bo Berg,OU=Sales,DC=corp,DC=example", "title") != "Seller" {
		t.Errorf("%d changes; want the one title", n)
	}
}

// Pain 10: two accounts that may be somebody's are held for a person to decide, and
// no third is made; once it is clear whose it is, that one is taken.
func TestPain10_ambiguousAccountsAreHeld(t *testing.T) {
	t.Parallel()
	w := world(t)
	one := rehearsal.Object("user", "guid-a", "CN=Ada One,DC=corp,DC=example", "employeeID", "E1001", "sAMAccountName", "ada1", "enabled", "true")
	two := rehearsal.Object("user", "guid-b", "CN=Ada Two,DC=corp,DC=example", "employeeID", "E1001", "sAMAccountName", "ada2", "enabled", "true")
	w.Objects["guid-a"], w.Objects["guid-b"] = one, two
	w.Read("corp-ad", one, two)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	if n := w.Settle(); n != 0 || len(w.Objects) != 2 {
		t.Errorf("%d changes, %d accounts; want nothing done", n, len(w.Objects))
	}
	if got := problems(t, w); len(got) != 1 || !strings.Contains(fmt.Sprint(got), "ambiguous") {
		t.Errorf("problems = %v; want one, ambiguous", got)
	}
	w.Write(func(tx *store.Tx) error { // whoever decides sees which they are, and that nothing of them is anybody's yet
		list, err := tx.Problems(rehearsal.Tenant, 10)
		if err == nil && (!strings.Contains(list[0].Fault, "CN=Ada One") || !strings.Contains(list[0].Fault, "CN=Ada Two")) {
			t.Errorf("the problem says %s; want both accounts named", list[0].Fault)
		}
		return err
	})
	two = rehearsal.Object("user", "guid-b", "CN=Ada Two,DC=corp,DC=example", "employeeID", "E7777", "sAMAccountName", "ada2", "enabled", "true")
	w.Objects["guid-b"] = two
	w.Read("corp-ad", two)
	w.Write(func(tx *store.Tx) error { return tx.MarkAllDue(rehearsal.Tenant, "test", 0) })
	w.Settle()
	if len(w.Objects) != 2 || w.Value("CN=Ada Lovelace"+research, "sAMAccountName") != "ada1" {
		t.Errorf("accounts = %q; want the one that was there taken, and none made", w.Addresses())
	}
}

// Pain 15: a manager who comes later is referred to the moment that he is there, with no restart and no full run.
func TestPain15_aManagerWhoComesLater(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "manager_id", "E1002"))
	w.Settle()
	if got := w.Value(adaAt, "manager"); got != "" {
		t.Fatalf("manager = %q before there is one", got)
	}
	w.Read("hr", rehearsal.Worker("E1002", "Grace", "Hopper"))
	w.Settle()
	id := ""
	for _, o := range w.Objects {
		if strings.HasPrefix(o.GetAddress(), "CN=Grace") {
			id = o.GetId()
		}
	}
	if got := w.Value(adaAt, "manager"); id == "" || got != id {
		t.Errorf("manager = %q; want the account %q of whom came later", got, id)
	}
}

// Pain 20: who is gone from the source can no longer sign in, and the account does not stay as it was.
func TestPain20_whoIsGoneIsLockedOut(t *testing.T) {
	t.Parallel()
	w := world(t)
	rows := append(rehearsal.Workers(40), rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.ReadWhole("hr", rows...)
	w.Settle()
	if w.Value(adaAt, "enabled") != "true" {
		t.Fatal("the account was not made")
	}
	w.Write(func(tx *store.Tx) error {
		return w.Intake.Take(tx, intake.Batch{Tenant: rehearsal.Tenant, System: "hr", Cycle: 1, Records: []*connectorv1.Record{{Id: "E1001", Deleted: true}}})
	})
	w.EndRead("hr")
	w.Settle()
	if at := "CN=Ada Lovelace,OU=Leavers,DC=corp,DC=example"; w.Value(at, "enabled") != "false" {
		t.Errorf("accounts = %q; want Ada's disabled, among the leavers", w.Addresses()[:3])
	}
}

// vanish has a read of a system say that some of its records are gone, and gives what became of it.
func vanish(t *testing.T, w *rehearsal.World, system string, ids ...string) (cycle store.Cycle) {
	t.Helper()
	job := []store.Job{{Tenant: rehearsal.Tenant, Site: rehearsal.Site, System: system, Class: "read", State: store.JobSent}}
	w.Write(func(tx *store.Tx) error {
		if err := tx.AddJobs(job); err != nil {
			return err
		}
		if err := tx.PutCycle(store.Cycle{Tenant: rehearsal.Tenant, ID: job[0].ID, System: system, Began: tx.Now, State: store.CycleReading}); err != nil {
			return err
		}
		var records []*connectorv1.Record
		for _, id := range ids {
			records = append(records, &connectorv1.Record{Id: id, Deleted: true})
		}
		err := w.Intake.Take(tx, intake.Batch{Tenant: rehearsal.Tenant, System: system, Cycle: job[0].ID, Records: records})
		err = errors.Join(err, w.Intake.EndRead(tx, job[0], &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_DONE, Read: &linkv1.ReadSummary{Deleted: uint64(len(ids))}}))
		if err != nil {
			return err
		}
		cycle, err = tx.Cycle(rehearsal.Tenant, job[0].ID)
		return err
	})
	return cycle
}

// Pain 1: a filter that lets fewer people pass, an organizational unit that a
// source does not show any more, and one that is gone from the target: nobody is
// locked out, moved, deleted or made again before somebody has looked.
func TestPain01_filterAndUnitDestroyNothing(t *testing.T) {
	t.Parallel()
	company := func() (*rehearsal.World, map[string]string) {
		w := world(t)
		w.Touch()
		w.Read("hr", rehearsal.Workers(40)...)
		w.Read("hr", rehearsal.Workers(12, "department", "Sales")...)
		w.Settle()
		before := map[string]string{}
		for id, o := range w.Objects {
			before[id] = o.String()
		}
		return w, before
	}
	same := func(what string, w *rehearsal.World, before map[string]string) {
		t.Helper()
		done := w.Settle()
		for id, was := range before {
			if o := w.Objects[id]; o == nil || o.String() != was {
				t.Fatalf("%s: %d operations were carried out, %s was %s and is %s; want nothing touched", what, done, id, was, o)
			}
		}
		if done != 0 || len(w.Objects) != len(before) {
			t.Fatalf("%s: %d operations were carried out, %d accounts; want none, and %d", what, done, len(w.Objects), len(before))
		}
	}
	w, before := company()
	w.Edit(edited(t, "  class: user\n", "  class: user\n  scope: department != \"Sales\"\n"))
	same("a narrower filter", w, before)
	if held := jobs(t, w, store.JobFilter{State: store.JobHeld}); len(held) < 12 {
		t.Errorf("a narrower filter: %d changes wait; want those of the 12", len(held))
	}

	w, before = company()
	var gone []string
	for i := range 12 {
		gone = append(gone, fmt.Sprintf("E%04d", i+1))
	}
	if c := vanish(t, w, "hr", gone...); c.State != store.CycleHeld {
		t.Errorf("a unit that is gone from the source: the read is %s; want it held", c.State)
	}
	same("a unit that is gone from the source", w, before)

	w, before = company()
	gone = nil
	for id, o := range w.Objects {
		if strings.Contains(o.GetAddress(), "OU=Sales") {
			gone = append(gone, id)
		}
	}
	if c := vanish(t, w, "corp-ad", gone...); c.State != store.CycleHeld {
		t.Errorf("a unit that is gone from the target: the read is %s; want it held", c.State)
	}
	same("a unit that is gone from the target", w, before)
}
