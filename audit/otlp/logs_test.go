package otlp

import (
	"context"
	"encoding/hex"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/mcpauth/mcpauth/audit"
)

// full is an event with everything in it.
func full() audit.Event {
	return audit.Event{
		Time: time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC), Type: "tool.called", Decision: audit.Denied,
		Reason: "InsufficientScope", Subject: "people|alice", Email: "alice@example.com", Organization: "example",
		Client: "agent", Grant: "g-1", GrantType: "authorization_code", Resource: "https://mcp.example.com/todo",
		Method: "tools/call", Tool: "delete_task", Prompt: "daily", URI: "todo://tasks/1",
		ArgumentNames: []string{"id", ""}, ScopeHeld: "todo:read", ScopeNeeded: "todo:write",
		RemoteAddr: "192.0.2.1", Status: 403, Duration: 1500 * time.Microsecond, BytesIn: 312, BytesOut: 98,
		Server: "apps/todo", Session: "5f2b9c01d4e6a7b8", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
		SpanID: "00f067aa0ba902b7", Lost: 7,
	}
}

func text(value string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}
}

func number(value int64) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: value}}
}

func double(value float64) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: value}}
}

func array(values ...*commonpb.AnyValue) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: values}}}
}

func pair(key string, value *commonpb.AnyValue) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: value}
}

func bytesOf(t *testing.T, hexadecimal string) []byte {
	t.Helper()
	b, err := hex.DecodeString(hexadecimal)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnEventArrivesAsALogRecord(t *testing.T) {
	r := newReceiver(t)
	q := logsTo(t, Options{Endpoint: r.URL + "/", Resource: []attribute.KeyValue{
		attribute.String("service.name", "mcpauth-sidecar"), attribute.String("k8s.namespace.name", "apps")}})
	e := full()
	q.Write(t.Context(), e)
	closed(t, q)
	at := uint64(e.Time.UnixNano())
	want := []*logspb.ResourceLogs{{
		Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{
			pair("service.name", text("mcpauth-sidecar")), pair("k8s.namespace.name", text("apps"))}},
		ScopeLogs: []*logspb.ScopeLogs{{
			Scope: &commonpb.InstrumentationScope{Name: "github.com/mcpauth/mcpauth/audit"},
			LogRecords: []*logspb.LogRecord{{
				TimeUnixNano: at, ObservedTimeUnixNano: at, SeverityNumber: logspb.SeverityNumber_SEVERITY_NUMBER_WARN, SeverityText: "WARN",
				EventName: "tool.called", Body: text("tool.called"),
				TraceId: bytesOf(t, e.TraceID), SpanId: bytesOf(t, e.SpanID),
				Attributes: []*commonpb.KeyValue{
					pair("mcpauth.decision", text("denied")), pair("mcpauth.reason", text("InsufficientScope")),
					pair("user.id", text("people|alice")), pair("user.email", text("alice@example.com")),
					pair("mcpauth.organization", text("example")), pair("mcpauth.client", text("agent")),
					pair("mcpauth.grant", text("g-1")), pair("mcpauth.grant_type", text("authorization_code")),
					pair("mcpauth.resource", text("https://mcp.example.com/todo")), pair("mcp.method.name", text("tools/call")),
					pair("gen_ai.tool.name", text("delete_task")), pair("gen_ai.prompt.name", text("daily")),
					pair("mcp.resource.uri", text("todo://tasks/1")), pair("mcpauth.argument_names", array(text("id"), text(""))),
					pair("mcpauth.scope_held", text("todo:read")), pair("mcpauth.scope_needed", text("todo:write")),
					pair("client.address", text("192.0.2.1")), pair("http.response.status_code", number(403)),
					pair("mcpauth.duration_ms", double(1.5)), pair("http.request.body.size", number(312)),
					pair("http.response.body.size", number(98)), pair("mcpauth.server", text("apps/todo")),
					pair("mcpauth.session", text("5f2b9c01d4e6a7b8")), pair("mcpauth.lost", number(7)),
				},
			}},
		}},
	}}
	if diff := cmp.Diff(want, r.logs, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if q.Written() != 1 || q.Lost() != 0 {
		t.Errorf("counted %d written and %d lost", q.Written(), q.Lost())
	}
}

func TestSeverityFollowsTheDecision(t *testing.T) {
	tests := []struct {
		name  string
		event audit.Event
		want  logspb.SeverityNumber
	}{
		{"allowed", audit.Event{Type: "token.issued", Decision: audit.Allowed}, logspb.SeverityNumber_SEVERITY_NUMBER_INFO},
		{"denied", audit.Event{Type: "token.refused", Decision: audit.Denied}, logspb.SeverityNumber_SEVERITY_NUMBER_WARN},
		{"lost", audit.Event{Type: audit.EventsLost, Lost: 1}, logspb.SeverityNumber_SEVERITY_NUMBER_ERROR},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := decode(t, tt.event).SeverityNumber; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// decode is the log record of an event, read by OpenTelemetry's own types.
func decode(t *testing.T, e audit.Event) *logspb.LogRecord {
	t.Helper()
	var got logspb.ScopeLogs
	if err := proto.Unmarshal((*logs)(nil).Append(nil, e), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.LogRecords) != 1 || len(got.ProtoReflect().GetUnknown()) > 0 {
		t.Fatalf("got %v", &got)
	}
	return got.LogRecords[0]
}

// A field that somebody adds and forgets to send would be missing for ever.
func TestEveryFieldOfAnEventIsSent(t *testing.T) {
	everything, fields := full(), reflect.TypeFor[audit.Event]()
	for i := range fields.NumField() {
		name, without := fields.Field(i).Name, full()
		if reflect.ValueOf(everything).Field(i).IsZero() {
			t.Errorf("%s is missing from the sample", name)
		}
		reflect.ValueOf(&without).Elem().Field(i).SetZero()
		if proto.Equal(decode(t, everything), decode(t, without)) {
			t.Errorf("%s is not sent", name)
		}
	}
}

func TestEveryAttributeIsDocumented(t *testing.T) {
	schema, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range decode(t, full()).Attributes {
		if !strings.Contains(string(schema), " | `"+a.Key+"` | ") {
			t.Errorf("docs/audit.md has no row for %s", a.Key)
		}
	}
}

func TestATraceIDThatIsNoneIsLeftOut(t *testing.T) {
	for _, id := range []string{"", "00", strings.Repeat("z", 32), strings.Repeat("0", 4000)} {
		if got := decode(t, audit.Event{Type: "t", TraceID: id, SpanID: id}); got.TraceId != nil || got.SpanId != nil {
			t.Errorf("%.40q became %x and %x", id, got.TraceId, got.SpanId)
		}
	}
}

// A collector refuses a whole request for one string that is not UTF-8. Whoever
// could send one would take the events of others out of the log with it.
func TestTextThatIsNotUTF8DoesNotCostOtherEvents(t *testing.T) {
	r := newReceiver(t)
	q := logsTo(t, Options{Endpoint: r.URL})
	q.Write(t.Context(), audit.Event{Type: "tool.called", Tool: "a\xffb", ArgumentNames: []string{"\xc3"}})
	q.Write(t.Context(), audit.Event{Type: "token.issued"})
	closed(t, q)
	if got := r.records(); len(got) != 2 || got[0].Attributes[0].Value.GetStringValue() != "a\ufffdb" {
		t.Errorf("got %v", got)
	}
}

func TestManyEventsArriveInFewRequests(t *testing.T) {
	r := newReceiver(t)
	q := logsTo(t, Options{Endpoint: r.URL})
	for range 200 {
		q.Write(t.Context(), full())
	}
	closed(t, q)
	if len(r.records()) != 200 || r.asked() > 5 {
		t.Errorf("%d events arrived in %d requests", len(r.records()), r.asked())
	}
}

func TestWhatMaySucceedLaterIsTriedAgain(t *testing.T) {
	tests := []struct {
		name     string
		refuse   func(w http.ResponseWriter, before int) bool
		arrived  int
		requests int
	}{
		{"unavailable once", func(w http.ResponseWriter, before int) bool {
			if before == 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return before == 0
		}, 1, 2},
		{"too many, come back later", func(w http.ResponseWriter, before int) bool {
			if before == 0 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
			}
			return before == 0
		}, 1, 2},
		{"a connection that breaks", func(_ http.ResponseWriter, before int) bool {
			if before == 0 {
				panic(http.ErrAbortHandler)
			}
			return false
		}, 1, 2},
		// The second request says that one was lost.
		{"refused for good", func(w http.ResponseWriter, before int) bool {
			if before == 0 {
				w.WriteHeader(http.StatusBadRequest)
			}
			return before == 0
		}, 0, 2},
		{"a redirect", func(w http.ResponseWriter, before int) bool {
			if before == 0 {
				w.Header().Set("Location", "/v1/logs")
				w.WriteHeader(http.StatusTemporaryRedirect)
			}
			return before == 0
		}, 0, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReceiver(t)
			r.refuse = tt.refuse
			q := logsTo(t, Options{Endpoint: r.URL})
			q.Write(t.Context(), audit.Event{Type: "token.issued"})
			closed(t, q)
			if q.Written() != uint64(tt.arrived) || q.Lost() != uint64(1-tt.arrived) || r.asked() != tt.requests {
				t.Errorf("counted %d written and %d lost after %d requests", q.Written(), q.Lost(), r.asked())
			}
			want := "token.issued"
			if tt.arrived == 0 {
				want = audit.EventsLost
			}
			if got := r.records(); len(got) != 1 || got[0].EventName != want {
				t.Errorf("got %v, want one %s", got, want)
			}
		})
	}
}

func TestEventsThatTheCollectorRejectsAreLost(t *testing.T) {
	r := newReceiver(t)
	r.refuse = func(w http.ResponseWriter, before int) bool {
		if before > 0 {
			return false
		}
		// ExportLogsServiceResponse.partial_success: rejected_log_records, error_message
		partial := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 2)
		partial = protowire.AppendString(protowire.AppendTag(partial, 2, protowire.BytesType), "too old")
		_, _ = w.Write(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial))
		return true
	}
	q := logsTo(t, Options{Endpoint: r.URL})
	for range 5 {
		q.Write(t.Context(), audit.Event{Type: "token.issued"})
	}
	closed(t, q)
	if q.Written() != 3 || q.Lost() != 2 {
		t.Errorf("counted %d written and %d lost", q.Written(), q.Lost())
	}
	if got := r.records(); len(got) != 1 || got[0].EventName != audit.EventsLost || got[0].Attributes[0].Value.GetIntValue() != 2 {
		t.Errorf("got %v, want that two were lost", got)
	}
}

func TestADeadCollectorBlocksNobody(t *testing.T) {
	refusing := newReceiver(t)
	refusing.Close()
	release := make(chan struct{})
	hanging := newReceiver(t)
	hanging.refuse = func(http.ResponseWriter, int) bool { <-release; return true }
	defer close(release) // before the receiver is closed
	tests := []struct{ name, url string }{
		{"that refuses connections", refusing.URL},
		{"that never answers", hanging.URL},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const events = 20000 // more than the queue holds
			q := logsTo(t, Options{Endpoint: tt.url})
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range events {
					q.Write(context.Background(), full())
				}
			}()
			select {
			case <-done:
			case <-time.After(patience):
				t.Fatalf("waited %s for events to be written while the collector is dead", patience)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := q.Close(ctx); err == nil {
				t.Fatal("closing succeeded without a collector")
			}
			// What was on its way is given up with it, and then everything is counted.
			for end := time.Now().Add(patience); q.Lost() != events; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("waited %s for %d to be counted lost, got %d", patience, events, q.Lost())
				}
			}
		})
	}
}

func TestABatchIsGivenUpAfterItsTime(t *testing.T) {
	r := newReceiver(t)
	r.Close()
	q := logsTo(t, Options{Endpoint: r.URL, GiveUp: time.Millisecond})
	q.Write(t.Context(), audit.Event{Type: "token.issued"})
	closed(t, q)
	if q.Lost() != 1 {
		t.Errorf("counted %d lost", q.Lost())
	}
}

func TestAnEndpointHasToBeAURL(t *testing.T) {
	for _, endpoint := range []string{"", "collector:4318", "grpc://collector:4317", "http://", "http://a b", "://"} {
		if _, err := NewLogs(Options{Endpoint: endpoint}); err == nil {
			t.Errorf("%q was accepted for logs", endpoint)
		}
		if _, err := NewTracerProvider(Options{Endpoint: endpoint}, 100); err == nil {
			t.Errorf("%q was accepted for traces", endpoint)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("tool.called", "a\xffb", int64(1))
	f.Add("", "", int64(-1))
	f.Fuzz(func(t *testing.T, kind, value string, count int64) {
		got := decode(t, audit.Event{Type: kind, Subject: value, ArgumentNames: []string{value}, BytesIn: count})
		if got.EventName != strings.ToValidUTF8(kind, "\ufffd") {
			t.Errorf("%q became %q", kind, got.EventName)
		}
		rejections([]byte(value)) // which is an answer of a collector's
	})
}

func BenchmarkAppend(b *testing.B) {
	e, buffer := full(), make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buffer = (*logs)(nil).Append(buffer[:0], e)
	}
}
