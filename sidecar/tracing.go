package sidecar

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mcpauth/mcpauth/sidecar/relay"
)

// Tracing begins a span for each request that is passed on, with the tracer that is in
// use at the moment. The zero value begins none, and then the client's trace headers
// pass as they are. It is safe for concurrent use.
type Tracing struct {
	tracer atomic.Pointer[trace.Tracer]
}

// Use has spans begun by a provider from now on; nil begins none.
func (t *Tracing) Use(provider trace.TracerProvider) {
	if provider == nil {
		t.tracer.Store(nil)
		return
	}
	tracer := provider.Tracer("github.com/mcpauth/mcpauth/sidecar")
	t.tracer.Store(&tracer)
}

// w3c reads and writes traceparent and tracestate (W3C Trace Context).
var w3c propagation.TraceContext

// span is a request's; the zero value is none.
type span struct{ trace.Span }

// begin begins the span of a request that is let through, within the trace that its
// client named.
func (t *Tracing) begin(x *exchange) span {
	if t == nil {
		return span{}
	}
	tracer := t.tracer.Load()
	if tracer == nil {
		return span{}
	}
	ctx := w3c.Extract(x.r.Context(), propagation.HeaderCarrier(x.r.Header))
	operation := operationOf(x)
	_, begun := (*tracer).Start(ctx, "mcp "+operation, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", x.r.Method),
		attribute.String("mcp.method.name", operation),
		attribute.String("mcpauth.server", x.site.policy.Server),
		attribute.String("mcpauth.client", x.claims.ClientID),
	))
	return span{begun}
}

// replaces reports whether a header of the client's gives way to the span's own.
func (s span) replaces(name string) bool {
	return s.Span != nil && (name == "Traceparent" || name == "Tracestate")
}

// propagate names the span to the MCP server.
func (s span) propagate(to *relay.Request) {
	if s.Span == nil {
		return
	}
	w3c.Inject(trace.ContextWithSpan(context.Background(), s.Span), carrier{to})
}

// carrier writes headers.
type carrier struct{ to *relay.Request }

func (c carrier) Get(string) string     { return "" }
func (c carrier) Keys() []string        { return nil }
func (c carrier) Set(name, text string) { c.to.Add(http.CanonicalHeaderKey(name), text) }

// ids are those of the span as audit events carry them; empty where there is none.
func (s span) ids() (traceID, spanID string) {
	if s.Span == nil {
		return "", ""
	}
	c := s.SpanContext()
	return c.TraceID().String(), c.SpanID().String()
}

// end ends the span with what became of the request.
func (s span) end(x *exchange) {
	if s.Span == nil {
		return
	}
	s.SetAttributes(attribute.Int("http.response.status_code", x.status))
	if x.body != nil && len(x.body.Messages) == 1 {
		if target := x.body.Messages[0].Target(); target != "" {
			s.SetAttributes(attribute.String("mcpauth.target", strings.ToValidUTF8(target[:min(len(target), 256)], "")))
		}
	}
	if x.status >= http.StatusInternalServerError || x.reason == reasonUpstream {
		s.SetStatus(codes.Error, string(x.reason))
	}
	s.End()
}
