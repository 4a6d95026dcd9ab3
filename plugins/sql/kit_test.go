package sql_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
)

// tables of an application: accounts whose key the database gives, and groups.
func (p peer) tables(t *testing.T) {
	t.Helper()
	serial := map[string]string{"postgresql": "serial PRIMARY KEY", "mysql": "integer PRIMARY KEY AUTO_INCREMENT", "sqlite": "integer PRIMARY KEY"}[p.settings["kind"].(string)]
	blob := map[string]string{"postgresql": "bytea", "mysql": "varbinary(100)", "sqlite": "blob"}[p.settings["kind"].(string)]
	seen := map[string]string{"postgresql": "timestamptz", "mysql": "datetime", "sqlite": "datetime"}[p.settings["kind"].(string)]
	now := map[string]string{"postgresql": "clock_timestamp()", "mysql": "CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)", "sqlite": "(strftime('%Y-%m-%d %H:%M:%f', 'now'))"}[p.settings["kind"].(string)]
	stamp := map[string]string{"postgresql": "timestamptz", "mysql": "datetime(6)", "sqlite": "datetime"}[p.settings["kind"].(string)]
	unique := map[string]string{"postgresql": " UNIQUE", "mysql": " UNIQUE"}[p.settings["kind"].(string)] // in SQLite the anchor alone keeps rows apart
	suffix := map[string]string{"mysql": " DEFAULT CHARSET utf8mb4"}[p.settings["kind"].(string)]
	p.exec(t, "CREATE TABLE accounts (id "+serial+", login varchar(100) NOT NULL"+unique+", number varchar(20)"+unique+", name varchar(2000), title varchar(2000), level integer, salary decimal(10,2), born date, seen "+seen+
		", photo "+blob+", boss boolean, code char(4), status char(1) NOT NULL DEFAULT 'A', created "+stamp+" NOT NULL DEFAULT "+strings.TrimSuffix(now, " ON UPDATE CURRENT_TIMESTAMP(6)")+
		", updated "+stamp+" NOT NULL DEFAULT "+now+")"+suffix,
		"CREATE TABLE crews (id integer PRIMARY KEY, name varchar(50) UNIQUE)"+suffix,
		"CREATE TABLE members (account integer NOT NULL, crew integer NOT NULL, PRIMARY KEY (account, crew), FOREIGN KEY (account) REFERENCES accounts (id), FOREIGN KEY (crew) REFERENCES crews (id))"+suffix,
		"INSERT INTO crews VALUES (7, 'night'), (8, 'day'), (1, 'dawn')",
		"INSERT INTO accounts (login, number, name, level) VALUES ('ann', '1', 'Ann', 1), ('bob', '2', 'Bob', 2)")
	switch p.settings["kind"] {
	case "postgresql":
		p.exec(t, "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated = clock_timestamp(); RETURN NEW; END'",
			"CREATE TRIGGER touch BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION touch()")
	case "sqlite":
		p.exec(t, "CREATE TRIGGER touch AFTER UPDATE ON accounts BEGIN UPDATE accounts SET updated = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = NEW.id; END")
	}
	p.settings["time_zone"] = "Europe/Berlin"
	p.settings["classes"] = map[string]any{
		"account": map[string]any{"table": "accounts", "key": "id", "writable": []any{"*"}, "create": true, "delete": true,
			"types":   map[string]any{"boss": "boolean"},
			"changes": map[string]any{"column": "updated", "created": "created"},
			"enabled": map[string]any{"column": "status", "on": "A", "off": "L"},
			"lists":   map[string]any{"memberOf": map[string]any{"table": "members", "key": "account", "value": "crew", "class": "crew", "writable": true}}},
		"crew": map[string]any{"table": "crews", "key": "id"},
	}
}

// It keeps what every connector that writes must, on each real database.
func TestConformance_writing(t *testing.T) {
	t.Parallel()
	for name, start := range peers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.tables(t)
			decimal := "12.50"
			if name == "sqlite" {
				decimal = "12.5" // it has no decimals
			}
			var n atomic.Int32
			connkit.Test(t, connkit.Config{Connector: "sql", Settings: p.settings, Secrets: p.secrets, Class: "account", Attributes: []string{"login", "name", "enabled"},
				Create: &connkit.Create{Name: "kit-{n}", Anchor: "number", Enabled: true, Attributes: map[string]connkit.Values{
					"login": {"kit-{n}"}, "number": {"{n}"}, "name": {"Zoë O'Brien"}, "level": {"3"}, "born": {"1999-02-28"}}},
				Samples: map[string][2]connkit.Values{"title": {{"Clerk"}, {"clerk"}}, "name": {{"Zoë"}, {"zoë "}}, "level": {{"-1"}, {"2147483647"}}, "salary": {{decimal}, {"0.01"}}, "born": {{"2000-02-29"}, {"1970-01-01"}},
					"seen": {{"2024-02-29T12:30:00Z"}, {"2031-12-31T23:59:59Z"}}, "photo": {{"AAEC/w=="}, {"Zm9vYmFy"}}, "boss": {{"true"}, {"false"}}, "code": {{"ab"}, {"abcd"}}},
				Leave: []string{"status", "created", "updated"},
				Group: &connkit.Group{Class: "crew", Attribute: "name", Value: "night", ShownIn: "memberOf"},
				Edit: connkit.Hook{Func: func(context.Context) error {
					_, err := p.db.Exec(fmt.Sprintf("UPDATE accounts SET name = 'edited %d' WHERE login = 'bob'", n.Add(1)))
					return err
				}}})
		})
	}
}
