package compiler

import (
	"strings"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/policy"
)

// enforce fills in what a sidecar does beside validating: filtering, limits, audit and
// telemetry. defaults are the AuthorizationServer's and may be nil.
func enforce(p *policy.Policy, spec *v1alpha1.MCPServerSpec, defaults *v1alpha1.Sidecar) {
	p.FilterLists = spec.ListFiltering != v1alpha1.Disabled
	if r := spec.Revocation; r != nil && r.FailClosedAfter != nil {
		p.FailClosedAfter = int64(r.FailClosedAfter.Seconds())
	}
	p.AuditArgumentNames = spec.Audit != nil && spec.Audit.ArgumentNames == v1alpha1.Enabled
	p.Limits = limitsOf(spec.Limits)
	for _, s := range []*v1alpha1.Sidecar{defaults, spec.Sidecar} {
		if s == nil {
			continue
		}
		if s.LogLevel != "" {
			p.LogLevel = strings.ToLower(string(s.LogLevel))
		}
		if t := s.Telemetry; t != nil {
			p.Telemetry = policy.Telemetry{Endpoint: t.OTLPEndpoint, TracePercent: int(t.TracePercent)}
		}
	}
}

func limitsOf(l *v1alpha1.Limits) policy.Limits {
	if l == nil {
		return policy.Limits{}
	}
	return policy.Limits{
		User: rateOf(l.PerUser), Client: rateOf(l.PerClient), Tool: rateOf(l.PerTool),
		MaxBodyBytes:   valueOf(l.MaxBodyBytes),
		MaxHeaderBytes: int(valueOf(l.MaxHeaderBytes)),
		MaxDepth:       int(valueOf(l.MaxDepth)),
	}
}

// periods are in seconds.
var periods = map[v1alpha1.RatePeriod]float64{v1alpha1.PerSecond: 1, v1alpha1.PerMinute: 60, v1alpha1.PerHour: 3600, "": 1}

func rateOf(r *v1alpha1.Rate) policy.Rate {
	if r == nil {
		return policy.Rate{}
	}
	rate := policy.Rate{Streams: int(valueOf(r.Streams))}
	if requests := valueOf(r.Requests); requests > 0 {
		rate.PerSecond = float64(requests) / periods[r.Per]
		rate.Burst = int(requests)
		if burst := valueOf(r.Burst); burst > 0 {
			rate.Burst = int(burst)
		}
	}
	return rate
}

// valueOf is zero for nil.
func valueOf[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
