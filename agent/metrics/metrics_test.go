package metrics_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/metrics"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A scrape tells how the agent is, and what it has done.
func TestMetrics(t *testing.T) {
	t.Parallel()
	m := metrics.New("1.2.3", func() control.Status {
		return control.Status{Connected: true, Results: 3, Systems: []control.System{{Name: "corp-ad", Ready: true, Waiting: 7}}}
	})
	m.Ended(&linkv1.Job{System: "corp-ad"}, &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_DONE}, time.Second)
	(*metrics.Metrics)(nil).Ended(&linkv1.Job{}, &linkv1.Result{}, 0) // counts nothing
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- m.Serve(ctx, l) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`drawbridge_agent_build_info{version="1.2.3"} 1`, "drawbridge_agent_connected 1", "drawbridge_agent_results_unconfirmed 3",
		`drawbridge_agent_system_waiting{system="corp-ad"} 7`, `drawbridge_agent_jobs_total{outcome="DONE",system="corp-ad"} 1`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("not told: %s", want)
		}
	}
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Errorf("Serve ended with %v", err)
	}
}
