package sql_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	connector "github.com/drawbridge-id/drawbridge/plugins/sql"
	"github.com/drawbridge-id/drawbridge/plugins/sql/mariadb"
	"github.com/drawbridge-id/drawbridge/plugins/sql/postgres"
)

func TestMain(m *testing.M) { connkit.Main(m, connector.New()) }

// A peer is a real database, and how the connector reaches it.
type peer struct {
	db       *sql.DB
	settings map[string]any
	secrets  map[string]string
}

func peers() map[string]func(t *testing.T) peer {
	return map[string]func(t *testing.T) peer{
		"postgresql": func(t *testing.T) peer {
			s := postgres.StartTest(t)
			return peer{connect(t, "pgx", s.URL("postgres")), map[string]any{"kind": "postgresql", "server": s.Address,
				"database": "postgres", "user": s.User, "ca": s.CAFile}, map[string]string{"password": s.Password}}
		},
		"mariadb": func(t *testing.T) peer {
			s := mariadb.StartTest(t)
			return peer{connect(t, "mysql", fmt.Sprintf("%s:%s@tcp(%s)/%s", s.User, s.Password, s.Address, s.Database)), map[string]any{"kind": "mysql",
				"server": s.Address, "database": s.Database, "user": s.User, "ca": s.CAFile}, map[string]string{"password": s.Password}}
		},
		"sqlite": func(t *testing.T) peer {
			file := filepath.Join(t.TempDir(), "x.db")
			return peer{connect(t, "sqlite", file), map[string]any{"kind": "sqlite", "file": file}, nil}
		},
	}
}

func connect(t *testing.T, driver, name string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func (p peer) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := p.db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// millionOf fills a table with 1,000,000 rows.
var millionOf = map[string]string{
	"postgresql": "INSERT INTO crowd SELECT i, 'w' || i || '@example.com', 'Worker ' || i, '2024-02-29', 12.50, i FROM generate_series(1, 1000000) i",
	"mariadb":    "INSERT INTO crowd SELECT seq, CONCAT('w', seq, '@example.com'), CONCAT('Worker ', seq), '2024-02-29', 12.50, seq FROM seq_1_to_1000000",
	"sqlite": "INSERT INTO crowd WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 1000000) " +
		"SELECT i, 'w' || i || '@example.com', 'Worker ' || i, '2024-02-29', 12.50, i FROM s",
}

// It keeps what every connector that reads must, on each real database.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, start := range peers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.exec(t, "CREATE TABLE workers (id integer PRIMARY KEY, mail varchar(100), name varchar(100), hired date, salary decimal(10,2), version integer)")
			rows := make([]string, 2000)
			for i := range rows {
				rows[i] = fmt.Sprintf("(%d, 'w%d@example.com', 'O''Brien, Zoë \"%d\"', '2024-02-29', 12.50, %d)", i, i, i, i)
			}
			p.exec(t, "INSERT INTO workers VALUES "+strings.Join(rows, ", "))
			class := func(table string) map[string]any {
				return map[string]any{"worker": map[string]any{"table": table, "key": "id", "changes": map[string]any{"column": "version"}}}
			}
			p.settings["classes"] = class("workers")
			crowd := maps.Clone(p.settings)
			crowd["classes"] = class("crowd")
			connkit.Test(t, connkit.Config{Connector: "sql", Settings: p.settings, Secrets: p.secrets, Class: "worker", Attributes: []string{"mail", "name", "hired", "salary"},
				Large: &connkit.Large{Settings: crowd, Prepare: connkit.Hook{Func: func(context.Context) error {
					_, err := p.db.Exec("CREATE TABLE crowd (id integer PRIMARY KEY, mail varchar(100), name varchar(100), hired date, salary decimal(10,2), version integer)")
					if err == nil {
						_, err = p.db.Exec(millionOf[name])
					}
					return err
				}}}})
		})
	}
}
