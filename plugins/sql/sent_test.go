package sql

import (
	"context"
	"database/sql/driver"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

var update = flag.Bool("update", false, "write what is sent to testdata")

// A stranger is a database that is not at hand. What is sent to it is noted,
// and what its words mean is put in those of SQLite, which then really does it:
// so a statement that is sent was executed, if not on the server it is for.
type stranger struct {
	kind  string
	types *strings.Replacer // TYPE to the server's type
	words []word
}

// A word is one that SQLite does not have.
type word struct {
	theirs *regexp.Regexp
	ours   string
}

func words(pairs ...string) (list []word) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, word{regexp.MustCompile(pairs[i]), pairs[i+1]})
	}
	return list
}

// note is what the procedure hr.note does.
const note = `UPDATE accounts SET name = ?2 WHERE id = ?1`

func strangers() []stranger {
	return []stranger{
		{"sqlserver", strings.NewReplacer("STAMP", "datetime2", "TEXT", "nvarchar(100)", "WHOLE", "int", "DAY", "date"), words(
			`@p(\d+)`, `?$1`, `(INSERT .*) OUTPUT INSERTED\.(\[id\])(.*)`, `$1$3 RETURNING $2`, ` WITH \(UPDLOCK, ROWLOCK\)`, ``,
			`CAST\((\S+) AS nvarchar\(max\)\) COLLATE Latin1_General_100_BIN2`, `CAST($1 AS text)`, `CAST\(('[\d-]+') AS date\)`, `$1`,
			`EXEC \[hr\]\.\[note\] .*`, note)},
		{"oracle", strings.NewReplacer("STAMP", "TimeStampDTY", "TEXT", "NVARCHAR2(100)", "WHOLE", "NUMBER", "DAY", "DATE"), words(
			`:(\d+)`, `?$1`, ` FOR UPDATE`, ``, `TO_CHAR\((\S+)\)`, `CAST($1 AS text)`, `TO_DATE\(('[\d-]+'), 'YYYY-MM-DD'\)`, `$1`,
			`BEGIN "HR"\."NOTE"\(.*\); END;`, note)},
		{"hana", strings.NewReplacer("STAMP", "LONGDATE", "TEXT", "NVARCHAR(100)", "WHOLE", "INTEGER", "DAY", "DATE"), words(
			` FOR UPDATE`, ``, `TO_NVARCHAR\((\S+)\)`, `CAST($1 AS text)`, `TO_DATE\(('[\d-]+'), 'YYYY-MM-DD'\)`, `$1`,
			`CALL "HR"\."NOTE"\(.*\)`, note)},
	}
}

// The tables, and what they hold.
const (
	strangeTables = `CREATE TABLE accounts (id INTEGER PRIMARY KEY, login TEXT UNIQUE, name TEXT, level WHOLE, status TEXT, updated STAMP);
CREATE TABLE crews (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE members (account WHOLE, crew WHOLE);
CREATE TABLE posts (person WHOLE, since DAY, until DAY, seq WHOLE, title TEXT);`
	strangeRows = `INSERT INTO accounts VALUES (1, 'ann', 'Ann', 1, 'A', '2024-01-01 10:00:00'), (2, 'bob', 'Bob', 2, 'A', '2024-01-02 10:00:00');
INSERT INTO crews VALUES (7, 'night');
INSERT INTO posts VALUES (1, '2000-01-01', NULL, 1, 'now'), (1, '2999-01-01', NULL, 1, 'then');`
)

// A wire is a connection to SQLite that notes what goes over it.
type wire struct {
	driver.Conn
	to *recorder
}

type recorder struct {
	stranger
	file string
	mu   sync.Mutex
	sent []string
}

func (r *recorder) Connect(context.Context) (driver.Conn, error) {
	conn, err := r.Driver().Open("file:" + r.file + "?_pragma=busy_timeout(10000)")
	return &wire{conn, r}, err
}

func (r *recorder) Driver() driver.Driver { return &sqlite.Driver{} }

// put notes a statement and returns it in SQLite's words.
func (r *recorder) put(text string, args []driver.NamedValue) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := strings.ReplaceAll(text, time.Now().In(time.UTC).Format(time.DateOnly), "TODAY")
	for i, a := range args {
		line += fmt.Sprintf("%s%#v", map[bool]string{true: "\n    -- ", false: ", "}[i == 0], a.Value)
	}
	r.sent = append(r.sent, line+"\n")
	for _, w := range r.words {
		text = w.theirs.ReplaceAllString(text, w.ours)
	}
	return text
}

func (w *wire) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	return w.Conn.(driver.QueryerContext).QueryContext(ctx, w.to.put(text, args), args)
}

func (w *wire) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	return w.Conn.(driver.ExecerContext).ExecContext(ctx, w.to.put(text, args), args)
}

func (w *wire) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return w.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}

// What is sent to servers that are not at hand is what testdata shows, and does
// what it shall where a real database executes it.
func TestSent(t *testing.T) {
	t.Parallel()
	for _, s := range strangers() {
		t.Run(s.kind, func(t *testing.T) {
			t.Parallel()
			r := &recorder{stranger: s, file: filepath.Join(t.TempDir(), "x.db")}
			conn, err := r.Driver().Open(r.file)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			tables := s.types.Replace(strangeTables)
			if s.kind != "sqlserver" {
				tables = strings.ToUpper(tables) // as names without quotes are there
			}
			for _, text := range []string{tables, strangeRows} {
				if _, err := conn.(driver.ExecerContext).ExecContext(t.Context(), text, nil); err != nil {
					t.Fatal(err)
				}
			}
			r.play(t)
			got, golden := strings.Join(r.sent, ""), filepath.Join("testdata", s.kind+".sql")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || string(want) != got {
				t.Errorf("%s, %v: not what is sent now (-update writes it):\n%s", golden, err, got)
			}
		})
	}
}

// connector is ours, which takes the recorder for the server.
func (r *recorder) connector() sdk.Connector {
	return sdk.New(New().Description, func(_ context.Context, settings Settings, log *slog.Logger) (*System, error) {
		d := dialects()[settings.Kind]
		d.connect = func(Settings) (driver.Connector, error) { return r, nil }
		return openAs(d, settings, log)
	})
}

// play does everything once.
func (r *recorder) play(t *testing.T) {
	t.Helper()
	account := map[string]any{"table": "accounts", "key": "id", "writable": []any{"*"}, "create": true, "delete": true, "changes": map[string]any{"column": "updated"},
		"enabled": map[string]any{"column": "status", "on": "A", "off": "L"}, "where": "level < 9",
		"lists": map[string]any{"memberOf": map[string]any{"table": "members", "key": "account", "value": "crew", "class": "crew", "writable": true}}}
	client := connkit.Open(t, r.connector(), map[string]any{"kind": r.kind, "server": "db.example", "database": "x", "user": "u", "time_zone": "UTC", "classes": map[string]any{
		"account": account, "crew": map[string]any{"table": "crews", "key": "id"},
		"post": map[string]any{"query": "SELECT * FROM posts", "key": "person", "effective": map[string]any{"from": "since", "to": "until", "sequence": "seq", "next": []any{"title"}}},
		"noted": map[string]any{"table": "accounts", "key": "id", "writable": []any{"name"},
			"procedures": map[string]any{"modify": map[string]any{"call": "hr.note", "parameters": []any{"id", "name"}}}},
	}}, map[string]string{"password": "p"})
	title := func(text string) { r.sent = append(r.sent, "\n-- "+text+"\n") }

	title("read of accounts with their memberships")
	read := connkit.Read(t, client, &connectorv1.ReadRequest{Classes: []string{"account"}, Attributes: []string{"login", "memberOf"}})
	r.want(t, len(read.Objects) == 2, "read", read.End)
	title("read of dated rows and the row to come")
	read = connkit.Read(t, client, &connectorv1.ReadRequest{Classes: []string{"post"}, Attributes: []string{"title", "next_title"}})
	r.want(t, len(read.Objects) == 1 && strings.Contains(fmt.Sprint(read.Objects), "then"), "read of dated rows", read)
	title("read of changes, from a full one")
	q := &connectorv1.ReadRequest{Classes: []string{"account"}, Attributes: []string{"name"}}
	read = connkit.Read(t, client, q)
	q.Cookie = read.End.GetCookie()
	read = connkit.Read(t, client, q)
	r.want(t, read.End.GetOutcome() == sdk.OutcomeDone && len(read.Objects) == 1, "changes", read.End) // bob is within the stretch
	title("find")
	found, err := client.Find(t.Context(), &connectorv1.FindRequest{Class: "account", Attribute: "login", Values: []string{"ann", "o'brien"}, ReturnAttributes: []string{"name"}})
	r.want(t, err == nil && len(found.GetRecords()) == 1, "find", found)

	do := func(what string, unchanged bool, op *connectorv1.Operation) *connectorv1.ApplyResponse {
		t.Helper()
		title(what)
		stream, err := client.Apply(t.Context())
		if err == nil {
			err = stream.Send(&connectorv1.ApplyRequest{Tag: 1, Operation: op})
		}
		if err != nil {
			t.Fatal(err)
		}
		answer, err := stream.Recv()
		r.want(t, err == nil && answer.GetOutcome() == sdk.OutcomeDone && answer.GetUnchanged() == unchanged, what, answer)
		return answer
	}
	modify := func(class string, changes ...*connectorv1.Change) *connectorv1.Operation {
		return &connectorv1.Operation{Class: class, Id: class + ":1", Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{Changes: changes}}}
	}
	values := func(name string, v ...string) *connectorv1.Attribute {
		return &connectorv1.Attribute{Name: name, Values: v}
	}
	made := do("create", false, &connectorv1.Operation{Class: "account", Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{Name: "eve", Enabled: true,
		Attributes: []*connectorv1.Attribute{values("login", "eve"), values("name", "O'Brien"), values("level", "3")}, Anchor: values("login", "eve")}}})
	do("modify", false, modify("account", &connectorv1.Change{Name: "name", Expect: []string{"Ann"}, Want: []string{"Anne"}}, &connectorv1.Change{Name: "level", Expect: []string{"1"}, Want: []string{"4"}}))
	do("modify what is so already", true, modify("account", &connectorv1.Change{Name: "name", Expect: []string{"Ann"}, Want: []string{"Anne"}}))
	do("modify by a procedure", false, modify("noted", &connectorv1.Change{Name: "name", Expect: []string{"Anne"}, Want: []string{"anne"}}))
	do("disable", false, &connectorv1.Operation{Class: "account", Id: "account:1", Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{}}})
	do("join", false, &connectorv1.Operation{Class: "account", Id: "account:1", Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: &connectorv1.ChangeMembership{Join: []string{"crew:7"}}}})
	do("leave", false, &connectorv1.Operation{Class: "account", Id: "account:1", Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: &connectorv1.ChangeMembership{Leave: []string{"crew:7"}}}})
	do("delete", false, &connectorv1.Operation{Class: "account", Id: made.GetObject().GetId(), Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}})
}

func (r *recorder) want(t *testing.T, ok bool, what string, got any) {
	t.Helper()
	if !ok {
		t.Errorf("%s: %v\nsent: %s", what, got, strings.Join(r.sent[max(0, len(r.sent)-6):], ""))
	}
}
