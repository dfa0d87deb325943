package otlp

import (
	"context"
	"log/slog"
	"sync/atomic"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// NewTracerProvider returns a provider that begins a trace for so many of a hundred
// requests, and takes part in those that others have begun. It hands spans to the
// collector in batches and drops what does not fit into its queue. The caller shuts
// it down. The error is that the endpoint is none.
func NewTracerProvider(o Options, percent int) (*sdktrace.TracerProvider, error) {
	p, err := o.poster("v1/traces")
	if err != nil {
		return nil, err
	}
	exporter := &spanExporter{
		poster: p, logger: o.Logger,
		resource: enclose(appendAttributes(nil, 1, o.Resource), 0, resourceOf),
	}
	return sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(float64(percent)/100))),
		sdktrace.WithResource(resource.NewSchemaless(o.Resource...)),
	), nil
}

// spanExporter is an sdktrace.SpanExporter.
type spanExporter struct {
	poster   *poster
	logger   *slog.Logger
	resource []byte
	failing  atomic.Bool
}

// ExportSpans implements sdktrace.SpanExporter. It tells its own logger of errors,
// as whoever calls it would print them in a form of its own.
func (x *spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	rejected, err := x.poster.post(ctx, x.encode(spans))
	failed := err != nil || rejected > 0
	if x.logger == nil || x.failing.Swap(failed) == failed {
		return nil
	}
	if failed {
		x.logger.Warn("spans are lost", "spans", len(spans), "rejected", rejected, "error", err)
	} else {
		x.logger.Info("spans arrive again")
	}
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (x *spanExporter) Shutdown(context.Context) error {
	x.poster.client.CloseIdleConnections()
	return nil
}

// encode makes the request: one resource, and a ScopeSpans for each run of spans of
// one scope.
func (x *spanExporter) encode(spans []sdktrace.ReadOnlySpan) []byte {
	const resourceSpans, scopeSpans, inScope protowire.Number = 1, 2, 2
	b := append([]byte(nil), x.resource...)
	for i := 0; i < len(spans); {
		scope, start := spans[i].InstrumentationScope(), len(b)
		b = appendScope(b, scope)
		for ; i < len(spans) && spans[i].InstrumentationScope() == scope; i++ {
			at := len(b)
			b = enclose(appendSpan(b, spans[i]), at, inScope)
		}
		b = enclose(b, start, scopeSpans)
	}
	return enclose(b, 0, resourceSpans)
}

func appendScope(b []byte, scope instrumentation.Scope) []byte {
	start := len(b)
	b = appendText(b, 1, scope.Name)
	b = appendText(b, 2, scope.Version)
	b = appendAttributes(b, 3, scope.Attributes.ToSlice())
	return enclose(b, start, scopeOf)
}

func appendSpan(b []byte, s sdktrace.ReadOnlySpan) []byte {
	b = appendContext(b, s.SpanContext())
	if parent := s.Parent().SpanID(); parent.IsValid() {
		b = appendBytes(b, 4, parent[:])
	}
	b = appendText(b, 5, s.Name())
	b = appendVarint(b, 6, uint64(s.SpanKind())) // which are numbered alike
	b = appendTime(b, 7, s.StartTime())
	b = appendTime(b, 8, s.EndTime())
	b = appendAttributes(b, 9, s.Attributes())
	b = appendVarint(b, 10, uint64(s.DroppedAttributes()))
	for _, event := range s.Events() {
		start := len(b)
		b = appendTime(b, 1, event.Time)
		b = appendText(b, 2, event.Name)
		b = appendAttributes(b, 3, event.Attributes)
		b = enclose(appendVarint(b, 4, uint64(event.DroppedAttributeCount)), start, 11)
	}
	b = appendVarint(b, 12, uint64(s.DroppedEvents()))
	for _, link := range s.Links() {
		start := len(b)
		b = appendContext(b, link.SpanContext)
		b = appendAttributes(b, 4, link.Attributes)
		b = appendVarint(b, 5, uint64(link.DroppedAttributeCount))
		b = enclose(appendFixed32(b, 6, flags(link.SpanContext, link.SpanContext)), start, 13)
	}
	b = appendVarint(b, 14, uint64(s.DroppedLinks()))
	b = appendStatus(b, s.Status())
	return appendFixed32(b, 16, flags(s.SpanContext(), s.Parent()))
}

// appendContext appends trace_id, span_id and trace_state, which are the first
// fields of a span and of a link.
func appendContext(b []byte, c trace.SpanContext) []byte {
	traceID, spanID := c.TraceID(), c.SpanID()
	b = appendBytes(b, 1, traceID[:])
	b = appendBytes(b, 2, spanID[:])
	return appendText(b, 3, c.TraceState().String())
}

// flags are the flags of the trace, that it is known whether the other side is in
// another process, and whether it is.
func flags(own, other trace.SpanContext) uint32 {
	const known, remote = 0x100, 0x200
	set := uint32(own.TraceFlags()) | known
	if other.IsRemote() {
		set |= remote
	}
	return set
}

func appendStatus(b []byte, s sdktrace.Status) []byte {
	start := len(b)
	switch s.Code {
	case codes.Ok:
		b = appendVarint(b, 3, 1)
	case codes.Error:
		b = appendVarint(appendText(b, 2, s.Description), 3, 2)
	default:
		return b
	}
	return enclose(b, start, 15)
}
