package tracing_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/agent/tracing"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A job's span belongs to the trace that the job brings; a read begins one of
// its own and gives it to what it finds; other jobs are not told.
func TestTracer(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	spans := map[string]string{} // trace by name
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		var sent collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(text, &sent); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, s := range sent.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans() {
			spans[s.GetName()] = string(s.GetTraceId())
		}
	}))
	defer server.Close()
	tracer, err := tracing.New(t.Context(), server.URL, "1.2.3", "dc")
	if err != nil {
		t.Fatal(err)
	}
	const parent = "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01"
	for _, job := range []*linkv1.Job{{System: "corp-ad", Trace: parent, Work: &linkv1.Job_Apply{}}, {System: "hr", Work: &linkv1.Job_Read{Read: &linkv1.Read{}}}, {System: "untold"}} {
		under, done := tracer.Job(t.Context(), job)
		if traced := tracing.Parent(under) != ""; traced != (job.GetSystem() != "untold") {
			t.Errorf("job of %s: traced %v", job.GetSystem(), traced)
		}
		done(&linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_DONE})
	}
	if err := tracer.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(spans) != 2 || spans["apply to corp-ad"] != "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10" || spans["read hr"] == "" {
		t.Errorf("spans %q", spans)
	}
	var none *tracing.Tracer
	if under, done := none.Job(t.Context(), &linkv1.Job{Trace: parent}); tracing.Parent(under) != "" {
		t.Error("a tracer that is off tells something")
	} else {
		done(nil)
	}
}
