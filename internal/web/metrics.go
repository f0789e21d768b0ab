package web

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"azulejo/internal/access"
)

// Metrics counts requests by operation. It has its own registry; nothing is
// global.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	bytes    *prometheus.CounterVec
	running  prometheus.Gauge
}

// NewMetrics returns counters at zero, with those of the Go runtime and of the
// process beside them.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "azulejo_http_requests_total",
			Help: "Requests by operation, method and status."}, []string{"operation", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "azulejo_http_request_seconds",
			Help: "Time to answer by operation.", Buckets: prometheus.ExponentialBuckets(0.0005, 4, 10)}, []string{"operation"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "azulejo_http_response_bytes_total",
			Help: "Bytes of response bodies by operation."}, []string{"operation"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "azulejo_http_requests_running", Help: "Requests being answered."}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.bytes, m.running, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Registry is where other parts of the server register their own metrics.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

func (m *Metrics) begin() func() {
	m.running.Inc()
	return m.running.Dec
}

func (m *Metrics) end(operation, method string, status int, bytes int64, took time.Duration) {
	if operation == "none" {
		method = "any" // methods of unknown routes are the client's own text
	}
	m.requests.WithLabelValues(operation, method, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(operation).Observe(took.Seconds())
	m.bytes.WithLabelValues(operation).Add(float64(bytes))
}

// HealthOperations are the rows for /healthz (the process answers), /readyz
// (ready returns nil) and /metrics. None needs a credential.
func HealthOperations(m *Metrics, ready func(context.Context) error) []Operation {
	handler := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{DisableCompression: true})
	ok := func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, err := w.Write([]byte("ok\n"))
		return err
	}
	return []Operation{
		{ID: "healthz", Method: http.MethodGet, Path: "/healthz", Action: access.Public,
			Handle: func(w http.ResponseWriter, _ *Request) error { return ok(w) }},
		{ID: "readyz", Method: http.MethodGet, Path: "/readyz", Action: access.Public,
			Handle: func(w http.ResponseWriter, r *Request) error {
				if err := ready(r.Context()); err != nil {
					return err
				}
				return ok(w)
			}},
		{ID: "metrics", Method: http.MethodGet, Path: "/metrics", Action: access.Public,
			Handle: func(w http.ResponseWriter, r *Request) error { handler.ServeHTTP(w, r.Request); return nil }},
	}
}
