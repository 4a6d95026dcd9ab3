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
