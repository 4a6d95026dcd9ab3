package schedule_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/schedule"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

func world(t *testing.T) *rehearsal.World {
	w := rehearsal.New(t)
	w.Apply(rehearsal.Documents)
	return w
}

// step does what is due, and gives when something is due next.
func step(t *testing.T, w *rehearsal.World) time.Time {
	t.Helper()
	next, err := w.Schedule.Step(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func nextRead(w *rehearsal.World, system string, at func(now store.Instant) store.Instant) {
	w.Write(func(tx *store.Tx) error { return tx.SetNextRead(rehearsal.Tenant, system, at(tx.Now)) })
}

func now(at store.Instant) store.Instant { return at }

// reads gives the read jobs of a system, the oldest first, and their state.
func reads(t *testing.T, w *rehearsal.World, system string) (list []*linkv1.Read, states []string) {
	t.Helper()
	w.Write(func(tx *store.Tx) error {
		rows, err := tx.ListJobs(rehearsal.Tenant, store.JobFilter{System: system, Class: "read"}, 100)
		for _, j := range slices.Backward(rows) {
			var work linkv1.Job
			if err := proto.Unmarshal(j.Work, &work); err != nil {
				return err
			}
			list, states = append(list, work.GetRead()), append(states, j.State)
		}
		return err
	})
	return list, states
}

// end ends the open read of a system as an agent would.
func end(t *testing.T, w *rehearsal.World) {
	t.Helper()
	claimed := w.Claim(100)
	w.Write(func(tx *store.Tx) error {
		var results []*linkv1.Result
		for _, j := range claimed {
			results = append(results, &linkv1.Result{Job: j.GetId(), Outcome: connectorv1.Outcome_OUTCOME_DONE,
				Read: &linkv1.ReadSummary{Full: true}, Schema: &connectorv1.SchemaResponse{}})
		}
		return w.Queue.Finish(tx, rehearsal.Tenant, jobs.Results{Site: rehearsal.Site, Agent: rehearsal.Agent, Results: results})
	})
}

func TestStep_readsWhatIsDue(t *testing.T) {
	t.Parallel()
	w := world(t)
	nextRead(w, "hr", now)
	next := step(t, w)
	list, _ := reads(t, w, "hr")
	if len(list) != 1 || !list[0].GetFull() || !list[0].GetResend() || !slices.Contains(list[0].GetAttributes(), "first_name") {
		t.Fatalf("reads = %v; want a first one of everything", list)
	}
	if in := time.Until(next); in < 14*time.Minute || in > 15*time.Minute {
		t.Errorf("next is due in %v; want the interval of 15 min", in)
	}
	end(t, w)
	nextRead(w, "hr", now)
	step(t, w)
	if list, _ := reads(t, w, "hr"); len(list) != 2 || list[1].GetFull() || list[1].GetResend() {
		t.Errorf("second read = %v; want changes only", list[1:])
	}
}

// An agent that is away finds one read waiting, not one for every interval.
func TestStep_neverPilesUpReads(t *testing.T) {
	t.Parallel()
	w := world(t)
	for i := range 3 {
		nextRead(w, "hr", now)
		next := step(t, w)
		if in := time.Until(next); i > 0 && in > time.Second {
			t.Errorf("next look in %v while a read is open; want a moment", in)
		}
	}
	if _, states := reads(t, w, "hr"); len(states) != 1 {
		t.Errorf("reads = %q; want one", states)
	}
}

// Who asks for a read while one is open gets another after it: the open one may
// be past what was just changed, and of changes only.
func TestDemand_whileOneIsOpen(t *testing.T) {
	t.Parallel()
	w := world(t)
	nextRead(w, "hr", now)
	step(t, w)
	end(t, w)
	demand := func(full bool) (awaited bool) {
		w.Write(func(tx *store.Tx) error {
			row, err := tx.System(rehearsal.Tenant, "hr")
			if err != nil {
				return err
			}
			system, err := plan.NewSystems().Get(row)
			if err != nil {
				return err
			}
			_, awaited, err = schedule.Demand(tx, row, system, full)
			return err
		})
		return awaited
	}
	if demand(false) {
		t.Error("a read was awaited; want it begun: none is open")
	}
	if !demand(true) || !demand(false) {
		t.Error("a read was begun while one is open")
	}
	step(t, w)
	if list, _ := reads(t, w, "hr"); len(list) != 2 {
		t.Fatalf("%d reads; want the first and the one that is open", len(list))
	}
	end(t, w)
	nextRead(w, "hr", now) // an open read has put it off by a moment
	step(t, w)
	if list, _ := reads(t, w, "hr"); len(list) != 3 || list[1].GetFull() || !list[2].GetFull() {
		t.Fatalf("reads = %v; want a third, of everything", list)
	}
	end(t, w)
	if next := step(t, w); time.Until(next) < time.Minute {
		t.Errorf("next read in %v; want none before the interval", time.Until(next))
	}
}

// Another document wants what was never sent, of objects that have not changed.
func TestStart_resendsAfterAnotherDocument(t *testing.T) {
	t.Parallel()
	w := world(t)
	nextRead(w, "hr", now)
	step(t, w)
	end(t, w)
	time.Sleep(2 * time.Millisecond)
	w.Apply(rehearsal.Documents)
	nextRead(w, "hr", now)
	step(t, w)
	if list, _ := reads(t, w, "hr"); len(list) != 2 || list[1].GetResend() {
		t.Fatalf("read after a document that needs no more than was read = %v; want changes alone", list[1:])
	}
	end(t, w)
	time.Sleep(2 * time.Millisecond)
	w.Apply(rehearsal.Documents)
	w.Write(func(tx *store.Tx) error { return tx.SetReadAs(rehearsal.Tenant, "hr", 1) })
	nextRead(w, "hr", now)
	step(t, w)
	if list, _ := reads(t, w, "hr"); len(list) != 3 || !list[2].GetResend() {
		t.Errorf("read after a document that needs more = %v; want everything again", list[2:])
	}
}

func TestStep_readsSchemas(t *testing.T) {
	t.Parallel()
	w := world(t)
	step(t, w)
	step(t, w)
	var jobs []store.Job
	w.Write(func(tx *store.Tx) (err error) {
		jobs, err = tx.ListJobs(rehearsal.Tenant, store.JobFilter{Class: "schema"}, 100)
		return err
	})
	if len(jobs) != 2 {
		t.Errorf("%d schema jobs; want one for each system", len(jobs))
	}
}

// Many changes in a row are one read, soon after the last of them.
func TestChanged_readsOnceWhenQuiet(t *testing.T) {
	t.Parallel()
	w := world(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Schedule.Run(ctx) }()
	var last time.Time
	for range 5 {
		last = time.Now()
		if err := w.Schedule.Changed(ctx, rehearsal.Tenant, "hr"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, states := reads(t, w, "hr"); len(states) > 0 || time.Now().After(deadline) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
	if _, states := reads(t, w, "hr"); len(states) != 1 {
		t.Errorf("reads = %q; want one", states)
	}
	cancel()
	<-ended
	var cycles []store.Cycle
	w.Write(func(tx *store.Tx) (err error) {
		cycles, err = tx.ListCycles(rehearsal.Tenant, store.CycleFilter{System: "hr"}, 10)
		return err
	})
	if len(cycles) == 1 && cycles[0].Began.Time().Before(last) {
		t.Errorf("read began %v before the last change; want it to be quiet first", last.Sub(cycles[0].Began.Time()))
	}
	if len(cycles) != 1 || cycles[0].Cause != "changed, everything" {
		t.Errorf("cycles = %+v; want one that says it changed", cycles)
	}
}

// Nothing of the person has changed, and yet the account is made on the day.
func TestRun_ringsAlarmsAtTheirInstant(t *testing.T) {
	t.Parallel()
	w := world(t)
	at := time.Now().Add(700 * time.Millisecond)
	start := at.Add(7 * 24 * time.Hour).UTC()
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "hire_date", start.Format(time.RFC3339Nano)))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- w.Schedule.Run(ctx) }()
	go func() { ended <- w.Planner.Run(ctx) }()
	defer func() {
		cancel()
		<-ended
		<-ended
	}()
	w.Write(func(tx *store.Tx) error { return tx.MarkAllDue(rehearsal.Tenant, "test", 0) })
	for {
		var made []store.Job
		w.Write(func(tx *store.Tx) (err error) {
			made, err = tx.ListJobs(rehearsal.Tenant, store.JobFilter{Class: "create"}, 10)
			return err
		})
		if len(made) == 1 {
			if late := made[0].Made.Time().Sub(at); late < 0 || late > 5*time.Second {
				t.Errorf("account planned %v after its instant; want at once, and never before", late)
			}
			return
		}
		if time.Since(at) > 10*time.Second {
			t.Fatal("no account was planned: the alarm did not ring")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Groups are read as one class, however the document spells it: an object that
// is read as of two is of the one that comes last, and no more the account of its group.
func TestClasses_groupsOnce(t *testing.T) {
	t.Parallel()
	system, err := mapping.Parse("app", []byte(`system: app
site: hq
connector: scim
target:
  class: User
  name: {attribute: id, value: userName}
  attributes: {userName: userName}
  groups: [{directory: memberOf}]
  group: {class: Group, name: {attribute: id, value: displayName}, attributes: {displayName: displayName}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := schedule.Classes(system), []string{"User", "Group"}; !slices.Equal(got, want) {
		t.Errorf("classes %q are read; want %q", got, want)
	}
}
