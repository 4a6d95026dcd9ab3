package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
	"github.com/drawbridge-id/drawbridge/plugins/sql/postgres"
)

// The primary is lost in the middle of writes and its standby promoted: what
// was told committed is there, and the store goes on without a restart.
func TestStore_failover(t *testing.T) {
	t.Parallel()
	storetest.Server(t) // or left out
	primary := postgres.StartTest(t)
	standby, err := primary.Standby(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standby.Remove(); err != nil {
			t.Error(err)
		}
	})
	synchronous(t, primary)
	s := storetest.OpenAs(t, fmt.Sprintf("postgres://%s:%s@%s,%s/postgres?sslmode=require&target_session_attrs=read-write",
		primary.User, primary.Password, primary.Address, standby.Address))

	told := 0 // people 0 to told-1 were told committed, one after the other
	put := func() error {
		err := s.Write(context.Background(), func(tx *store.Tx) error {
			id := fmt.Sprint("p", told)
			if err := tx.PutPeople([]store.Person{{Tenant: tenant, ID: id, Key: id, Attributes: "{}"}}); err != nil {
				return err
			}
			return tx.MarkDue(tenant, tx.Now, "new", []string{id})
		})
		if err == nil {
			told++
		}
		return err
	}
	for told < 50 {
		if err := put(); err != nil {
			t.Fatal(err)
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- primary.Stop() }()
	for put() == nil { // until it is felt
	}
	before := told
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); told < before+50; {
		if err := put(); err != nil && time.Now().After(deadline) {
			t.Fatalf("a minute after the standby was promoted: %v", err)
		}
	}
	read(t, s, func(tx *store.Tx) error {
		people, err := tx.CountPeople(tenant)
		if err != nil {
			return err
		}
		due, err := tx.DuePeople(1_000_000)
		if people != told || len(due) != told {
			t.Errorf("%d people, %d due after %d were told committed, %d of them before the primary was lost", people, len(due), told, before)
		}
		return err
	})
}

// synchronous has the server tell a commit only when its standby has it, too.
func synchronous(t *testing.T, s *postgres.Server) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}
