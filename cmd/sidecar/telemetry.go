package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/audit/otlp"
	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar"
)

// telemetry sends audit events and traces to the collector that the policy names. The
// zero value sends nothing. It is safe for concurrent use; follow and close are called
// by one goroutine at a time.
type telemetry struct {
	logger  *slog.Logger
	tracing sidecar.Tracing

	exporter atomic.Pointer[exporter] // nil while there is no collector
	// lost is what exporters lost that are closed.
	lost    atomic.Uint64
	closing sync.WaitGroup
}

// exporter is one collector, as one server.
type exporter struct {
	of     policy.Telemetry
	server string
	events *audit.Queue
	spans  *sdktrace.TracerProvider // nil where no traces are begun
}

// Write implements audit.Sink.
func (t *telemetry) Write(ctx context.Context, e audit.Event) {
	if x := t.exporter.Load(); x != nil {
		x.events.Write(ctx, e)
	}
}

// follow begins and ends exporting as a policy says.
func (t *telemetry) follow(p *policy.Policy) {
	old := t.exporter.Load()
	if old != nil && old.of == p.Telemetry && old.server == p.Server || old == nil && p.Telemetry.Endpoint == "" {
		return
	}
	next, err := t.newExporter(p)
	if err != nil {
		t.logger.Error("audit events and traces go nowhere but to standard output", "endpoint", p.Telemetry.Endpoint, "error", err)
	}
	t.exporter.Store(next)
	if next != nil && next.spans != nil {
		t.tracing.Use(next.spans)
	} else {
		t.tracing.Use(nil)
	}
	t.retire(old)
}

// newExporter is nil where the policy names no collector.
func (t *telemetry) newExporter(p *policy.Policy) (*exporter, error) {
	if p.Telemetry.Endpoint == "" {
		return nil, nil
	}
	o := otlp.Options{Endpoint: p.Telemetry.Endpoint, Resource: resourceOf(p), Logger: t.logger}
	events, err := otlp.NewLogs(o)
	if err != nil {
		return nil, err
	}
	x := &exporter{of: p.Telemetry, server: p.Server, events: events}
	if p.Telemetry.TracePercent > 0 {
		if x.spans, err = otlp.NewTracerProvider(o, p.Telemetry.TracePercent); err != nil {
			t.retire(x)
			return nil, err
		}
	}
	return x, nil
}

func resourceOf(p *policy.Policy) []attribute.KeyValue {
	attributes := []attribute.KeyValue{attribute.String("service.name", "mcpauth-sidecar"), attribute.String("mcpauth.server", p.Server)}
	if namespace, _, ok := strings.Cut(p.Server, "/"); ok {
		attributes = append(attributes, attribute.String("k8s.namespace.name", namespace))
	}
	return attributes
}

// retire sends what an exporter still has and ends it, while others go on.
func (t *telemetry) retire(x *exporter) {
	if x == nil {
		return
	}
	t.closing.Go(func() {
		err := closeWithin(flushTimeout, x.events.Close)
		if err != nil {
			// What was on its way is given up now, and counted when it has been.
			_ = closeWithin(time.Second, x.events.Close)
		}
		if x.spans != nil {
			err = errors.Join(err, closeWithin(flushTimeout, x.spans.Shutdown))
		}
		if err != nil {
			t.logger.Warn("not everything reached the collector", "endpoint", x.of.Endpoint, "error", err)
		}
		t.lost.Add(x.events.Lost())
	})
}

func closeWithin(limit time.Duration, end func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return end(ctx)
}

// eventsLost is how many events did not reach a collector.
func (t *telemetry) eventsLost() uint64 {
	lost := t.lost.Load()
	if x := t.exporter.Load(); x != nil {
		lost += x.events.Lost()
	}
	return lost
}

// close sends what there still is.
func (t *telemetry) close() {
	t.retire(t.exporter.Swap(nil))
	t.closing.Wait()
}
