package otlp

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

func tracesTo(t *testing.T, o Options, percent int) *sdktrace.TracerProvider {
	t.Helper()
	p, err := NewTracerProvider(o, percent)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func shutDown(t *testing.T, p *sdktrace.TracerProvider) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

// elsewhere is a span of another process that began a trace.
func elsewhere(t *testing.T, sampled bool) trace.SpanContext {
	t.Helper()
	state, err := trace.ParseTraceState("vendor=1")
	if err != nil {
		t.Fatal(err)
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(bytesOf(t, "4bf92f3577b34da6a3ce929d0e0e4736")), SpanID: trace.SpanID(bytesOf(t, "00f067aa0ba902b7")),
		TraceFlags: trace.TraceFlags(0).WithSampled(sampled), TraceState: state, Remote: true,
	})
}

func TestASpanArrivesWithEverythingInIt(t *testing.T) {
	r := newReceiver(t)
	p := tracesTo(t, Options{Endpoint: r.URL, Resource: []attribute.KeyValue{attribute.String("service.name", "mcpauth-sidecar")}}, 0)
	began := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	parent := elsewhere(t, true)
	ctx, span := p.Tracer("outer", trace.WithInstrumentationVersion("v1")).Start(
		trace.ContextWithRemoteSpanContext(t.Context(), parent), "tools/call \xff", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(began),
		trace.WithLinks(trace.Link{SpanContext: parent, Attributes: []attribute.KeyValue{attribute.Bool("linked", true)}}),
		trace.WithAttributes(attribute.Bool("bool", false), attribute.Int("int", -1), attribute.Float64("float", 0.5), attribute.String("text", ""),
			attribute.StringSlice("texts", []string{"a", ""}), attribute.IntSlice("ints", []int{0, 1}),
			attribute.Float64Slice("floats", []float64{0}), attribute.BoolSlice("bools", []bool{true})))
	_, inner := p.Tracer("inner").Start(ctx, "inner", trace.WithTimestamp(began))
	inner.SetStatus(codes.Ok, "")
	inner.End(trace.WithTimestamp(began.Add(time.Millisecond)))
	span.AddEvent("happened", trace.WithTimestamp(began), trace.WithAttributes(attribute.Int("n", 1)))
	span.SetStatus(codes.Error, errors.New("upstream failed").Error())
	span.End(trace.WithTimestamp(began.Add(time.Second)))
	shutDown(t, p)

	at := uint64(began.UnixNano())
	boolean := func(value bool) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: value}}
	}
	outerID, innerID, traceID, parentID := span.SpanContext().SpanID(), inner.SpanContext().SpanID(), parent.TraceID(), parent.SpanID()
	want := []*tracepb.ResourceSpans{{
		Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{pair("service.name", text("mcpauth-sidecar"))}},
		ScopeSpans: []*tracepb.ScopeSpans{{
			Scope: &commonpb.InstrumentationScope{Name: "inner"},
			Spans: []*tracepb.Span{{
				TraceId: traceID[:], SpanId: innerID[:], ParentSpanId: outerID[:], TraceState: "vendor=1", Flags: 0x101,
				Name: "inner", Kind: tracepb.Span_SPAN_KIND_INTERNAL, StartTimeUnixNano: at, EndTimeUnixNano: at + 1e6,
				Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_OK},
			}},
		}, {
			Scope: &commonpb.InstrumentationScope{Name: "outer", Version: "v1"},
			Spans: []*tracepb.Span{{
				TraceId: traceID[:], SpanId: outerID[:], ParentSpanId: parentID[:], TraceState: "vendor=1", Flags: 0x301,
				Name: "tools/call \ufffd", Kind: tracepb.Span_SPAN_KIND_SERVER, StartTimeUnixNano: at, EndTimeUnixNano: at + 1e9,
				Attributes: []*commonpb.KeyValue{
					pair("bool", boolean(false)), pair("int", number(-1)), pair("float", double(0.5)), pair("text", text("")),
					pair("texts", array(text("a"), text(""))), pair("ints", array(number(0), number(1))),
					pair("floats", array(double(0))), pair("bools", array(boolean(true))),
				},
				Events: []*tracepb.Span_Event{{TimeUnixNano: at, Name: "happened", Attributes: []*commonpb.KeyValue{pair("n", number(1))}}},
				Links: []*tracepb.Span_Link{{TraceId: traceID[:], SpanId: parentID[:], TraceState: "vendor=1", Flags: 0x301,
					Attributes: []*commonpb.KeyValue{pair("linked", boolean(true))}}},
				Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "upstream failed"},
			}},
		}},
	}}
	if diff := cmp.Diff(want, r.spans, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhichRequestsAreTraced(t *testing.T) {
	tests := []struct {
		name    string
		percent int
		parent  *bool
		want    bool
	}{
		{"none of a hundred", 0, nil, false},
		{"all of a hundred", 100, nil, true},
		{"none, in a trace of others", 0, new(true), true},
		{"all, in a request that others do not trace", 100, new(false), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReceiver(t)
			p := tracesTo(t, Options{Endpoint: r.URL}, tt.percent)
			ctx := t.Context()
			if tt.parent != nil {
				ctx = trace.ContextWithRemoteSpanContext(ctx, elsewhere(t, *tt.parent))
			}
			_, span := p.Tracer("t").Start(ctx, "request")
			span.End()
			shutDown(t, p)
			if got := len(r.spans) == 1; got != tt.want {
				t.Errorf("traced: %t, want %t", got, tt.want)
			}
		})
	}
}

func TestSpansAreNoConcernOfThoseWhoMakeThemWhenTheCollectorIsDead(t *testing.T) {
	r := newReceiver(t)
	r.Close()
	p := tracesTo(t, Options{Endpoint: r.URL}, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 10000 {
			_, span := p.Tracer("t").Start(context.Background(), "request")
			span.End()
		}
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("waited %s for spans to end while the collector is dead", patience)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_ = p.Shutdown(ctx) // which ends with ctx, whatever it says
}

func TestEveryKindOfAttributeIsRead(t *testing.T) {
	values := []attribute.Value{
		{}, attribute.ByteSliceValue([]byte{0, 1}), attribute.MapValue(attribute.String("k", "v")),
		attribute.SliceValue(attribute.IntValue(1), attribute.StringValue("x")),
	}
	want := []*commonpb.AnyValue{
		{}, {Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{0, 1}}},
		{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: []*commonpb.KeyValue{pair("k", text("v"))}}}},
		array(number(1), text("x")),
	}
	var encoded []byte
	for _, value := range values {
		encoded = appendValue(encoded, elementsOf, value)
	}
	var got commonpb.ArrayValue
	if err := proto.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Values, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
