package guard_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/guard"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A desk is a guard of a system that is no directory, with a clock of its own.
type desk struct {
	t    testing.TB
	dir  string
	now  time.Time
	next uint64
	*guard.Guard
}

func newDesk(t testing.TB, policy string) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir(), now: time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)} // a Wednesday
	if policy != "" {
		d.write(policy)
	}
	d.open()
	t.Cleanup(func() { d.Close() }) // again, if the test has closed it; Windows removes no open file
	return d
}

func (d *desk) write(policy string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, "guardrail.yaml"), []byte(policy), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) open() {
	d.t.Helper()
	g, err := guard.Open(guard.Options{Policy: filepath.Join(d.dir, "guardrail.yaml"), Data: d.dir,
		Log: slog.New(slog.NewTextHandler(d.t.Output(), nil)), Now: func() time.Time { return d.now }})
	if err != nil {
		d.t.Fatal(err)
	}
	d.Guard = g
}

// crash leaves the journal as it is on disk and opens it again.
func (d *desk) crash() {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, "guard.db"))
	if err != nil {
		d.t.Fatal(err)
	}
	policy, err := os.ReadFile(filepath.Join(d.dir, "guardrail.yaml"))
	if err != nil {
		d.t.Fatal(err)
	}
	old := d.Guard
	d.t.Cleanup(func() { old.Close() })
	d.dir = d.t.TempDir()
	if err := os.WriteFile(filepath.Join(d.dir, "guard.db"), text, 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.write(string(policy))
	d.open()
}

func (d *desk) job(op *connectorv1.Operation) *linkv1.Job {
	d.next++
	return &linkv1.Job{Id: d.next, System: "app", Work: &linkv1.Job_Apply{Apply: op}}
}

func (d *desk) check(job *linkv1.Job) guard.Verdict {
	return d.Check(d.t.Context(), guard.Question{System: &linkv1.System{Name: "app", Connector: "sql"}, Job: job})
}

func remove(id string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "row", Id: id, Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}}
}

// passed counts how many of n deletes are let pass.
func (d *desk) passed(n int) (allowed int) {
	for i := range n {
		if d.check(d.job(remove(fmt.Sprint("r", i)))).Decision == guard.Allow {
			allowed++
		}
	}
	return allowed
}

const tenAnHour = "mode: enforce\nsystems:\n  app:\n    budgets:\n      delete: {hour: 10, day: 25}\n"

// A budget cannot be stretched by spreading the work over restarts, whether
// the agent is stopped or killed, nor over hours beyond the day's.
func TestGuard_budgetOverRestarts(t *testing.T) {
	t.Parallel()
	d := newDesk(t, tenAnHour)
	if got := d.passed(4); got != 4 {
		t.Fatalf("%d of 4 deletes passed", got)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d.open()
	if got := d.passed(3); got != 3 {
		t.Errorf("after a stop: %d of 3 more passed; want all", got)
	}
	d.crash()
	d.now = d.now.Add(30 * time.Minute)
	if got := d.passed(20); got > 3 || got < 2 {
		t.Errorf("after a kill: %d of 20 more passed; want 3 to make 10, or 2 where one was reserved", got)
	}
	d.now = d.now.Add(31 * time.Minute) // the first seven are older than an hour
	if got := d.passed(20); got < 6 || got > 8 {
		t.Errorf("an hour after the first: %d of 20 passed; want as many as the first were", got)
	}
	total := 17
	for range 8 {
		d.now = d.now.Add(61 * time.Minute)
		d.crash()
		total += d.passed(20)
	}
	if total > 25 || total < 20 {
		t.Errorf("%d deletes passed in 10 hours; want not more than 25 a day, and not many fewer", total)
	}
	d.now = d.now.Add(24 * time.Hour)
	if got := d.passed(20); got != 10 {
		t.Errorf("a day later %d passed; want 10", got)
	}
}

// A clock that is set back gives nothing back.
func TestGuard_budgetClockSetBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t, tenAnHour)
	d.passed(10)
	d.now = d.now.Add(-3 * time.Hour)
	if got := d.passed(5); got != 0 {
		t.Errorf("%d more passed; want none", got)
	}
	d.crash()
	if got := d.passed(5); got != 0 {
		t.Errorf("after a restart %d more passed; want none", got)
	}
}

// Over budget, a job waits for a person: who approves it lets this job pass,
// once, and not another with its number.
func TestGuard_approve(t *testing.T) {
	t.Parallel()
	d := newDesk(t, tenAnHour)
	d.passed(10)
	job := d.job(remove("eleven"))
	v := d.check(job)
	if v.Decision != guard.Wait || !strings.Contains(v.Fault.GetCause(), "10 of 10 a hour") || !strings.Contains(v.Fault.GetRaw(), "guardrail.yaml:5 systems.app.budgets.delete.hour") ||
		!strings.Contains(v.Fault.GetNextStep(), "approve") {
		t.Fatalf("verdict = %+v; want one that waits, by the rule and its line", v)
	}
	waiting := d.State().GetWaiting()
	if len(waiting) != 1 || waiting[0].GetJob() != job.GetId() || waiting[0].GetSystem() != "app" {
		t.Errorf("waiting = %v; want job %d", waiting, job.GetId())
	}
	if missing, err := d.Approve([]uint64{job.GetId(), 999}, false, "ann"); err != nil || len(missing) != 1 || missing[0] != 999 {
		t.Errorf("Approve() = %v, %v; want 999 missing", missing, err)
	}
	d.crash()
	other := &linkv1.Job{Id: job.GetId(), System: "app", Work: &linkv1.Job_Apply{Apply: remove("other")}}
	if v := d.check(other); v.Decision != guard.Wait {
		t.Errorf("another job with the approved number = %v; want it to wait", v.Decision)
	}
	if v := d.check(job); v.Decision != guard.Allow {
		t.Errorf("approved job = %+v; want it to pass", v)
	}
	if v := d.check(job); v.Decision != guard.Wait {
		t.Errorf("approved job for the second time = %v; want it to wait", v.Decision)
	}
}

// What waits does not keep everything else out: beyond some hundreds it is denied.
func TestGuard_waitingIsBounded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "mode: enforce\nsystems:\n  app:\n    budgets: {delete: {hour: 0}}\n")
	waits, denied := 0, 0
	for i := range 600 {
		switch d.check(d.job(remove(fmt.Sprint(i)))).Decision {
		case guard.Wait:
			waits++
		case guard.Deny:
			denied++
		}
	}
	if waits != 512 || denied != 88 {
		t.Errorf("%d wait, %d denied; want 512 and 88", waits, denied)
	}
}

// A membership of many groups counts as many.
func TestGuard_budgetCountsGroups(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "mode: enforce\nsystems:\n  app:\n    budgets: {membership: {hour: 5}}\n")
	join := &connectorv1.Operation{Class: "row", Id: "1", Verb: &connectorv1.Operation_ChangeMembership{
		ChangeMembership: &connectorv1.ChangeMembership{Join: []string{"a", "b", "c"}, Leave: []string{"d"}}}}
	if v := d.check(d.job(join)); v.Decision != guard.Allow {
		t.Errorf("4 groups = %v; want them to pass", v.Decision)
	}
	if v := d.check(d.job(join)); v.Decision != guard.Wait {
		t.Errorf("8 groups = %v; want them to wait", v.Decision)
	}
}

// Outside its hours a change waits, and a leaver is disabled all the same.
func TestGuard_hours(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "mode: enforce\nsystems:\n  app:\n    hours: {zone: Europe/Zurich, days: [mon, tue, wed, thu, fri], from: \"07:00\", to: \"19:00\"}\n")
	disable := &connectorv1.Operation{Class: "row", Id: "1", Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{}}}
	for _, tt := range []struct {
		at   string
		want guard.Decision
	}{
		{"2026-03-04T06:00:00Z", guard.Allow}, // 07:00 in Zurich
		{"2026-03-04T05:59:59Z", guard.Wait},
		{"2026-03-04T17:59:59Z", guard.Allow},
		{"2026-03-04T18:00:00Z", guard.Wait},
		{"2026-03-07T10:00:00Z", guard.Wait},  // a Saturday
		{"2026-07-01T05:00:00Z", guard.Allow}, // in summer
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		d.now = at
		if got := d.check(d.job(remove("1"))).Decision; got != tt.want {
			t.Errorf("delete at %s = %v; want %v", tt.at, got, tt.want)
		}
		if got := d.check(d.job(disable)).Decision; got != guard.Allow {
			t.Errorf("disable at %s = %v; want it to pass", tt.at, got)
		}
	}
}
