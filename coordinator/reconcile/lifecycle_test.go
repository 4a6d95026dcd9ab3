package reconcile_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A row is a line of the HR file, columns by name.
type row map[string]string

// with gives the row with some columns changed.
func (r row) with(pairs ...string) row {
	out := row{}
	for k, v := range r {
		out[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

var columns = []string{"department", "email_alias", "employee_id", "first_name", "hire_date", "last_name", "location", "manager_id", "phone", "status", "term_date", "title"}

func (r row) object(t testing.TB) []byte {
	t.Helper()
	o := &connectorv1.Object{Class: "row", Id: r["employee_id"]}
	for _, c := range columns {
		a := &connectorv1.Attribute{Name: c}
		if r[c] != "" {
			a.Values = []string{r[c]}
		}
		o.Attributes = append(o.Attributes, a)
	}
	b, err := proto.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// person takes the row through the source's mapping.
func (r row) person(t testing.TB, hr *mapping.System, now time.Time) directory.Person {
	t.Helper()
	record, err := hr.Source.Read(r.object(t))
	if err != nil {
		t.Fatal(err)
	}
	return directory.Person{ID: "p-" + directory.Fold(record.Key), Key: directory.Fold(record.Key), Attributes: record.Attributes, HasSource: true, Changed: now}
}

var zoe = row{"employee_id": "E1", "first_name": "Zoë", "last_name": "O'Brien, Jr.", "title": "Clerk", "department": "Sales",
	"location": "Berlin", "phone": "+49 30 1", "hire_date": "2026-03-01", "status": "A", "manager_id": "E9"}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// The whole life of an employee, from HR row to operation, with the reasons
// that are shown for it.
func TestPlan_lifecycle(t *testing.T) {
	t.Parallel()
	hr, ad := system(t, "hr.yaml"), system(t, "corp-ad.yaml")
	boss := row{"employee_id": "E9", "first_name": "Ada", "last_name": "Boss", "department": "Sales", "hire_date": "2020-01-01", "status": "A"}
	married := zoe.with("last_name", "Müller")
	moved := married.with("department", "R&D, Berlin", "title", "", "manager_id", "")
	d := newDomain()
	var got strings.Builder
	for _, step := range []struct {
		name, now string
		row       row
		lost      bool
	}{
		{"hired, the start far ahead", "2026-02-01T08:00:00Z", zoe, false},
		{"a week before the start", "2026-02-21T23:00:00Z", zoe, false},
		{"nothing new", "2026-02-25T08:00:00Z", zoe, false},
		{"the day of the start", "2026-02-28T23:00:00Z", zoe, false},
		{"the manager gets an account", "2026-03-01T08:00:00Z", boss, false},
		{"and is entered", "2026-03-01T08:01:00Z", zoe, false},
		{"marriage", "2026-05-01T08:00:00Z", married, false},
		{"another department, without title and manager", "2026-06-01T08:00:00Z", moved, false},
		{"termination at an instant ahead", "2026-07-01T08:00:00Z", moved.with("term_date", "2026-07-31T17:00:00+10:00"), false},
		{"the instant", "2026-07-31T07:00:00Z", moved.with("term_date", "2026-07-31T17:00:00+10:00"), false},
		{"will come back", "2026-08-20T08:00:00Z", moved.with("term_date", "2026-07-31T17:00:00+10:00", "hire_date", "2026-09-01"), false},
		{"comes back", "2026-09-01T08:00:00Z", moved.with("term_date", "2026-07-31T17:00:00+10:00", "hire_date", "2026-09-01"), false},
		{"lost the HR record", "2026-10-01T08:00:00Z", moved, true},
		{"found again", "2026-10-02T08:00:00Z", moved, false},
		{"terminated by status", "2026-11-01T08:00:00Z", moved.with("status", "T", "term_date", "2026-10-31"), false},
		{"90 days later", "2027-01-29T23:00:00Z", moved.with("status", "T", "term_date", "2026-10-31"), false},
		{"and stays deleted", "2027-02-10T08:00:00Z", moved.with("status", "T", "term_date", "2026-10-31"), false},
	} {
		now := instant(t, step.now)
		p := step.row.person(t, hr, now)
		p.HasSource = !step.lost
		got.WriteString(story(fmt.Sprintf("%s  %s (%s)", step.now, step.name, p.LifeAt(now)), d.settle(t, ad.Target, p, now)...))
	}
	golden(t, "lifecycle.golden", "The account of one worker, and of her manager, from hire to deletion, by mapping/testdata/corp-ad.yaml.\n"+legend+got.String())
}

// legend says how the golden plans are to be read.
const legend = `
At each instant stands what is planned then; what is planned once that is done follows below
"then", until nothing is left to do.

    create, modify, move …   an operation, its class being what thresholds and approvals go by
    (takes something away)   it counts against the threshold of its class
    a: ["x"] -> ["y"] by …   attribute, what is there, what shall be, the rule [and its line], and what the rule has read
    alarm                    when the person is looked at again although nothing has changed
    waits for                whose account must be there first
    problem                  what a person must see to, and how
`

// story writes what is planned, round by round, below a heading.
func story(heading string, rounds ...reconcile.Output) string {
	text := "\n" + heading + "\n"
	for i, out := range rounds {
		if i > 0 {
			text += "  then\n"
		}
		text += show(out)
	}
	return text
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", path, diff)
	}
}
