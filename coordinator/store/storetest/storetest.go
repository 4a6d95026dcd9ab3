// Package storetest gives tests stores of their own: in SQLite, or, where
// TEST_POSTGRES says so, in a database of a PostgreSQL server. So every suite of
// the coordinator runs on either: on a server on which databases may be made, or
// on the rig's, which a package whose TestMain is [Main] starts for itself:
//
//	TEST_POSTGRES='postgres://postgres:secret@127.0.0.1:5432/postgres' go test ./coordinator/...
//	TEST_POSTGRES=rig go test ./coordinator/jobs ./coordinator/plan ./coordinator/gateway ./coordinator/rehearsal
package storetest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Open opens a new store for the length of the test.
func Open(t testing.TB) *store.Store {
	t.Helper()
	return OpenAs(t, Name(t))
}

// OpenAs opens the store for the length of the test.
func OpenAs(t testing.TB, name string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Name names a store that is not there yet and goes with the test.
func Name(t testing.TB) string {
	t.Helper()
	if os.Getenv("TEST_POSTGRES") != "" {
		return migrated(t, Server(t))
	}
	return filepath.Join(t.TempDir(), "coordinator.db")
}

// Database makes an empty database on a server, which goes with the test, and gives its address.
func Database(t testing.TB, server string) string {
	t.Helper()
	return create(t, server, "")
}

func create(t testing.TB, server, tail string) string {
	t.Helper()
	name := "t" + strings.ToLower(rand.Text())
	do(t, server, "CREATE DATABASE "+name+tail)
	t.Cleanup(func() { do(t, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return on(t, server, name)
}

func do(t testing.TB, server string, statements ...string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			t.Error(err)
			return
		}
	}
}

// on gives the address of another database of a server.
func on(t testing.TB, server, name string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}
