package audit

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// written is what a Log writes of an event, without the time.
func written(t *testing.T, e Event) map[string]any {
	t.Helper()
	var b bytes.Buffer
	Log{Logger: slog.New(slog.NewJSONHandler(&b, nil))}.Write(t.Context(), e)
	if lines := strings.Count(b.String(), "\n"); lines != 1 {
		t.Fatalf("it wrote %d lines: %s", lines, b.String())
	}
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "time")
	return got
}

func TestAnEventIsOneJSONObjectWithAllThatIsKnown(t *testing.T) {
	got := written(t, Event{
		Type: "tool.called", Decision: Denied, Reason: "InsufficientScope", Subject: "people|alice", Email: "alice@example.com",
		Organization: "example", Client: "agent", Grant: "g-1", GrantType: "authorization_code", Resource: "https://mcp.example.com/todo",
		Method: "tools/call", Tool: "delete_task", ScopeHeld: "todo:read", ScopeNeeded: "todo:write",
		Status: 403, Duration: 1500 * time.Microsecond, RemoteAddr: "192.0.2.1",
	})
	want := map[string]any{
		"level": "INFO", "msg": "tool.called", "audit": true, "decision": "denied", "reason": "InsufficientScope",
		"subject": "people|alice", "email": "alice@example.com", "organization": "example", "client": "agent", "grant": "g-1",
		"grant_type": "authorization_code", "resource": "https://mcp.example.com/todo", "method": "tools/call", "tool": "delete_task",
		"scope_held": "todo:read", "scope_needed": "todo:write", "status": 403.0, "duration_ms": 1.5, "remote_addr": "192.0.2.1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the event (-want +got):\n%s", diff)
	}
}

func TestWhatIsUnknownIsLeftOut(t *testing.T) {
	got := written(t, Event{Type: "token.issued", Decision: Allowed})
	want := map[string]any{"level": "INFO", "msg": "token.issued", "audit": true, "decision": "allowed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the event (-want +got):\n%s", diff)
	}
}

// A field that somebody adds and forgets to write would be missing for ever.
func TestEveryFieldOfAnEventIsWritten(t *testing.T) {
	fields := reflect.TypeFor[Event]()
	bare := len(written(t, Event{Type: "t"}))
	for i := range fields.NumField() {
		if name := fields.Field(i).Name; name == "Type" || name == "Decision" {
			continue
		}
		e := Event{Type: "t"}
		field := reflect.ValueOf(&e).Elem().Field(i)
		if field.Kind() == reflect.String {
			field.SetString("x")
		} else {
			field.SetInt(int64(time.Second))
		}
		if got := len(written(t, e)); got != bare+1 {
			t.Errorf("%s is not written", fields.Field(i).Name)
		}
	}
}

func TestTextFromStrangersStaysWithinItsLine(t *testing.T) {
	got := written(t, Event{Type: "token.denied", Client: "a\n{\"audit\":true,\"decision\":\"allowed\"}"})
	if got["client"] != "a\n{\"audit\":true,\"decision\":\"allowed\"}" {
		t.Errorf("got %q", got["client"])
	}
}

func TestTheZeroLogDiscards(t *testing.T) {
	Log{}.Write(t.Context(), Event{Type: "token.issued"}) // would panic on a nil logger
}
