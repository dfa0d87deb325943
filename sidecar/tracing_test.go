package sidecar

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// A trace that a client has begun.
const (
	clientTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	clientSpan  = "00f067aa0ba902b7"
	clientState = "vendor=value"
	traceParent = "00-" + clientTrace + "-" + clientSpan + "-01"
)

// traced is a sidecar whose spans are kept.
func traced(t *testing.T) (*bench, *tracetest.InMemoryExporter) {
	t.Helper()
	b := protect(t)
	kept := tracetest.NewInMemoryExporter()
	tracing := &Tracing{}
	tracing.Use(sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept)))
	b.sidecar.options.Tracing = tracing
	return b, kept
}

// attributes are a span's by their names.
func attributes(span tracetest.SpanStub) map[string]string {
	found := make(map[string]string)
	for _, a := range span.Attributes {
		found[string(a.Key)] = a.Value.String()
	}
	return found
}

// only is the one span that there is when every request is over.
func only(t *testing.T, b *bench, kept *tracetest.InMemoryExporter) tracetest.SpanStub {
	t.Helper()
	stop(t, b)
	spans := kept.GetSpans()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want one: %v", len(spans), spans)
	}
	return spans[0]
}

func TestARequestThatIsLetThroughIsASpanWithinItsClientsTrace(t *testing.T) {
	b, kept := traced(t)
	wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task"), header("Traceparent", traceParent), header("Tracestate", clientState)), 200)
	r, _ := b.last(t)
	span := only(t, b, kept)
	if span.Name != "mcp tools/call" || span.SpanKind != trace.SpanKindServer {
		t.Errorf("span %q of kind %s", span.Name, span.SpanKind)
	}
	if span.Parent.TraceID().String() != clientTrace || span.Parent.SpanID().String() != clientSpan || !span.Parent.IsRemote() {
		t.Errorf("parent %v", span.Parent)
	}
	id := span.SpanContext
	if id.TraceID().String() != clientTrace || id.SpanID().String() == clientSpan {
		t.Errorf("span %s of the trace %s", id.SpanID(), id.TraceID())
	}
	if got, want := r.Header.Values("Traceparent"), "00-"+clientTrace+"-"+id.SpanID().String()+"-01"; len(got) != 1 || got[0] != want {
		t.Errorf("the MCP server is told %q, want %q", got, want)
	}
	if got := r.Header.Values("Tracestate"); len(got) != 1 || got[0] != clientState {
		t.Errorf("the MCP server is told the state %q", got)
	}
	got := attributes(span)
	for name, want := range map[string]string{
		"http.request.method": "POST", "mcp.method.name": "tools/call", "mcpauth.server": "apps/todo",
		"mcpauth.client": "agent", "mcpauth.target": "get_task", "http.response.status_code": "200",
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
	if text := string(encodeJSON(t, got)); strings.Contains(text, "hunter2") || strings.Contains(text, "alice@") {
		t.Errorf("the span tells what is nobody's business: %s", text)
	}
	var event struct {
		TraceID string `json:"trace_id"`
		SpanID  string `json:"span_id"`
	}
	if err := json.Unmarshal([]byte(b.audits.String()), &event); err != nil {
		t.Fatal(err)
	}
	if event.TraceID != clientTrace || event.SpanID != id.SpanID().String() {
		t.Errorf("the audit names %+v", event)
	}
}

func TestATraceBeginsHereWhereTheClientHasNone(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"none":           func(*http.Request) {},
		"a broken one":   header("Traceparent", "00-zz-1-01"),
		"a zero one":     header("Traceparent", "00-00000000000000000000000000000000-0000000000000000-01"),
		"a state alone":  header("Tracestate", clientState),
		"two that count": func(r *http.Request) { r.Header["Traceparent"] = []string{"00-1-2-01", traceParent} },
	} {
		t.Run(name, func(t *testing.T) {
			b, kept := traced(t)
			wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task"), change), 200)
			r, _ := b.last(t)
			span := only(t, b, kept)
			if span.Parent.IsValid() || !span.SpanContext.IsValid() {
				t.Errorf("parent %v of %v", span.Parent, span.SpanContext)
			}
			want := "00-" + span.SpanContext.TraceID().String() + "-" + span.SpanContext.SpanID().String() + "-01"
			if got := r.Header.Values("Traceparent"); len(got) != 1 || got[0] != want {
				t.Errorf("the MCP server is told %q, want %q", got, want)
			}
			if got := r.Header.Values("Tracestate"); len(got) != 0 {
				t.Errorf("the MCP server is told the state %q of no trace", got)
			}
		})
	}
}

func TestEveryKindOfRequestThatPassesIsASpan(t *testing.T) {
	b, kept := traced(t)
	bearer := token(t, "todo:read")
	b.post(t, bearer, initialize)
	b.post(t, bearer, "["+call("get_task")+","+call("get_task")+"]")
	b.do(t, http.MethodGet, testPath, bearer)
	b.do(t, http.MethodDelete, testPath, bearer)
	stop(t, b)
	names := make(map[string]int)
	for _, span := range kept.GetSpans() {
		names[span.Name]++
	}
	for _, want := range []string{"mcp initialize", "mcp batch", "mcp stream", "mcp end session"} {
		if names[want] != 1 {
			t.Errorf("%d spans %q, want one; there are %v", names[want], want, names)
		}
	}
}

func TestRefusedRequestsAreNoSpans(t *testing.T) {
	b, kept := traced(t)
	parent := header("Traceparent", traceParent)
	wantStatus(t, b.post(t, "", call("get_task"), parent), 401)
	wantStatus(t, b.post(t, token(t, "todo:read"), call("purge"), parent), 403)
	wantStatus(t, b.post(t, token(t, "todo:read"), "{", parent), 400)
	stop(t, b)
	if spans := kept.GetSpans(); len(spans) != 0 {
		t.Errorf("%d spans, want none", len(spans))
	}
	if strings.Contains(b.audits.String(), clientTrace) {
		t.Error("the audit names the trace of a request that none was begun for")
	}
}

func TestAServerThatFailsIsAnErrorInItsSpan(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"500":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			b, kept := traced(t)
			b.handler = handler
			b.post(t, token(t, "todo:read"), call("get_task"))
			if span := only(t, b, kept); span.Status.Code != codes.Error {
				t.Errorf("status %v", span.Status)
			}
		})
	}
}

func TestWithoutTracingTheClientsTracePassesAsItIs(t *testing.T) {
	off := &Tracing{}
	off.Use(sdktrace.NewTracerProvider())
	off.Use(nil)
	for name, tracing := range map[string]*Tracing{"none": nil, "the zero value": {}, "turned off": off} {
		for _, parent := range []string{traceParent, "00-broken"} {
			b := protect(t)
			b.sidecar.options.Tracing = tracing
			wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task"), header("Traceparent", parent), header("Tracestate", clientState)), 200)
			r, _ := b.last(t)
			if r.Header.Get("Traceparent") != parent || r.Header.Get("Tracestate") != clientState {
				t.Errorf("%s: the MCP server is told %v", name, r.Header)
			}
			stop(t, b)
			if strings.Contains(b.audits.String(), "trace_id") {
				t.Errorf("%s: the audit names a trace: %s", name, b.audits)
			}
		}
	}
}
