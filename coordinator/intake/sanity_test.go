package intake_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const gatedDocument = `
system: hr
site: hq
connector: csv
gate: {ignore: [nick]}
source:
  class: row
  key: id
  attributes:
    name.givenName: given
    name.familyName: family
    department: department
    costCenter: cost
    startDate: date(hired)
    nickName: nick
    title: title
`

// crew are 40 workers of 8 departments; pairs of column and value are over what
// is said of everybody; a value "-" takes the column away, %d is a number that eight of them differ by.
func crew(from, to int, pairs ...string) (rows []*connectorv1.Record) {
	for n := from; n < to; n++ {
		columns := []string{"id", fmt.Sprintf("E%02d", n), "given", fmt.Sprintf("Given%d", n), "family", fmt.Sprintf("Family%d", n),
			"department", fmt.Sprintf("Department %c", 'A'+n%8), "hired", fmt.Sprintf("2020-01-%02d", n%28+1), "nick", "Nick", "title", "Nurse"}
		for i := 0; i < len(pairs); i += 2 {
			set := false
			for j := 0; j < len(columns); j += 2 {
				if columns[j] == pairs[i] {
					columns[j+1], set = pairs[i+1], true
				}
			}
			if !set {
				columns = append(columns, pairs[i], pairs[i+1])
			}
		}
		var left []string
		for j := 0; j < len(columns); j += 2 {
			if columns[j+1] != "-" {
				left = append(left, columns[j], strings.ReplaceAll(columns[j+1], "%d", fmt.Sprint(n%8)))
			}
		}
		rows = append(rows, object("row", fmt.Sprintf("E%02d", n), fmt.Sprintf("workers.csv line %d", n+2), left...))
	}
	return rows
}

// newCrew is a bench that has read 40 workers.
func newCrew(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, gatedDocument, adDocument)
	if c := b.readHR(crew(0, 40)...); c.State != store.CycleApplied {
		t.Fatalf("first read is %s: %s; want it applied", c.State, c.Reason)
	}
	b.takeDue()
	return b
}

// readHR reads changes of hr from beginning to end.
func (b *bench) readHR(rows ...*connectorv1.Record) store.Cycle {
	b.t.Helper()
	job := b.begin("hr")
	b.take("hr", job.ID, rows...)
	lost := 0
	for _, r := range rows {
		if r.GetDeleted() {
			lost++
		}
	}
	return b.end(job, done(false, uint64(len(rows)), uint64(len(rows)-lost), uint64(lost), 0))
}

func (b *bench) attributes(key string) string { b.t.Helper(); return b.person(key).Attributes }

// Each thing that a feed does not do by itself is held, says what it is and what to do, and passes on approval.
func TestGate_holdsWhatNoFeedDoes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		rows  []*connectorv1.Record
		want  string // in the cause
		after string // what the people say once it is approved
	}{
		{"empty", crew(0, 9, "department", ""), "department is empty in 9 of 40 records", `"department":null`},
		{"vanished", crew(0, 9, "department", "-"), "the column department is gone from 9 of 40 records", ``},
		{"alike", crew(0, 16, "department", "Unknown"), "department has one and the same value in 16 of 40 records, which had 8 different values", "Unknown"},
		{"rewritten", crew(0, 16, "department", "10%d"), "department is written like digits in 16 of 40 records, and was like text", "100"},
		{"appeared", crew(0, 12, "cost", "4711"), "the column cost, which no record had, is in 12 of 40", "4711"},
		{"reused", crew(0, 1, "given", "Ada", "family", "Other", "hired", "2026-01-01"), "1 of the ids that are known are other people's now", "Ada"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newCrew(t)
			before := b.attributes("e00")
			c := b.readHR(append(test.rows, crew(39, 40, "title", "Chef")...)...)
			for _, part := range []string{test.want, "workers.csv line 2", fmt.Sprintf("drawbridge cycle approve %d", c.ID), fmt.Sprintf("drawbridge cycle reject %d", c.ID)} {
				if !strings.Contains(c.Reason, part) {
					t.Errorf("reason %q does not say %q", c.Reason, part)
				}
			}
			if c.State != store.CycleHeld || b.attributes("e00") != before {
				t.Errorf("the cycle is %s, and the first person %s; want it held, and them as they were", c.State, b.attributes("e00"))
			}
			b.wantDue("e39") // the rest of the read goes on
			if err := b.Believe(t.Context(), tenant, c.ID, "ann"); err != nil {
				t.Fatal(err)
			}
			if now := b.attributes("e00"); now == before || !strings.Contains(now, test.after) {
				t.Errorf("the first person after the approval is %s; want %s taken", now, test.after)
			}
			if due := b.takeDue(); len(due) != len(test.rows) {
				t.Errorf("%d people are due after the approval; want the %d that were held", len(due), len(test.rows))
			}
			b.read(func(tx *store.Tx) error {
				rows, err := tx.StagedAfter(tenant, "hr", 1<<40, "", 99)
				if len(rows) != 0 {
					t.Errorf("%d records are staged still; want none", len(rows))
				}
				return err
			})
		})
	}
}

// What feeds do every day passes: few, columns that may come and go, a marriage, people who come back, a reorganisation.
func TestGate_letsPassWhatFeedsDo(t *testing.T) {
	t.Parallel()
	for name, rows := range map[string][]*connectorv1.Record{
		"few":            crew(0, 4, "department", ""),
		"within":         crew(0, 8, "department", ""),
		"ignored":        crew(0, 40, "nick", ""),
		"promotion":      crew(0, 40, "title", "Chef"), // all were the same before
		"letters":        crew(0, 40, "title", "T"),
		"reorganisation": append(crew(0, 8, "department", "Department I"), crew(8, 40, "title", "Chef")...),
		"marriage":       crew(0, 1, "family", "Other", "hired", "2026-01-01"),
		"order of names": crew(0, 1, "given", "Family0", "family", "Given0", "hired", "2026-01-01"),
		"another name":   crew(0, 1, "given", "Ada", "family", "Other"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newCrew(t)
			if c := b.readHR(rows...); c.State != store.CycleApplied {
				t.Errorf("the cycle is %s: %s; want it applied", c.State, c.Reason)
			}
			if due := b.takeDue(); len(due) != len(rows) {
				t.Errorf("%d people are due; want %d", len(due), len(rows))
			}
		})
	}
}

// Who comes back under a known id is let in by name: the same person passes, another is held.
func TestGate_idsOfThoseWhoWereGone(t *testing.T) {
	t.Parallel()
	b := newCrew(t)
	if c := b.readHR(gone("E00"), gone("E01")); c.State != store.CycleApplied {
		t.Fatalf("two that go: %s", c.Reason)
	}
	b.takeDue()
	if c := b.readHR(crew(0, 1, "family", "Married", "hired", "2026-01-01")...); c.State != store.CycleApplied {
		t.Errorf("who comes back is %s: %s; want them taken", c.State, c.Reason)
	}
	b.wantDue("e00")
	c := b.readHR(crew(1, 2, "given", "Ada", "family", "Other")...)
	if c.State != store.CycleHeld {
		t.Errorf("somebody else under an id that was gone is %s; want it held", c.State)
	}
	b.wantDue()
}

// What is held waits through later reads, which go on; what comes back to what it was is held no more.
func TestGate_goesOnBesideWhatIsHeld(t *testing.T) {
	t.Parallel()
	b := newCrew(t)
	first := b.readHR(crew(0, 12, "department", "")...)
	b.takeDue()
	second := b.readHR(append(crew(12, 14, "department", ""), crew(20, 21, "title", "Chef")...)...)
	b.wantDue("e20")
	if second.State != store.CycleHeld || !strings.Contains(second.Reason, "in 14 of 40 records") {
		t.Errorf("the second read is %s: %s; want the 14 held together", second.State, second.Reason)
	}
	third := b.readHR(crew(21, 22, "title", "Chef")...)
	b.wantDue("e21")
	if third.State != store.CycleApplied {
		t.Errorf("a read with nothing odd is %s: %s; want it applied, and the other waiting on", third.State, third.Reason)
	}
	if c := b.cycle(first.ID); c.State != store.CycleRejected {
		t.Errorf("the first cycle is %s; want it to have passed its records on to the second", c.State)
	}
	if c := b.readHR(crew(0, 12)...); c.State != store.CycleApplied {
		t.Errorf("the read in which they come back is %s: %s; want it applied", c.State, c.Reason)
	}
	if c := b.cycle(second.ID); c.State != store.CycleRejected {
		t.Errorf("the held cycle is %s; want it over: two are not more than the gate lets pass", c.State)
	}
	b.wantDue("e12", "e13")
}

// A rejected read is forgotten; what later reads staged is none of it.
func TestGate_rejected(t *testing.T) {
	t.Parallel()
	b := newCrew(t)
	before := b.attributes("e00")
	c := b.readHR(crew(0, 12, "department", "")...)
	next := b.begin("hr")
	b.take("hr", next.ID, crew(30, 31, "title", "Chef")...)
	if err := b.Discard(t.Context(), tenant, c.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	b.takeDue()
	if now := b.attributes("e00"); now != before {
		t.Errorf("the first person is %s; want %s", now, before)
	}
	b.end(next, done(false, 1, 1, 0, 0))
	b.wantDue("e30")
}

// An approval is of what was seen: what a read under way has staged since is judged at its own end.
func TestGate_approvesThatReadAlone(t *testing.T) {
	t.Parallel()
	b := newCrew(t)
	c := b.readHR(crew(0, 12, "department", "")...)
	next := b.begin("hr")
	b.take("hr", next.ID, append(crew(12, 30, "department", ""), gone("E39"))...)
	if err := b.Believe(t.Context(), tenant, c.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	if due := b.takeDue(); len(due) != 12 || b.account("hr", "E39").Gone != 0 {
		t.Errorf("%d people are due, E39 is gone at %v; want the 12 of the read that was approved", len(due), b.account("hr", "E39").Gone)
	}
	if c := b.end(next, done(false, 19, 18, 1, 0)); c.State != store.CycleHeld || !strings.Contains(c.Reason, "in 18 of 27 records") {
		t.Errorf("the next read is %s: %s; want it held for 18 of the 27 that are left", c.State, c.Reason)
	}
}

// More than one transaction should hold is taken step by step, also by another coordinator after a restart.
func TestRelease_takesTheRest(t *testing.T) {
	t.Parallel()
	b := newBench(t, gatedDocument, adDocument)
	const many = 2700
	b.readHR(crew(0, many)...)
	b.takeDue()
	c := b.readHR(crew(0, many, "title", "Chef")...)
	if due := b.takeDue(); c.State != store.CycleApplied || len(due) != 2000 {
		t.Errorf("the read is %s and %d people are due; want 2000 at once", c.State, len(due))
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	for left := many - 2000; left > 0; {
		woken := b.Store.Due.Next()
		if n := len(b.takeDue()); n > 0 {
			left -= n
			continue
		}
		<-woken // or the test ends by its time limit
	}
	cancel()
	<-ended
}

// A column that an edited document asks for appears for everybody, and is taken.
func TestGate_columnOfANewDocument(t *testing.T) {
	t.Parallel()
	b := newCrew(t)
	b.applyDocument(gatedDocument + "    userType: kind\n")
	if c := b.readHR(crew(0, 40, "kind", "Employee")...); c.State != store.CycleApplied {
		t.Errorf("the first read under a new document is %s: %s; want it applied", c.State, c.Reason)
	}
	if c := b.readHR(crew(0, 40, "kind", "Employee", "cost", "1")...); c.State != store.CycleHeld || !strings.Contains(c.Reason, "the column cost") || strings.Contains(c.Reason, "kind") {
		t.Errorf("the second is %s: %s; want it held for the column that nobody asked for anew", c.State, c.Reason)
	}
}

// A read that broke off is judged, too: what is sane passes, what is not waits for the read that comes to its end.
func TestGate_readThatBrokeOff(t *testing.T) {
	t.Parallel()
	b := newCrew(t)
	broken := &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_UNAVAILABLE, Fault: &connectorv1.Fault{Cause: "gone away"}}
	job := b.begin("hr")
	b.take("hr", job.ID, crew(0, 3, "title", "Chef")...)
	b.end(job, broken)
	b.wantDue("e00", "e01", "e02")
	job = b.begin("hr")
	b.take("hr", job.ID, crew(0, 12, "department", "")...)
	b.end(job, broken)
	b.wantDue()
	if c := b.readHR(crew(20, 21, "title", "Chef")...); c.State != store.CycleHeld {
		t.Errorf("the read after it is %s; want it held for what the other had sent", c.State)
	}
	b.wantDue("e20")
}

// How many records have a value is known whatever comes and goes.
func TestGate_countsValues(t *testing.T) {
	t.Parallel()
	b := newCrew(t)
	counted := func() map[string]int64 {
		var n map[string]int64
		b.read(func(tx *store.Tx) (err error) {
			n, err = tx.Filled(tenant, "hr")
			return err
		})
		return n
	}
	c := b.readHR(crew(0, 9, "department", "")...) // counts for the first time
	if err := b.Believe(t.Context(), tenant, c.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	b.readHR(append(crew(40, 43, "nick", "-"), gone("E10"), gone("E00"))...)
	b.readHR(crew(0, 1)...)
	want := map[string]int64{"": 1, "id": 42, "given": 42, "family": 42, "department": 34, "hired": 42, "nick": 39, "title": 42}
	if diff := cmp.Diff(want, counted()); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

func (b *bench) cycle(id int64) (c store.Cycle) {
	b.t.Helper()
	b.read(func(tx *store.Tx) (err error) {
		c, err = tx.Cycle(tenant, id)
		return err
	})
	return c
}
