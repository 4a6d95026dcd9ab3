package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/plugins/sql/postgres"
)

// rig is the server that the tests of a package have started, and a database there with all migrations.
var rig struct {
	once     sync.Once
	server   *postgres.Server
	err      error
	template sync.Once
}

// Server is the address of the PostgreSQL server of a package's tests: the one
// that TEST_POSTGRES names, or the rig's. Where PostgreSQL is not installed the
// test is skipped, unless TEST_REQUIRE names postgresql or CI is set. The
// package's TestMain must be [Main].
func Server(t testing.TB) string {
	t.Helper()
	if given := os.Getenv("TEST_POSTGRES"); given != "" && given != "rig" {
		return given
	}
	rig.once.Do(func() { rig.server, rig.err = postgres.Start(context.Background()) })
	required := os.Getenv("CI") == "true" || strings.Contains(os.Getenv("TEST_REQUIRE"), "postgresql")
	if errors.Is(rig.err, postgres.ErrNotInstalled) && !required {
		t.Skipf("LEFT OUT: postgresql: %v", rig.err)
	}
	if rig.err != nil {
		t.Fatal(rig.err)
	}
	return rig.server.URL("postgres")
}

// Main runs a package's tests, and then stops the server that they have started.
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
func Main(m *testing.M) int {
	code := m.Run()
	if rig.server == nil {
		return code
	}
	if err := rig.server.Remove(); err != nil {
		fmt.Println(err)
	}
	return code
}

// template is the database that those of a rig's tests are copies of: to copy one is a tenth of the time of all migrations.
const template = "template_drawbridge"

// migrated makes a database of this release on a server, which goes with the test.
func migrated(t testing.TB, server string) string {
	t.Helper()
	if rig.server == nil {
		return Database(t, server) // a server that stays may have a copy of another release
	}
	rig.template.Do(func() {
		do(t, server, "CREATE DATABASE "+template)
		s, err := store.Open(context.Background(), on(t, server, template))
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			t.Error(err)
		}
	})
	return create(t, server, " TEMPLATE "+template)
}
