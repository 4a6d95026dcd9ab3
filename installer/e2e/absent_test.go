package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// A system that is configured before its file is there says what it waits for,
// and goes on by itself when the file comes.
func TestFileNotThereYet(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	s := set(t, "double")
	if err := s.Furnish(); err != nil {
		t.Fatal(err)
	}
	if err := s.Configure(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, func() string {
		out, err := s.CLI(t.Context(), "status")
		if err != nil || !strings.Contains(string(out), "workers.csv is not there") {
			return "status says nothing of the file that is missing:\n" + string(out)
		}
		return ""
	})
	s.File.Put(workers.List(5)...)
	export(t, s)
	want(t, s, workers.ID(1), map[string]string{"enabled": "true"})
}
