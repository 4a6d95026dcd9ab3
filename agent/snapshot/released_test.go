package snapshot_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/drawbridge-id/drawbridge/agent/snapshot"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// The files of each release are in testdata/RELEASE; `make stored-release RELEASE=x` adds one.
var release = flag.String("release", "", "write the files of testdata/RELEASE, which must not be there yet")

// What a release remembers this one goes on with: only what has changed since is
// forwarded, and what has gone is named.
func TestReleased(t *testing.T) {
	if *release != "" {
		dir := filepath.Join("testdata", *release)
		if _, err := os.Stat(dir); err == nil {
			t.Fatalf("%s is there: what was released is not written again", dir)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if got := readReleased(t, dir, nil, 200); got != 200 { // more than SetLimits lets the log hold: a base
			t.Fatalf("%d objects are forwarded; want 200", got)
		}
		readReleased(t, dir, map[int]string{3: "changed"}, 202) // a log
	}
	kept, err := filepath.Glob("testdata/*/*.snap")
	if err != nil || len(kept) == 0 {
		t.Fatalf("no files of a release, %v", err)
	}
	for _, file := range kept {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Dir(file))); err != nil {
				t.Fatal(err)
			}
			changed := map[int]string{3: "changed", 7: "changed again"}
			if got := readReleased(t, dir, changed, 201); got != 2 { // 7 has changed, 202 has gone
				t.Errorf("%d objects are forwarded; want 2", got)
			}
			if got := readReleased(t, dir, changed, 201); got != 0 {
				t.Errorf("%d objects are forwarded when read again; want none", got)
			}
		})
	}
}

// readReleased reads n users, some with another name, and returns how many of them, and of those gone, are forwarded.
func readReleased(t *testing.T, dir string, changed map[int]string, n int) (forwarded int) {
	t.Helper()
	snap, err := snapshot.Open(dir, system)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	snap.SetLimits(150, 60)
	r, err := snap.Begin(set, snapshot.Options{Full: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= n; i++ {
		records, err := r.Filter(nil, []*connectorv1.Record{object(fmt.Sprint("user-", i), "name "+changed[i])})
		if err != nil {
			t.Fatal(err)
		}
		forwarded += len(records)
	}
	for _, err := range r.Gone() {
		if err != nil {
			t.Fatal(err)
		}
		forwarded++
	}
	if err := r.Commit([]byte("cookie")); err != nil {
		t.Fatal(err)
	}
	return forwarded
}
