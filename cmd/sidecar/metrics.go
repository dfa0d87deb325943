package main

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/sidecar"
)

// metrics are what there is to know beside what the sidecar itself counts.
type metrics struct {
	live   *sidecar.Live
	file   *policyFile
	events *audit.Queue
	// exported go to a collector as well.
	exported *telemetry
}

// register adds everything to a registry.
func (m metrics) register(registry *prometheus.Registry) {
	gauge := func(name, help string, value func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	counter := func(name, help string, labels prometheus.Labels, value func() float64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, value))
	}
	gauge("mcpauth_sidecar_ready", "Whether requests can be judged.", func() float64 { return truth(m.file.ready() == nil) })
	gauge("mcpauth_sidecar_keys", "Keys that tokens may be signed with.", func() float64 { return float64(m.live.Keys()) })

	const reloads, reloadsHelp = "mcpauth_sidecar_policy_reloads_total", "Policies that were read, by what became of them."
	counter(reloads, reloadsHelp, prometheus.Labels{"result": "success"}, func() float64 { return float64(m.file.counts().succeeded) })
	counter(reloads, reloadsHelp, prometheus.Labels{"result": "failure"}, func() float64 { return float64(m.file.counts().failed) })
	gauge("mcpauth_sidecar_policy_current", "Whether the newest policy is in force, rather than one before it.",
		func() float64 { return truth(m.file.current()) })
	gauge("mcpauth_sidecar_policy_loaded_timestamp_seconds", "When the policy in force was read; 0 if there is none.",
		func() float64 { return seconds(m.file.counts().at) })

	gauge("mcpauth_sidecar_revocations", "Revoked grants and tokens that are remembered.", func() float64 {
		known, _, _ := m.live.Revocations()
		return float64(known)
	})
	gauge("mcpauth_sidecar_revocations_heard_timestamp_seconds", "When the feed of revocations last answered; 0 if it never did.", func() float64 {
		_, heard, _ := m.live.Revocations()
		return seconds(heard)
	})
	counter("mcpauth_sidecar_revocations_dropped_total", "Revocations that were forgotten before their time, since there were too many.", nil, func() float64 {
		_, _, dropped := m.live.Revocations()
		return float64(dropped)
	})

	counter("mcpauth_sidecar_audit_events_total", "Audit events that were written.", nil, func() float64 { return float64(m.events.Written()) })
	counter("mcpauth_sidecar_audit_events_lost_total", "Audit events that were lost.", nil, func() float64 { return float64(m.events.Lost()) })
	counter("mcpauth_sidecar_audit_events_unexported_total", "Audit events that did not reach the collector.", nil,
		func() float64 { return float64(m.exported.eventsLost()) })
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

// handler serves a registry.
func handler(registry *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2})
}

func truth(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// seconds is zero for the zero time.
func seconds(at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return float64(at.Unix())
}
