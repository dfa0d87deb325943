package sidecar

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/oauth/jwks"
	"github.com/mcpauth/mcpauth/policy"
)

// discarded is a client that reads everything and keeps nothing.
type discarded struct{ header http.Header }

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) Write(p []byte) (int, error) { return len(p), nil }
func (d *discarded) WriteHeader(int)             {}
func (d *discarded) Flush()                      {}

// BenchmarkCall is one allowed call with a token that was seen before, everything on, to a
// real server on loopback; net/http's part on the client's side is left out.
func BenchmarkCall(b *testing.B) {
	const result = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}]}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, result)
	}))
	defer server.Close()
	p := todoPolicy()
	p.Upstream.URL, p.FilterLists = server.URL+"/mcp", true
	if err := p.Prepare(); err != nil {
		b.Fatal(err)
	}
	t := &testing.T{}
	keys, err := jwks.Parse(encodeJSON(t, ring().JWKS()))
	if err != nil {
		b.Fatal(err)
	}
	events := audit.NewQueue(audit.NewLines(io.Discard), audit.QueueOptions{})
	s := New(Options{
		Policy: func() *policy.Policy { return p }, Keys: keys, Audit: audit.Log{Sink: events},
		Metrics: NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler),
	})
	bearer, body := "Bearer "+token(t, "todo:read"), call("get_task")
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		r := httptest.NewRequest(http.MethodPost, testPath, strings.NewReader(body))
		r.Header = http.Header{
			"Authorization": {bearer}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
			"User-Agent": {"bench"}, "Mcp-Protocol-Version": {"2025-11-25"},
		}
		s.ServeHTTP(&discarded{http.Header{}}, r)
	}
}
