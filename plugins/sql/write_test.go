package sql_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	connector "github.com/drawbridge-id/drawbridge/plugins/sql"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

func (p peer) kind() string { return p.settings["kind"].(string) }

func (p peer) open(t *testing.T) connectorv1.ConnectorServiceClient {
	t.Helper()
	return connkit.Open(t, connector.New(), p.settings, p.secrets)
}

func apply(t *testing.T, client connectorv1.ConnectorServiceClient, op *connectorv1.Operation) *connectorv1.ApplyResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := client.Apply(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&connectorv1.ApplyRequest{Tag: 1, Operation: op}); err != nil {
		t.Fatal(err)
	}
	r, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func modify(class, id, name string, expect, want []string, show ...string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: class, Id: class + ":" + id, ReturnAttributes: show, Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{
		Changes: []*connectorv1.Change{{Name: name, Expect: expect, Want: want}}}}}
}

func deletion(class, id string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: class, Id: class + ":" + id, Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}}
}

// Whoever must act learns what happened, to which row and column, and what to do.
func TestWrite_faults(t *testing.T) {
	t.Parallel()
	for name, start := range peers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.tables(t)
			p.exec(t, "CREATE TABLE notes (id integer PRIMARY KEY, mail varchar(10) NOT NULL, age integer, crew integer, CONSTRAINT adult CHECK (age > 17), FOREIGN KEY (crew) REFERENCES crews (id))",
				"INSERT INTO notes VALUES (1, 'a@x', 20, 7), (2, 'b@x', 20, 7)", "CREATE UNIQUE INDEX one_mail ON notes (mail)")
			p.settings["classes"].(map[string]any)["note"] = map[string]any{"table": "notes", "key": "id", "writable": []any{"mail", "age", "crew"}}
			client := p.open(t)
			for _, c := range []struct {
				what    string
				op      *connectorv1.Operation
				outcome connectorv1.Outcome
				at      string
				next    string
				not     string // where the database does not do this
			}{
				{"unique", modify("note", "1", "mail", []string{"a@x"}, []string{"b@x"}), connectorv1.Outcome_OUTCOME_CONFLICT, "mail", "choose another", ""},
				{"too long", modify("note", "1", "mail", []string{"a@x"}, []string{"eleven char"}), connectorv1.Outcome_OUTCOME_INVALID, "mail", "widen the column", "sqlite"},
				{"required", modify("note", "1", "mail", []string{"a@x"}, nil), connectorv1.Outcome_OUTCOME_INVALID, "mail", "Map a value", ""},
				{"foreign", modify("note", "1", "crew", []string{"7"}, []string{"99"}), connectorv1.Outcome_OUTCOME_INVALID, "crew", "foreign key", ""},
				{"check", modify("note", "1", "age", []string{"20"}, []string{"3"}), connectorv1.Outcome_OUTCOME_INVALID, "age", "check or trigger", ""},
				{"type", modify("note", "1", "age", []string{"20"}, []string{"old"}), connectorv1.Outcome_OUTCOME_INVALID, "age", "types", ""},
				{"range", modify("note", "1", "age", []string{"20"}, []string{"99999999999"}), connectorv1.Outcome_OUTCOME_INVALID, "age", "", "sqlite"},
				{"rounded", modify("account", "1", "salary", nil, []string{"1.005"}), connectorv1.Outcome_OUTCOME_INVALID, "salary", "as the database keeps it", "sqlite"},
				{"not writable", modify("crew", "7", "name", []string{"night"}, []string{"day"}), connectorv1.Outcome_OUTCOME_INVALID, "name", "writable", ""},
				{"no delete", deletion("note", "1"), connectorv1.Outcome_OUTCOME_INVALID, "", "delete: true", ""},
				{"gone", modify("note", "55", "age", nil, []string{"30"}), connectorv1.Outcome_OUTCOME_NOT_FOUND, "", "", ""},
				{"no group", &connectorv1.Operation{Class: "account", Id: "account:1", Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: &connectorv1.ChangeMembership{Join: []string{"crew:7", "crew:99"}}}},
					connectorv1.Outcome_OUTCOME_NOT_FOUND, "memberOf", "", ""},
			} {
				if c.not == name {
					continue
				}
				r := apply(t, client, c.op)
				f := r.GetFault()
				if r.GetOutcome() != c.outcome || f.GetAttribute() != c.at || !strings.Contains(f.GetNextStep(), c.next) || f.GetCause() == "" || f.GetObject() == "" || f.GetTaken() != (c.what == "unique") {
					t.Errorf("%s: %v; want %v at %q, next %q", c.what, r, c.outcome, c.at, c.next)
				}
			}
			var notes, members int
			if err := p.db.QueryRow("SELECT count(*) FROM notes WHERE mail IN ('a@x', 'b@x') AND age = 20 AND crew = 7").Scan(&notes); err != nil || notes != 2 {
				t.Errorf("%d of 2 rows are as they were, %v", notes, err)
			}
			if err := p.db.QueryRow("SELECT count(*) FROM members").Scan(&members); err != nil || members != 0 {
				t.Errorf("%d memberships after a change of two of which one was refused; want none (%v)", members, err)
			}
			r := apply(t, client, modify("note", "1", "age", []string{"33"}, []string{"40"}, "age", "mail"))
			if o := connkit.Object(t, r.GetObject()); r.GetOutcome() != connectorv1.Outcome_OUTCOME_CONFLICT || len(o.GetAttributes()) != 2 || o.GetAttributes()[0].GetValues()[0] != "20" {
				t.Errorf("conflict: %v with %v; want the object as it is", r, o)
			}
		})
	}
}

// user adds an account with only some rights, and the connector signs in as it.
func (p peer) user(t *testing.T, grants ...string) peer {
	t.Helper()
	create := "CREATE USER limited PASSWORD 'weak-12345'"
	to := "limited"
	if p.kind() == "mysql" {
		create, to = "CREATE USER limited@'%' IDENTIFIED BY 'weak-12345'", "limited@'%'"
	}
	p.exec(t, create)
	for _, g := range grants {
		p.exec(t, "GRANT "+g+" TO "+to)
	}
	p.settings = maps.Clone(p.settings)
	p.settings["user"], p.secrets = "limited", map[string]string{"password": "weak-12345"}
	return p
}

// An HR table gets its one column by a right to that column alone; what the
// account may not do is said with the line that lets it.
func TestWriteBack_oneColumnByItsRight(t *testing.T) {
	t.Parallel()
	for name, start := range peers() {
		if name == "sqlite" {
			continue // it has no rights
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.exec(t, "CREATE TABLE people (id integer PRIMARY KEY, mail varchar(50), salary integer)", "CREATE TABLE assignments (person integer, title varchar(20))",
				"INSERT INTO people VALUES (1, NULL, 10)", "INSERT INTO assignments VALUES (1, 'Clerk')")
			p.settings["classes"] = map[string]any{
				"worker": map[string]any{"query": "SELECT p.id, p.mail, a.title FROM people p JOIN assignments a ON a.person = p.id", "key": "id", "into": "people", "writable": []any{"mail"}},
				"person": map[string]any{"table": "people", "key": "id", "writable": []any{"salary"}, "delete": true}}
			p = p.user(t, "SELECT, UPDATE (mail) ON people", "SELECT ON assignments")
			client := p.open(t)
			r := apply(t, client, modify("worker", "1", "mail", nil, []string{"ann@x"}, "mail", "title"))
			if o := connkit.Object(t, r.GetObject()); r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE || fmt.Sprint(o.GetAttributes()) == "" || len(o.GetAttributes()) != 2 || o.GetAttributes()[0].GetValues()[0] != "ann@x" {
				t.Fatalf("write-back: %v; want DONE and the row of the query", r)
			}
			if r := apply(t, client, modify("worker", "1", "mail", nil, []string{"ann@x"})); r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE || !r.GetUnchanged() {
				t.Errorf("write-back again: %v; want unchanged", r)
			}
			if r := apply(t, client, modify("worker", "1", "title", []string{"Clerk"}, []string{"Boss"})); r.GetOutcome() != connectorv1.Outcome_OUTCOME_INVALID || r.GetFault().GetAttribute() != "title" {
				t.Errorf("write of a column that is not writable: %v; want INVALID", r)
			}
			if r := apply(t, client, modify("person", "1", "salary", []string{"10"}, []string{"99"})); r.GetOutcome() != connectorv1.Outcome_OUTCOME_DENIED ||
				!strings.Contains(r.GetFault().GetNextStep(), "GRANT UPDATE (salary) ON people TO limited") {
				t.Errorf("write without the right: %v; want DENIED and the GRANT", r)
			}
			if r := apply(t, client, deletion("person", "1")); r.GetOutcome() != connectorv1.Outcome_OUTCOME_DENIED || !strings.Contains(r.GetFault().GetNextStep(), "GRANT DELETE ON people TO limited") {
				t.Errorf("delete without the right: %v; want DENIED and the GRANT", r)
			}
			p.secrets = map[string]string{"password": "wrong-pass"}
			if r := apply(t, p.open(t), modify("worker", "1", "mail", nil, []string{"b@x"})); r.GetOutcome() != connectorv1.Outcome_OUTCOME_DENIED || !strings.Contains(r.GetFault().GetNextStep(), "secret set") {
				t.Errorf("bad password: %v; want DENIED", r)
			}
		})
	}
}

// A deadlock is tried again and is no fault of anybody's; a server that takes
// no writes is waited for.
func TestWrite_deadlockAndReadOnly(t *testing.T) {
	t.Parallel()
	for name, start := range peers() {
		if name == "sqlite" {
			continue // one writer at a time cannot deadlock
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.tables(t)
			client := p.open(t)
			// Joining locks the account's row, and then needs the crew's.
			if name == "mariadb" {
				p.exec(t, "SET GLOBAL innodb_lock_wait_timeout = 20")
			}
			other, err := p.db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.Exec("UPDATE crews SET id = 70 WHERE id = 7"); err != nil {
				t.Fatal(err)
			}
			answer := make(chan *connectorv1.ApplyResponse, 1)
			go func() {
				answer <- apply(t, client, &connectorv1.Operation{Class: "account", Id: "account:1", Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: &connectorv1.ChangeMembership{Join: []string{"crew:7"}}}})
			}()
			time.Sleep(300 * time.Millisecond)
			_, mine := other.Exec("UPDATE accounts SET name = 'x' WHERE id = 1")
			_ = other.Rollback()
			if r := <-answer; mine == nil && (r.GetOutcome() != connectorv1.Outcome_OUTCOME_UNAVAILABLE || r.GetFault().GetNextStep() == "") {
				t.Errorf("deadlock: %v; want UNAVAILABLE", r)
			} else if mine != nil && r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
				t.Errorf("after another lost the deadlock (%v): %v; want DONE", mine, r)
			} else {
				t.Logf("the other: %v; ours: %v", mine, r.GetOutcome())
			}
			p = p.user(t, "SELECT, UPDATE ON accounts")
			if name == "mariadb" {
				p.exec(t, "SET GLOBAL read_only = 1")
			} else {
				p.exec(t, "ALTER USER limited SET default_transaction_read_only = on")
			}
			if r := apply(t, p.open(t), modify("account", "2", "name", []string{"Bob"}, []string{"Rob"})); r.GetOutcome() != connectorv1.Outcome_OUTCOME_UNAVAILABLE || !strings.Contains(r.GetFault().GetCause(), "takes no writes") {
				t.Errorf("read-only server: %v; want UNAVAILABLE", r)
			}
		})
	}
}

// Procedures take the place of statements; what they do is looked at afterwards.
func TestWrite_procedures(t *testing.T) {
	t.Parallel()
	for name, start := range peers() {
		if name == "sqlite" {
			continue // it has none
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.tables(t)
			bodies := map[string]string{
				"add_account(p_login varchar(100), p_number varchar(20), p_on varchar(5))": "INSERT INTO accounts (login, number, title) VALUES (p_login, p_number, 'by procedure')",
				"set_account(p_id integer, p_name varchar(100), p_level integer)":          "UPDATE accounts SET name = p_name, level = p_level WHERE id = p_id",
				"lock_account(p_id integer)":                                               "UPDATE accounts SET status = 'L' WHERE id = p_id",
				"drop_account(p_id integer)":                                               "DELETE FROM accounts WHERE id = p_id",
				"join_crew(p_id integer, p_crew integer)":                                  "INSERT INTO members VALUES (p_id, p_crew)",
			}
			for head, body := range bodies {
				if name == "mariadb" {
					p.exec(t, "CREATE PROCEDURE "+head+" "+body)
				} else {
					p.exec(t, "CREATE PROCEDURE "+head+" LANGUAGE sql AS $$ "+body+" $$")
				}
			}
			p.settings["classes"].(map[string]any)["account"].(map[string]any)["procedures"] = map[string]any{
				"create": map[string]any{"call": "add_account", "parameters": []any{"login", "number", "status"}}, "modify": map[string]any{"call": "set_account", "parameters": []any{"id", "name", "level"}},
				"disable": map[string]any{"call": "lock_account", "parameters": []any{"id"}}, "delete": map[string]any{"call": "drop_account", "parameters": []any{"id"}},
				"join": map[string]any{"call": "join_crew", "parameters": []any{"id", "group"}}}
			client := p.open(t)
			made := apply(t, client, &connectorv1.Operation{Class: "account", ReturnAttributes: []string{"title"}, Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{Name: "cy", Enabled: true,
				Attributes: []*connectorv1.Attribute{{Name: "login", Values: []string{"cy"}}, {Name: "number", Values: []string{"77"}}}, Anchor: &connectorv1.Attribute{Name: "number", Values: []string{"77"}}}}})
			if o := connkit.Object(t, made.GetObject()); made.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE || o.GetAttributes()[0].GetValues()[0] != "by procedure" {
				t.Fatalf("create: %v", made)
			}
			id := keyOf(t, "account", made.GetObject().GetId())
			for what, op := range map[string]*connectorv1.Operation{
				"modify":  modify("account", "1", "name", []string{"Ann"}, []string{"Anne"}),
				"disable": {Class: "account", Id: "account:1", Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{}}},
				"join":    {Class: "account", Id: "account:1", Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: &connectorv1.ChangeMembership{Join: []string{"crew:7"}}}},
				"delete":  deletion("account", id),
			} {
				if r := apply(t, client, op); r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE || r.GetUnchanged() {
					t.Errorf("%s: %v; want DONE", what, r)
				}
				if r := apply(t, client, op); r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE || !r.GetUnchanged() {
					t.Errorf("%s again: %v; want unchanged", what, r)
				}
			}
			var got string
			if err := p.db.QueryRow("SELECT concat(name, level, status, (SELECT count(*) FROM members), (SELECT count(*) FROM accounts)) FROM accounts WHERE id = 1").Scan(&got); err != nil || got != "Anne1L12" {
				t.Errorf("the row is %q, %v; want Anne1L12", got, err)
			}
			if r := apply(t, client, modify("account", "1", "title", nil, []string{"Boss"})); r.GetOutcome() != connectorv1.Outcome_OUTCOME_INVALID || r.GetFault().GetAttribute() != "title" {
				t.Errorf("a column that the procedure does not take: %v; want INVALID", r)
			}
		})
	}
}
