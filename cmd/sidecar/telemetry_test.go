package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/policy"
)

// collector takes whatever is sent to it, by path.
type collector struct {
	*httptest.Server
	mu   sync.Mutex
	sent map[string][]byte
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{sent: make(map[string][]byte)}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sent[r.URL.Path] = append(c.sent[r.URL.Path], body...)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

// got reports whether a text has come, as it stands in protobuf.
func (c *collector) got(path, text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Contains(c.sent[path], []byte(text))
}

func exporting(endpoint string, percent int) *policy.Policy {
	return &policy.Policy{Server: "apps/todo", Telemetry: policy.Telemetry{Endpoint: endpoint, TracePercent: percent}}
}

func TestEventsGoToTheCollectorThatThePolicyNames(t *testing.T) {
	first, second := newCollector(t), newCollector(t)
	exported := &telemetry{logger: slog.New(slog.DiscardHandler)}
	say := func(tool string) {
		exported.Write(t.Context(), audit.Event{Type: "tool.called", Decision: audit.Allowed, Tool: tool})
	}
	say("before")
	exported.follow(exporting(first.URL, 0))
	say("to-the-first")
	exported.follow(exporting(first.URL, 0)) // which changes nothing
	exported.follow(exporting(second.URL, 0))
	say("to-the-second")
	exported.follow(exporting("", 0))
	say("after")
	exported.close()
	for _, want := range []struct {
		at   *collector
		tool string
		got  bool
	}{
		{first, "to-the-first", true}, {second, "to-the-second", true},
		{first, "to-the-second", false}, {second, "to-the-first", false},
		{first, "before", false}, {second, "after", false},
	} {
		if want.at.got("/v1/logs", want.tool) != want.got {
			t.Errorf("%s: got %v, want %v", want.tool, !want.got, want.got)
		}
	}
	if !first.got("/v1/logs", "mcpauth-sidecar") || !first.got("/v1/logs", "apps/todo") {
		t.Error("the events do not say whose they are")
	}
	if lost := exported.eventsLost(); lost != 0 {
		t.Errorf("%d events were lost", lost)
	}
}

func TestACollectorThatIsNoneOrDeadIsToldAndCounted(t *testing.T) {
	var said output
	exported := &telemetry{logger: slog.New(slog.NewTextHandler(&said, nil))}
	exported.follow(exporting("ftp://collector", 0))
	if !strings.Contains(said.String(), "nowhere but to standard output") {
		t.Errorf("nobody was told: %s", &said)
	}
	dead := newCollector(t)
	dead.Close()
	exported.follow(exporting(dead.URL, 0))
	exported.Write(t.Context(), audit.Event{Type: "tool.called"})
	exported.close() // which waits for a moment and not longer
	if lost := exported.eventsLost(); lost != 1 {
		t.Errorf("%d events were lost, want 1", lost)
	}
}

// TestTheProgramExportsWhatItDoes runs the command with a policy that names a collector.
func TestTheProgramExportsWhatItDoes(t *testing.T) {
	ring, err := keyring.New(keyring.ES256, time.Now())
	must(t, err)
	collected := newCollector(t)
	parents := make(chan string, 1)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parents <- r.Header.Get("Traceparent")
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	}))
	t.Cleanup(upstream.Close)
	p, err := policy.Decode(encodedPolicy(t, upstream.URL, "", encode(t, ring.JWKS()), "list_*"))
	must(t, err)
	p.Telemetry = policy.Telemetry{Endpoint: collected.URL, TracePercent: 100}
	data, err := p.Encode()
	must(t, err)
	program := start(t, data)
	program.wantCall(signed(t, ring), "list_tasks", http.StatusOK)
	if parent := <-parents; !strings.HasPrefix(parent, "00-") {
		t.Errorf("the MCP server hears of the trace %q", parent)
	}
	program.eventually("the event and the span to arrive", func() bool {
		return collected.got("/v1/logs", "list_tasks") && collected.got("/v1/traces", "mcp tools/call")
	})
}
