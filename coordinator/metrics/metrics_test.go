package metrics_test

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/health"
	"github.com/drawbridge-id/drawbridge/coordinator/metrics"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
)

// A scrape tells what was done, and what is in the store.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	m := metrics.New(w.Store, &health.Checker{Store: w.Store, Log: log}, "1.2.3", log)
	w.Queue.Ended = m.Ended
	w.Apply(rehearsal.Documents)
	w.Read("hr", rehearsal.Workers(3)...)
	w.Settle()
	rec := httptest.NewRecorder()
	m.Requests(m.Handler()).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	text := rec.Body.String()
	for _, want := range []string{
		`drawbridge_build_info{version="1.2.3"} 1`,
		`drawbridge_changes_total{class="create",outcome="done",system="corp-ad",tenant="default"} 3`,
		`drawbridge_change_delay_seconds_count{system="corp-ad",tenant="default"} 3`,
		`drawbridge_people{tenant="default"} 3`,
		`drawbridge_agents{state="connected",tenant="default"} 1`,
		"go_goroutines ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not told: %s", want)
		}
	}
	if t.Failed() {
		for _, line := range strings.Split(text, "\n") {
			if strings.HasPrefix(line, "drawbridge") {
				t.Log(line)
			}
		}
	}
}
