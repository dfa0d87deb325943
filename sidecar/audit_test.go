package sidecar

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/policy"
)

// audited parses the audit's lines, without what differs from run to run.
func audited(t *testing.T, b *bench) []map[string]any {
	t.Helper()
	var events []map[string]any
	for line := range strings.Lines(b.audits.String()) {
		var event map[string]any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("the audit is not JSON: %s", line)
		}
		if event["audit"] != true || event["resource"] != testResource || event["server"] != "apps/todo" || event["remote_addr"] != "127.0.0.1" {
			t.Errorf("event: %v", event)
		}
		for _, name := range []string{"time", "level", "audit", "resource", "server", "remote_addr", "duration_ms", "bytes_in", "bytes_out"} {
			delete(event, name)
		}
		events = append(events, event)
	}
	return events
}

var alice = map[string]any{
	"subject": "alice", "email": "alice@example.com", "organization": "example",
	"client": "agent", "grant": "grant-1", "scope_held": "todo:read",
}

// by is an event of alice's.
func by(person map[string]any, fields map[string]any) map[string]any {
	event := map[string]any{}
	for name, value := range person {
		event[name] = value
	}
	for name, value := range fields {
		event[name] = value
	}
	return event
}

func TestAuditNamesEveryCallAndEveryRefusal(t *testing.T) {
	tests := []struct {
		name string
		send func(t *testing.T, b *bench)
		want []map[string]any
	}{
		{"an allowed call", func(t *testing.T, b *bench) { b.post(t, token(t, "todo:read"), call("get_task")) },
			[]map[string]any{by(alice, map[string]any{"msg": "tool.called", "decision": "allowed", "reason": "Scope",
				"method": "tools/call", "tool": "get_task", "scope_needed": "todo:read", "status": 200.0})}},
		{"a refused call", func(t *testing.T, b *bench) { b.post(t, token(t, "todo:read"), call("purge")) },
			[]map[string]any{by(alice, map[string]any{"msg": "tool.called", "decision": "denied", "reason": "InsufficientScope",
				"method": "tools/call", "tool": "purge", "scope_needed": "todo:admin", "status": 403.0})}},
		{"a call that no scope opens", func(t *testing.T, b *bench) { b.post(t, token(t, "todo:read"), call("x")) },
			[]map[string]any{by(alice, map[string]any{"msg": "tool.called", "decision": "denied", "reason": "NoScopeOpensIt",
				"method": "tools/call", "tool": "x", "status": 403.0})}},
		{"a batch with one refused", func(t *testing.T, b *bench) {
			b.post(t, token(t, "todo:read"), "["+call("get_task")+","+call("purge")+"]")
		}, []map[string]any{
			by(alice, map[string]any{"msg": "tool.called", "decision": "denied", "reason": "batch_refused",
				"method": "tools/call", "tool": "get_task", "scope_needed": "todo:read", "status": 403.0}),
			by(alice, map[string]any{"msg": "tool.called", "decision": "denied", "reason": "InsufficientScope",
				"method": "tools/call", "tool": "purge", "scope_needed": "todo:admin", "status": 403.0}),
		}},
		{"no token", func(t *testing.T, b *bench) { b.post(t, "", call("get_task")) },
			[]map[string]any{{"msg": "request.received", "decision": "denied", "reason": "no_token", "status": 401.0}}},
		{"a bad token", func(t *testing.T, b *bench) { b.post(t, "xyz", call("get_task")) },
			[]map[string]any{{"msg": "request.received", "decision": "denied", "reason": "invalid_token", "status": 401.0}}},
		{"a token of alice's that has expired", func(t *testing.T, b *bench) {
			b.post(t, token(t, "todo:read", func(c *accesstoken.Claims) { c.Expiry = time.Now().Add(-time.Hour) }), call("get_task"))
		}, []map[string]any{by(alice, map[string]any{"msg": "request.received", "decision": "denied", "reason": "invalid_token", "status": 401.0})}},
		{"a token of alice's that is bound to a key that nobody proves", func(t *testing.T, b *bench) {
			b.post(t, token(t, "todo:read", func(c *accesstoken.Claims) { c.KeyThumbprint = "thumbprint" }), call("get_task"))
		}, []map[string]any{by(alice, map[string]any{"msg": "request.received", "decision": "denied", "reason": "invalid_token", "status": 401.0})}},
		{"a token in alice's name for somebody else, or that she did not get", func(t *testing.T, b *bench) {
			b.post(t, token(t, "todo:read", func(c *accesstoken.Claims) { c.Audience = []string{"https://other.example/mcp"} }), call("get_task"))
			genuine := token(t, "todo:read")
			b.post(t, genuine[:len(genuine)-8]+"AAAAAAAA", call("get_task"))
		}, []map[string]any{
			{"msg": "request.received", "decision": "denied", "reason": "invalid_token", "status": 401.0},
			{"msg": "request.received", "decision": "denied", "reason": "invalid_token", "status": 401.0},
		}},
		{"a bad body", func(t *testing.T, b *bench) { b.post(t, token(t, "todo:read"), "{") },
			[]map[string]any{by(alice, map[string]any{"msg": "request.received", "decision": "denied", "reason": "invalid_request", "status": 400.0})}},
		{"a foreign page", func(t *testing.T, b *bench) { b.post(t, "", "{}", header("Origin", "https://evil.example")) },
			[]map[string]any{{"msg": "request.received", "decision": "denied", "reason": "origin_not_allowed", "status": 403.0}}},
		{"a stream", func(t *testing.T, b *bench) { b.do(t, http.MethodGet, testPath, token(t, "todo:read")) },
			[]map[string]any{by(alice, map[string]any{"msg": "stream.opened", "decision": "allowed", "status": 200.0})}},
		{"the end of a session", func(t *testing.T, b *bench) { b.do(t, http.MethodDelete, testPath, token(t, "todo:read")) },
			[]map[string]any{by(alice, map[string]any{"msg": "session.ended", "decision": "allowed", "status": 200.0})}},
		{"reading metadata", func(t *testing.T, b *bench) {
			b.do(t, http.MethodGet, "/.well-known/oauth-protected-resource"+testPath, "")
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := protect(t)
			tt.send(t, b)
			stop(t, b)
			if diff := cmp.Diff(tt.want, audited(t, b)); diff != "" {
				t.Errorf("audit (-want +got):\n%s", diff)
			}
			if strings.Contains(b.audits.String()+b.logs.String(), "hunter2") {
				t.Error("an argument of a call was written down")
			}
		})
	}
}

func TestTokensAreNeverWrittenDown(t *testing.T) {
	b := protect(t)
	good, bad := token(t, "todo:read"), token(t, "todo:read")+"x"
	b.post(t, good, call("get_task"))
	b.post(t, bad, call("get_task"))
	b.do(t, http.MethodGet, testPath+"?access_token="+good, good)
	stop(t, b)
	for _, text := range []string{good, bad, "eyJ"} {
		if strings.Contains(b.audits.String()+b.logs.String(), text) {
			t.Errorf("%.10s… was written down", text)
		}
	}
}

func TestAnEventSaysWhichSessionHowMuchAndWhichArguments(t *testing.T) {
	b := protect(t, func(p *policy.Policy) { p.AuditArgumentNames = true })
	sent := b.post(t, token(t, "todo:read"), call("get_task"), header("Mcp-Session-Id", "session-of-alice"))
	stop(t, b)
	var event struct {
		Session       string   `json:"session"`
		ArgumentNames []string `json:"argument_names"`
		BytesIn       int      `json:"bytes_in"`
		BytesOut      int      `json:"bytes_out"`
	}
	if err := json.Unmarshal([]byte(b.audits.String()), &event); err != nil {
		t.Fatal(err)
	}
	if event.BytesIn != len(call("get_task")) || event.BytesOut != len(sent.body) {
		t.Errorf("%d bytes in, %d out; want %d, %d", event.BytesIn, event.BytesOut, len(call("get_task")), len(sent.body))
	}
	if diff := cmp.Diff([]string{"secret"}, event.ArgumentNames); diff != "" {
		t.Errorf("names of arguments (-want +got):\n%s", diff)
	}
	if event.Session == "" || strings.Contains(b.audits.String(), "session-of-alice") {
		t.Errorf("the session is named %q; it has to be told apart and not to be usable", event.Session)
	}
	if strings.Contains(b.audits.String(), "hunter2") {
		t.Error("an argument of a call was written down")
	}
}
