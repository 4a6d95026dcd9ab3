package sql_test

import (
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	connector "github.com/drawbridge-id/drawbridge/plugins/sql"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Rows that cannot be taken are set aside with their place and cure, the rest
// goes on; dated rows give the one in force, or the next to come; lists are read.
func TestRead_badRowsDatedRowsAndLists(t *testing.T) {
	t.Parallel()
	for name, start := range peers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.exec(t, "CREATE TABLE bad (id varchar(10), name varchar(20), seen "+map[string]string{"postgresql": "timestamp"}[name]+map[string]string{"mariadb": "datetime", "sqlite": "datetime"}[name]+")",
				"INSERT INTO bad VALUES (NULL, 'nobody', NULL), ('a', 'Ann', NULL), ('b', 'Bob', '2024-06-01 12:00:00'), ('b', 'Bob 2', NULL), ('c', 'Cid', '2024-06-01 12:00:00')",
				"CREATE TABLE jobs (id integer, since date, until date, title varchar(20))",
				"INSERT INTO jobs VALUES (1, '2000-01-01', '2010-12-31', 'past'), (1, '2011-01-01', NULL, 'now'), (1, '2999-01-01', NULL, 'then'), (2, '2998-01-01', NULL, 'hire'), (2, '2999-01-01', NULL, 'later'), (3, '2000-01-01', '2001-01-01', 'left')",
				"CREATE TABLE roles (job integer, role varchar(20))", "INSERT INTO roles VALUES (1, 'x'), (1, 'y'), (3, 'z')")
			p.settings["time_zone"] = "Europe/Berlin"
			p.settings["classes"] = map[string]any{"bad": map[string]any{"table": "bad", "key": "id"}, "lost": map[string]any{"table": "lost", "key": "id"},
				"job": map[string]any{"query": "SELECT * FROM jobs", "key": "id", "effective": map[string]any{"from": "since", "to": "until"},
					"lists": map[string]any{"roles": map[string]any{"table": "roles", "key": "job", "value": "role"}}}}
			client := connkit.Open(t, connector.New(), p.settings, p.secrets)
			read := func(class string, attributes ...string) (got, rejects string, end *connectorv1.ReadEnd) {
				stream, err := client.Read(t.Context(), &connectorv1.ReadRequest{Classes: []string{class}, Attributes: attributes})
				for err == nil && end == nil {
					var r *connectorv1.ReadResponse
					if r, err = stream.Recv(); err != nil {
						t.Fatal(err)
					}
					for _, record := range r.GetRecords() {
						o := connkit.Object(t, record)
						got += keyOf(t, class, o.GetId())
						for _, a := range o.GetAttributes() {
							got += " " + strings.Join(a.GetValues(), "+")
						}
						got += "\n"
					}
					for _, reject := range r.GetRejects() {
						rejects += reject.GetPlace() + ": " + reject.GetReason() + "\n"
					}
					end = r.GetEnd()
				}
				return got, rejects, end
			}
			got, rejects, end := read("bad", "name", "seen")
			if want := "a Ann \nc Cid 2024-06-01T10:00:00Z\n"; got != want || end.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE ||
				strings.Count(rejects, "\n") != 2 || !strings.Contains(rejects, "NULL") || !strings.Contains(rejects, "bad b: 2 rows") {
				t.Errorf("read bad = %q, rejects %q, %v; want %q and two rejects", got, rejects, end, want)
			}
			if got, rejects, end := read("job", "title", "roles"); got != "1 x+y now\n2  hire\n" || rejects != "" {
				t.Errorf("read job = %q, %q, %v; want the row in force, and the one to come", got, rejects, end)
			}
			if _, _, end := read("lost", "id"); end.GetOutcome() != connectorv1.Outcome_OUTCOME_INVALID || end.GetFault().GetObject() != "lost" || !strings.Contains(end.GetFault().GetNextStep(), "Restore the table") {
				t.Errorf("read of a lost table ended %v; want INVALID that names it", end)
			}
		})
	}
}

// A table may become another while it is read and written: a column of another
// type, none at all, times that nobody can place. Each is told with the column
// and what to do, costs no more than it must, and is over when it is mended.
func TestRead_columnsThatChange(t *testing.T) {
	t.Parallel()
	for name, start := range peers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			stamp := map[string]string{"postgresql": "timestamp", "mariadb": "datetime", "sqlite": "datetime"}[name]
			p.exec(t, "CREATE TABLE staff (id integer PRIMARY KEY, level integer, name varchar(20), seen "+stamp+")", "INSERT INTO staff VALUES (1, 1, 'Ann', NULL), (2, 2, 'Bob', '2024-06-01 12:00:00')")
			p.settings["classes"] = map[string]any{"staff": map[string]any{"table": "staff", "key": "id", "writable": []any{"level", "name"}, "types": map[string]any{"level": "integer"}}}
			client := p.open(t)
			read := func(attributes ...string) connkit.Reading {
				return connkit.Read(t, client, &connectorv1.ReadRequest{Classes: []string{"staff"}, Attributes: attributes})
			}
			aside := func(r connkit.Reading, words ...string) {
				t.Helper()
				if len(r.Objects) != 1 || len(r.Rejects) != 1 || r.Rejects[0].GetPlace() != "staff 2" || r.Rejects[0].GetId() != "staff:2" || r.End.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
					t.Fatalf("read = %v; want the row staff 2 set aside, and the other", r)
				}
				for _, word := range words {
					if !strings.Contains(r.Rejects[0].GetReason(), word) {
						t.Errorf("it was set aside with %q; want %q in it", r.Rejects[0].GetReason(), word)
					}
				}
			}
			aside(read("name", "seen"), "column seen", "no zone is set", "time_zone")
			if r := apply(t, client, modify("staff", "1", "level", []string{"1"}, []string{"3"})); r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
				t.Fatalf("modify = %v", r)
			}

			p.exec(t, "DROP TABLE staff", "CREATE TABLE staff (id integer PRIMARY KEY, level varchar(20), name varchar(20))", "INSERT INTO staff VALUES (1, '3', 'Ann'), (2, 'senior', 'Bob')")
			aside(read("level"), "column level", "integer", "the type of the column")
			if r := apply(t, client, modify("staff", "2", "name", []string{"Bob"}, []string{"Rob"})); r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
				t.Errorf("another column of the changed table = %v; want DONE", r)
			}
			var last *connectorv1.ApplyResponse
			for range 3 { // it may be refused, as the column, and then the driver's plan, is known by its old type
				if last = apply(t, client, modify("staff", "1", "level", []string{"3"}, []string{"4"})); last.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE {
					break
				}
			}
			if last.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
				t.Errorf("the column whose type changed = %v; want DONE in the end", last)
			}

			p.exec(t, "ALTER TABLE staff DROP COLUMN name")
			r := read("name", "level")
			if f := r.End.GetFault(); r.End.GetOutcome() != connectorv1.Outcome_OUTCOME_INVALID || f.GetAttribute() != "name" || f.GetObject() != "staff" || !strings.Contains(f.GetNextStep(), "Restore the column") || len(r.Objects) > 0 {
				t.Errorf("read of a column that is gone = %v; want INVALID that names it, and no row", r)
			}
			if r := apply(t, client, modify("staff", "1", "name", []string{"Ann"}, []string{"Eve"})); r.GetOutcome() != connectorv1.Outcome_OUTCOME_INVALID || r.GetFault().GetNextStep() == "" {
				t.Errorf("write of a column that is gone = %v; want INVALID", r)
			}
		})
	}
}
