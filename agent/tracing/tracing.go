// Package tracing tells of the agent's part of changes that are followed from
// the record of a source to the directory, as traces of OpenTelemetry: of reads,
// whose traceparent goes with what they find, and of jobs that bring one. It is
// off unless an endpoint is configured. Spans name systems, jobs and outcomes,
// never what an object holds.
package tracing

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A Tracer tells of jobs. nil is one that tells nothing. It is safe for concurrent use.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// New sends traces to an OTLP endpoint (HTTP, such as http://collector:4318); it gives nil where that is empty.
func New(ctx context.Context, endpoint, version, host string) (*Tracer, error) {
	if endpoint == "" {
		return nil, nil
	}
	if strings.Count(strings.TrimSuffix(endpoint, "/"), "/") == 2 {
		endpoint = strings.TrimSuffix(endpoint, "/") + "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "drawbridge-agent"), attribute.String("service.version", version), attribute.String("host.name", host))))
	return &Tracer{provider, provider.Tracer("drawbridge")}, nil
}

// Close sends what is left.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Job begins to tell of a job: of a read, and of one that is followed. done
// ends it with what came of the job, nil where it is run again.
func (t *Tracer) Job(ctx context.Context, job *linkv1.Job) (_ context.Context, done func(*linkv1.Result)) {
	read := job.GetRead() != nil
	if t == nil || job.GetTrace() == "" && !read {
		return ctx, func(*linkv1.Result) {}
	}
	under := propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": job.GetTrace()})
	name := "apply to "
	if read {
		name = "read "
	}
	under, span := t.tracer.Start(under, name+job.GetSystem(), trace.WithAttributes(
		attribute.String("drawbridge.system", job.GetSystem()), attribute.Int64("drawbridge.job", int64(job.GetId()))))
	return under, func(result *linkv1.Result) {
		if result != nil {
			span.SetAttributes(attribute.String("drawbridge.outcome", result.GetOutcome().String()), attribute.String("server.address", result.GetServer()))
			if result.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
				span.SetStatus(codes.Error, result.GetOutcome().String())
			}
		}
		span.End()
	}
}

// Parent gives the traceparent of what is told under ctx; empty where nothing is.
func Parent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}
