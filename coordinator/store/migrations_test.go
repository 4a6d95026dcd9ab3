package store_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var release = flag.String("release", "", "write testdata/RELEASE/steps.txt, which must not be there yet")

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

// A step that was released is never changed, nor taken away: databases that have
// it are not given another. testdata/RELEASE/steps.txt has what each release
// brought; `make stored-release RELEASE=x` adds one.
func TestMigrations_releasedStay(t *testing.T) {
	t.Parallel()
	if *release != "" {
		keepSteps(t, filepath.Join("testdata", *release, "steps.txt"))
	}
	lists, err := filepath.Glob("testdata/*/steps.txt")
	if err != nil || len(lists) == 0 {
		t.Fatalf("no steps of a release, %v", err)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			want, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
			if got := sumOf(t, file); got != want {
				t.Errorf("%s has changed since release %s: put it back, and add a step", file, filepath.Base(filepath.Dir(list)))
			}
		}
	}
}

// keepSteps writes the steps of today with their sums, as sha256sum does.
func keepSteps(t *testing.T, list string) {
	t.Helper()
	var text strings.Builder
	for _, pattern := range []string{"migrations/*.sql", "migrations/postgres/*.sql"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			fmt.Fprintf(&text, "%s  %s\n", sumOf(t, file), filepath.ToSlash(file))
		}
	}
	if err := os.MkdirAll(filepath.Dir(list), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(list); err == nil {
		t.Fatalf("%s is there: what was released is not written again", list)
	}
	if err := os.WriteFile(list, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func sumOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}
