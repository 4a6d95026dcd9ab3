package postgres_test

import (
	"database/sql"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/drawbridge-id/drawbridge/plugins/sql/postgres"
)

// What was committed is on the standby, survives a crash, and the standby
// takes writes once it is promoted.
func TestServer_standbyTakesOver(t *testing.T) {
	t.Parallel()
	s := postgres.StartTest(t)
	exec(t, s, "CREATE TABLE x (a int)")
	exec(t, s, "INSERT INTO x VALUES (1)")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	standby, err := s.Standby(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standby.Remove(); err != nil {
			t.Error(err)
		}
	})
	exec(t, s, "INSERT INTO x VALUES (2)")
	db := open(t, standby)
	n := 0
	for deadline := time.Now().Add(10 * time.Second); n != 2 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err := db.QueryRow("SELECT count(*) FROM x").Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec("INSERT INTO x VALUES (3)"); n != 2 || err == nil {
		t.Errorf("the standby has %d rows and took a write: %v; want 2 and a refusal", n, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(t, standby, "INSERT INTO x VALUES (3)")
}

func open(t *testing.T, s *postgres.Server) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t *testing.T, s *postgres.Server, statement string) {
	t.Helper()
	if _, err := open(t, s).Exec(statement); err != nil {
		t.Fatal(err)
	}
}
