package sidecar

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mcpauth/mcpauth/policy"
)

// Metrics count what a sidecar does. A nil Metrics counts nothing. It is safe for
// concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	received prometheus.Counter
	sent     prometheus.Counter
	streams  prometheus.Gauge
	// found has the series by outcome, since looking them up by labels takes longer. There
	// are few: all that an outcome is made of comes from closed sets.
	found sync.Map
}

// outcome is what requests are told apart by.
type outcome struct {
	operation, decision, reason string
	listens                     bool
}

// series are those of one outcome.
type series struct {
	requests prometheus.Counter
	seconds  prometheus.Observer // nil where time tells nothing
}

// The decisions by which requests are counted.
const (
	decisionAllowed = "allowed"
	decisionDenied  = "denied"
)

// NewMetrics adds the metrics of one sidecar to a registry.
func NewMetrics(registry *prometheus.Registry) *Metrics {
	m := &Metrics{
		registry: registry,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcpauth_sidecar_requests_total",
			Help: "Requests for the MCP server, by what they ask for, whether they were let through, and why.",
		}, []string{"operation", "decision", "reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "mcpauth_sidecar_request_duration_seconds",
			Help:    "How long requests took that were let through, event streams left out.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"operation"}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcpauth_sidecar_received_bytes_total", Help: "Bytes of the bodies of requests.",
		}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcpauth_sidecar_sent_bytes_total", Help: "Bytes of the bodies of responses.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mcpauth_sidecar_streams", Help: "Event streams that are open.",
		}),
	}
	registry.MustRegister(m.requests, m.duration, m.received, m.sent, m.streams)
	return m
}

// watch adds what the sidecar itself knows.
func (m *Metrics) watch(s *Sidecar) {
	if m == nil {
		return
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mcpauth_sidecar_sessions", Help: "MCP sessions whose owner is remembered.",
	}, func() float64 { return float64(s.sessions.count()) }))
}

// streaming counts an event stream until the function that it returns is called.
func (m *Metrics) streaming() func() {
	if m == nil {
		return func() {}
	}
	m.streams.Inc()
	return m.streams.Dec
}

// count takes in a request that is over.
func (m *Metrics) count(x *exchange, took time.Duration) {
	if m == nil {
		return
	}
	operation, decision, why := operationOf(x), decisionAllowed, string(x.reason)
	switch {
	case x.refused():
		decision = decisionDenied
	case why == "" && len(x.decisions) == 1:
		why = string(x.decisions[0].Reason)
	}
	of := m.series(outcome{operation, decision, why, x.listens()})
	of.requests.Inc()
	m.received.Add(float64(x.sent))
	m.sent.Add(float64(x.written))
	if of.seconds != nil {
		of.seconds.Observe(took.Seconds())
	}
}

func (m *Metrics) series(o outcome) *series {
	if known, ok := m.found.Load(o); ok {
		return known.(*series)
	}
	made := &series{requests: m.requests.WithLabelValues(o.operation, o.decision, o.reason)}
	if o.decision == decisionAllowed && !o.listens {
		made.seconds = m.duration.WithLabelValues(o.operation)
	}
	known, _ := m.found.LoadOrStore(o, made)
	return known.(*series)
}

// operationOf is what a request asks for, out of a closed set: strangers must not be able
// to make series.
func operationOf(x *exchange) string {
	switch {
	case x.r.Method == http.MethodGet:
		return "stream"
	case x.r.Method == http.MethodDelete:
		return "end session"
	case x.body == nil:
		return "unread"
	case x.body.Batch:
		return "batch"
	}
	switch method := x.body.Messages[0].Method; {
	case method == "":
		return "response"
	case strings.HasPrefix(method, "notifications/"):
		return "notification"
	case policy.Known(method):
		return method
	default:
		return "other"
	}
}
