package store_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A step of the schema is one of both databases.
func TestMigrations_bothHaveTheSame(t *testing.T) {
	t.Parallel()
	names := func(pattern string) (list []string) {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, f := range files {
			list = append(list, filepath.Base(f))
		}
		return list
	}
	if diff := cmp.Diff(names("migrations/*.sql"), names("migrations/postgres/*.sql")); diff != "" {
		t.Errorf("steps of SQLite (-), of PostgreSQL (+):\n%s", diff)
	}
}
