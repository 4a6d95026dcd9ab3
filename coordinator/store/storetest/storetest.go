// Package storetest gives tests stores of their own: in SQLite, or, where
// TEST_POSTGRES is the address of a PostgreSQL server on which databases may be
// made, in a database there. So every suite of the coordinator runs on either:
//
//	TEST_POSTGRES='postgres://postgres:secret@127.0.0.1:5432/postgres' go test ./coordinator/...
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
	if server := os.Getenv("TEST_POSTGRES"); server != "" {
		return Database(t, server)
	}
	return filepath.Join(t.TempDir(), "coordinator.db")
}

// Database makes an empty database on a server, which goes with the test, and gives its address.
func Database(t testing.TB, server string) string {
	t.Helper()
	name := "t" + strings.ToLower(rand.Text())
	do := func(statement string) {
		ctx := context.Background()
		conn, err := pgx.Connect(ctx, server)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Error(err)
		}
	}
	do("CREATE DATABASE " + name)
	t.Cleanup(func() { do("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}
