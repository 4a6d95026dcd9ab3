// Package metrics tells Prometheus how an agent is, on an address of loopback,
// and only if one is configured: nothing connects to an agent from elsewhere.
package metrics

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/drawbridge-id/drawbridge/agent/control"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Metrics are an agent's. It is safe for concurrent use; nil counts nothing.
type Metrics struct {
	registry *prometheus.Registry
	jobs     *prometheus.CounterVec
	took     *prometheus.HistogramVec
}

// New makes the metrics of an agent; status says how it is.
func New(version string, status func() control.Status) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "drawbridge_agent_jobs_total", Help: "Jobs that ended, by system and outcome."},
			[]string{"system", "outcome"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "drawbridge_agent_job_duration_seconds", Help: "How long jobs took.",
			Buckets: []float64{.01, .05, .1, .5, 1, 5, 30, 300}}, []string{"system"}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "drawbridge_agent_build_info", Help: "Always 1; the release is in a label."}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build, m.jobs, m.took, state(status))
	return m
}

// Ended counts a job that has ended.
func (m *Metrics) Ended(job *linkv1.Job, result *linkv1.Result, took time.Duration) {
	if m == nil {
		return
	}
	m.jobs.WithLabelValues(job.GetSystem(), outcome(result.GetOutcome())).Inc()
	m.took.WithLabelValues(job.GetSystem()).Observe(took.Seconds())
}

func outcome(o connectorv1.Outcome) string { return o.String()[len("OUTCOME_"):] }

// Serve serves /metrics on the listener, which is of loopback, until ctx ends, and returns its cause.
func (m *Metrics) Serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return context.Cause(ctx)
}

// state tells how the agent is when it is asked.
type state func() control.Status

var (
	connected   = desc("connected", "Whether the agent has its stream to the coordinator.")
	results     = desc("results_unconfirmed", "Results that the coordinator has not confirmed.")
	records     = desc("record_bytes_unconfirmed", "Bytes of records that the coordinator has not confirmed.")
	certificate = desc("certificate_expires_timestamp_seconds", "When the agent's certificate ends.")
	denied      = desc("guardrail_denied_total", "Jobs that the guardrail denied since the start.")
	held        = desc("guardrail_waiting", "Jobs that wait for an approval at the guardrail.")
	full        = desc("disk_full", "Whether the disk is full, and no new job is taken.")
	ready       = desc("system_ready", "Whether a system answered the last time.", "system")
	waiting     = desc("system_waiting", "Jobs that wait for a system.", "system")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("drawbridge_agent_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (state) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{connected, results, records, certificate, denied, held, full, ready, waiting} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s state) Collect(out chan<- prometheus.Metric) {
	now := s()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(connected, number(now.Connected))
	gauge(results, float64(now.Results))
	gauge(records, float64(now.Records))
	gauge(certificate, float64(now.CertEnds.Unix()))
	gauge(held, float64(len(now.Guardrail.Waiting)))
	gauge(full, number(now.DiskFull != ""))
	out <- prometheus.MustNewConstMetric(denied, prometheus.CounterValue, float64(now.Guardrail.Denied))
	for _, y := range now.Systems {
		gauge(ready, number(y.Ready), y.Name)
		gauge(waiting, float64(y.Waiting), y.Name)
	}
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
