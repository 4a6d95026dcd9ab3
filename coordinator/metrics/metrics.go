// Package metrics tells Prometheus what a coordinator does, on an address of
// its own, which is off unless it is configured: what is counted is of every
// tenant, and there is no sign-in.
//
// What this process has done is counted as it happens. What is in the store is
// read when it is asked for, at most once in some seconds; where several
// coordinators share a store each tells the same of it: take max, not sum.
package metrics

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/drawbridge-id/drawbridge/coordinator/health"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Metrics are a coordinator's. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	ended    *prometheus.CounterVec
	delay    *prometheus.HistogramVec
	requests *prometheus.HistogramVec
}

// New makes the metrics of a coordinator of a version.
func New(st *store.Store, checker *health.Checker, version string, log *slog.Logger) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "drawbridge_changes_total",
			Help: "Changes that ended at this coordinator, by what became of them: done or failed."}, []string{"tenant", "system", "class", "outcome"}),
		delay: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "drawbridge_change_delay_seconds",
			Help:    "From when the record of a source came until what it changes was written.",
			Buckets: []float64{.25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400}}, []string{"tenant", "system"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "drawbridge_http_request_duration_seconds",
			Help: "Requests at the API, SCIM and the dashboard.", Buckets: []float64{.005, .02, .1, .5, 1, 5}}, []string{"method", "code"}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "drawbridge_build_info", Help: "Always 1; the release is in a label."}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build, m.ended, m.delay, m.requests, &state{store: st, checker: checker, log: log})
	return m
}

// Ended counts writes that ended; it is jobs.Queue's.
func (m *Metrics) Ended(now store.Instant, writes []store.Job) {
	for _, j := range writes {
		m.ended.WithLabelValues(j.Tenant, j.System, j.Class, j.State).Inc()
		if j.State == store.JobDone && j.Since != 0 {
			m.delay.WithLabelValues(j.Tenant, j.System).Observe(now.Time().Sub(j.Since.Time()).Seconds())
		}
	}
}

// Requests counts what next answers. Streams that stay open are counted when they end.
func (m *Metrics) Requests(next http.Handler) http.Handler {
	return promhttp.InstrumentHandlerDuration(m.requests, next)
}

// Handler answers a scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, EnableOpenMetrics: true})
}

// Serve serves /metrics on the listener until ctx ends, and returns its cause.
func (m *Metrics) Serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return context.Cause(ctx)
}
