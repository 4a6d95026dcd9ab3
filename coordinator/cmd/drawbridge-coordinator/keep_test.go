package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/retention"
)

// How long things are kept is taken from the file, then from the flag, each naming only what it changes.
func TestParse_keep(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "coordinator.yaml")
	if err := os.WriteFile(file, []byte("keep: {history: 30d, audit: 3650d}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := func(string) string { return "" }
	c, err := parse([]string{"--config", file, "--keep", "audit=ever"}, io.Discard, none)
	want := retention.Defaults()
	want.History = retention.Span(30 * 24 * time.Hour)
	if err != nil || c.Keep != want {
		t.Errorf("keep %+v, %v; want %+v", c.Keep, err, want)
	}
	for _, bad := range []string{"people=1d", "jobs=soon", "history=5m"} {
		if _, err := parse([]string{"--keep", bad}, io.Discard, none); err == nil {
			t.Errorf("--keep %s was taken", bad)
		}
	}
}
