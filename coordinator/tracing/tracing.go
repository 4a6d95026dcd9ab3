// Package tracing follows single changes from the record of a source to the
// directory, as traces of OpenTelemetry. It is off unless an endpoint is
// configured; then nothing else changes.
//
//	agent: read ─► batch (its traceparent) ─► coordinator: record ─► due ─► job (traceparent) ─► agent: apply
//	                                            └ plan, wait for an agent, write: told when the job has ended
//
// Of a batch the first few people are followed, each in a span of its own: a
// first import of everybody tells nothing more than those. Spans name systems,
// classes, jobs and outcomes, never people's attributes or values.
package tracing

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A Tracer tells of changes. It is safe for concurrent use.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// New sends traces to an OTLP endpoint (HTTP, such as http://collector:4318). Nothing is sent before there is a change.
func New(ctx context.Context, endpoint, version string) (*Tracer, error) {
	if !strings.HasPrefix(endpoint, "http://") && !strings.HasPrefix(endpoint, "https://") {
		return nil, fmt.Errorf("traces: %q is no address: write http://collector:4318", endpoint)
	}
	if strings.Count(strings.TrimSuffix(endpoint, "/"), "/") == 2 {
		endpoint = strings.TrimSuffix(endpoint, "/") + "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "drawbridge-coordinator"), attribute.String("service.version", version))))
	return &Tracer{provider, provider.Tracer("drawbridge")}, nil
}

// Close sends what is left.
func (t *Tracer) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// Record begins to follow a change of a person's record, and gives the
// traceparent of what follows from it. parent is that of the read, where it is known.
func (t *Tracer) Record(tenant, system string, cycle int64, parent string) string {
	ctx, span := t.tracer.Start(under(parent), "record of "+system, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.String("drawbridge.tenant", tenant), attribute.String("drawbridge.system", system), attribute.Int64("drawbridge.cycle", cycle)))
	span.End()
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// Ended tells of writes that have ended and are followed: when they were
// planned, how long they waited for an agent, and when they were written.
func (t *Tracer) Ended(now store.Instant, writes []store.Job) {
	for _, j := range writes {
		if j.Trace == "" {
			continue
		}
		ctx := under(j.Trace)
		about := trace.WithAttributes(attribute.String("drawbridge.tenant", j.Tenant), attribute.String("drawbridge.system", j.System),
			attribute.String("drawbridge.class", j.Class), attribute.Int64("drawbridge.job", j.ID), attribute.String("drawbridge.outcome", j.State))
		for _, part := range []struct {
			name        string
			began, over time.Time
		}{{"plan", j.Since.Time(), j.Made.Time()}, {"wait for an agent", j.Made.Time(), j.Sent.Time()}, {j.Class + " in " + j.System, j.Sent.Time(), now.Time()}} {
			if part.began.IsZero() || part.over.IsZero() {
				continue
			}
			_, span := t.tracer.Start(ctx, part.name, trace.WithTimestamp(part.began), about)
			if j.State != store.JobDone {
				span.SetStatus(codes.Error, j.State)
			}
			span.End(trace.WithTimestamp(part.over))
		}
	}
}

// under gives a context whose spans are children of a traceparent's; roots where there is none.
func under(parent string) context.Context {
	if parent == "" {
		return context.Background()
	}
	return propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": parent})
}
