package tracing_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/tracing"
)

// A receiver is an OTLP endpoint that keeps the names of spans by their trace.
type receiver struct {
	mu     sync.Mutex
	traces map[string][]string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(req.Body)
	}
	text, _ := io.ReadAll(body)
	var sent collector.ExportTraceServiceRequest
	if req.URL.Path != "/v1/traces" || proto.Unmarshal(text, &sent) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range sent.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				r.traces[string(span.GetTraceId())] = append(r.traces[string(span.GetTraceId())], span.GetName())
			}
		}
	}
}

// One trace follows a change from the record to the directory, and the job
// carries it to the agent; of many people of a batch some are followed.
func TestTracer(t *testing.T) {
	t.Parallel()
	got := &receiver{traces: map[string][]string{}}
	server := httptest.NewServer(got)
	defer server.Close()
	tracer, err := tracing.New(t.Context(), server.URL, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	w := rehearsal.New(t)
	w.Intake.Follow, w.Queue.Ended = tracer.Record, tracer.Ended
	w.Apply(rehearsal.Documents)
	w.Read("hr", rehearsal.Workers(50)...)
	w.Plan()
	carriedAway := 0
	w.Meanwhile = func() {
		w.Write(func(tx *store.Tx) error {
			sent, err := w.Queue.Resend(t.Context(), rehearsal.Tenant, rehearsal.Agent, 0, 100)
			for _, j := range sent {
				if strings.HasPrefix(j.GetTrace(), "00-") {
					carriedAway++
				}
			}
			return err
		})
		w.Meanwhile = nil
	}
	w.Settle()
	if carriedAway != 20 {
		t.Errorf("%d jobs take their trace to the agent; want 20", carriedAway)
	}
	followed, carried := 0, 0
	w.Write(func(tx *store.Tx) error {
		jobs, err := tx.ListJobs(rehearsal.Tenant, store.JobFilter{Class: "create"}, 100)
		for _, j := range jobs {
			if j.Trace != "" {
				followed++
			}
			if strings.HasPrefix(j.Trace, "00-") {
				carried++
			}
		}
		return err
	})
	if followed != 20 || carried != 20 {
		t.Errorf("%d of 50 jobs are followed, %d carry a traceparent; want 20", followed, carried)
	}
	if err := tracer.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(got.traces) != 20 {
		t.Errorf("%d traces", len(got.traces))
	}
	for _, names := range got.traces {
		slices.Sort(names)
		if want := []string{"create in corp-ad", "plan", "record of hr", "wait for an agent"}; !slices.Equal(names, want) {
			t.Errorf("spans of a trace: %q; want %q", names, want)
		}
	}
}
