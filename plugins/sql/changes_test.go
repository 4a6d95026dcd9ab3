package sql_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// keyOf is the key in a native id.
func keyOf(t *testing.T, class, id string) string {
	t.Helper()
	key, ok := strings.CutPrefix(id, class+":")
	if !ok {
		t.Errorf("id %q does not begin with its class, %s", id, class)
	}
	return key
}

// told is what a read told, in one line.
func told(t *testing.T, client connectorv1.ConnectorServiceClient, cookie *[]byte, class string, attributes ...string) string {
	t.Helper()
	r := connkit.Read(t, client, &connectorv1.ReadRequest{Classes: []string{class}, Attributes: attributes, Cookie: *cookie})
	if r.End.GetResync() {
		*cookie = nil
		return "resync"
	}
	*cookie = r.End.GetCookie()
	var words []string
	for _, o := range r.Objects {
		word := keyOf(t, class, o.GetId())
		for _, a := range o.GetAttributes() {
			word += " " + strings.Join(a.GetValues(), "+")
		}
		words = append(words, word)
	}
	for _, id := range r.Gone {
		words = append(words, "-"+keyOf(t, class, id))
	}
	slices.Sort(words)
	return strings.Join(words, "; ")
}

// What changed is told by the column that rises: each change once, also one
// that was dated a little before the last read; where rows are missing, or were
// added with an old date, everything is asked for.
func TestReadChanges(t *testing.T) {
	t.Parallel()
	for name, start := range peers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			stamp := map[string]string{"postgresql": "timestamp", "mariadb": "datetime", "sqlite": "datetime"}[name]
			p.exec(t, "CREATE TABLE staff (id varchar(10), title varchar(20), made "+stamp+", seen "+stamp+")",
				"INSERT INTO staff VALUES ('a', 'x', '2024-01-01 10:00:00', '2024-01-01 10:00:00'), ('b', 'x', '2024-01-02 10:00:00', '2024-01-03 10:00:00')",
				"CREATE TABLE posts (id integer, since date, until date, title varchar(20), version integer)",
				"INSERT INTO posts VALUES (1, '2000-01-01', NULL, 'now', 1), (2, '2000-01-01', NULL, 'now', 2)")
			p.settings["time_zone"] = "Europe/Berlin"
			exact := map[string]any{"table": "staff", "key": "id", "where": "title <> 'hidden'", "changes": map[string]any{"column": "seen", "created": "made"}}
			p.settings["classes"] = map[string]any{"exact": exact,
				"rough": map[string]any{"table": "staff", "key": "id", "changes": map[string]any{"column": "seen"}},
				"none":  map[string]any{"table": "staff", "key": "id"},
				"post": map[string]any{"table": "posts", "key": "id", "changes": map[string]any{"column": "version"},
					"effective": map[string]any{"from": "since", "to": "until"}}}
			client := p.open(t)
			cookies := map[string]*[]byte{"exact": {}, "rough": {}, "none": {}, "post": {}}
			step := func(statement, class, want string) {
				t.Helper()
				if statement != "" {
					p.exec(t, statement)
				}
				if got := told(t, client, cookies[class], class, "title"); got != want {
					t.Errorf("%s after %q: %q; want %q", class, statement, got, want)
				}
			}
			step("", "exact", "a x; b x")
			step("", "rough", "a x; b x")
			step("", "none", "a x; b x")
			if len(*cookies["none"]) > 0 {
				t.Error("a class without a column that rises gives a cookie")
			}
			both := connkit.Read(t, client, &connectorv1.ReadRequest{Classes: []string{"none", "exact"}, Attributes: []string{"title"}})
			if len(both.Objects) != 4 || len(both.End.GetCookie()) > 0 {
				t.Errorf("two classes, one of which tells no changes: %d objects, cookie %q, %v; want 4 and none", len(both.Objects), both.End.GetCookie(), both.End)
			}
			step("", "exact", "")
			step("UPDATE staff SET title = 'y', seen = '2024-01-03 10:00:00' WHERE id = 'b'", "exact", "b y") // in the same second
			step("UPDATE staff SET title = 'y', seen = '2024-01-03 09:58:00' WHERE id = 'a'", "exact", "a y") // committed late
			step("INSERT INTO staff VALUES ('c', 'z', '2024-01-04 10:00:00', '2024-01-04 10:00:00')", "exact", "c z")
			step("UPDATE staff SET title = 'v', seen = NULL WHERE id = 'a'", "exact", "a v")
			step("", "rough", "a v; b y; c z")
			step("INSERT INTO staff VALUES ('d', 'z', '2020-01-01 10:00:00', '2020-01-01 10:00:00')", "exact", "resync")
			step("", "exact", "a v; b y; c z; d z")
			step("DELETE FROM staff WHERE id = 'c'", "rough", "") // one more, one less: without the date of making nothing tells
			step("INSERT INTO staff VALUES ('e', 'z', '2024-01-05 10:00:00', '2024-01-05 10:00:00')", "exact", "resync")
			step("", "exact", "a v; b y; d z; e z")
			step("UPDATE staff SET title = 'hidden' WHERE id = 'b'", "exact", "resync")
			step("DELETE FROM staff WHERE id = 'd'", "rough", "b hidden; e z")
			step("DELETE FROM staff WHERE id = 'b'", "rough", "resync")

			step("", "post", "1 now; 2 now")
			step("UPDATE posts SET until = '2001-01-01', version = 3 WHERE id = 1", "post", "-1")
			step("INSERT INTO posts VALUES (1, '2002-01-01', NULL, 'back', 4)", "post", "1 back")
			step("INSERT INTO posts VALUES (1, '2999-01-01', NULL, 'later', 5)", "post", "") // nothing is other today
			other := append([]byte(nil), *cookies["post"]...)
			if got := told(t, client, &other, "post", "title", "since"); got != "resync" {
				t.Errorf("the cookie of other attributes: %q; want resync", got)
			}
		})
	}
}

// Of dated rows the next to come can be shown beside the one in force.
func TestRead_nextRow(t *testing.T) {
	t.Parallel()
	for name, start := range peers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.exec(t, "CREATE TABLE posts (id integer, since date, until date, seq integer, title varchar(20))",
				"INSERT INTO posts VALUES (1, '2000-01-01', NULL, 1, 'old'), (1, '2011-01-01', NULL, 1, 'now'), (1, '2999-01-01', NULL, 1, 'then'), (1, '2999-01-01', NULL, 2, 'corrected'), (1, '3001-01-01', NULL, 1, 'far')",
				"INSERT INTO posts VALUES (2, '2998-01-01', NULL, 1, 'hire'), (2, '2999-01-01', NULL, 1, 'later'), (3, '2000-01-01', NULL, 1, 'only'), (4, '2000-01-01', '2001-01-01', 1, 'left'), (4, '2999-01-01', NULL, 1, 'returns')")
			p.settings["time_zone"] = "Europe/Berlin"
			p.settings["classes"] = map[string]any{"post": map[string]any{"table": "posts", "key": "id",
				"effective": map[string]any{"from": "since", "to": "until", "sequence": "seq", "next": []any{"title", "since"}}}}
			client := p.open(t)
			got := told(t, client, new([]byte), "post", "title", "next_title", "next_since")
			if want := "1 2999-01-01 corrected now; 2 2999-01-01 later hire; 3   only; 4   returns"; got != want {
				t.Errorf("read = %q; want %q", got, want)
			}
			r, err := client.Find(t.Context(), &connectorv1.FindRequest{Class: "post", Attribute: "next_title", Values: []string{"later"}, ReturnAttributes: []string{"title"}})
			if err != nil || len(r.GetRecords()) != 1 || r.GetRecords()[0].GetId() != "post:2" {
				t.Errorf("find by what is to come = %v, %v; want 2", r, err)
			}
			schema, err := client.Schema(t.Context(), &connectorv1.SchemaRequest{})
			if err != nil || !strings.Contains(fmt.Sprint(schema), `"next_since"`) {
				t.Errorf("schema = %v, %v; want next_since", schema, err)
			}
		})
	}
}
