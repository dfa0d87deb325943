package sidecar

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/policy"
)

var update = flag.Bool("update", false, "write the golden files")

// TestChallenges compares status, WWW-Authenticate and body with
// testdata/challenges.
func TestChallenges(t *testing.T) {
	read := func(t *testing.T) string { return token(t, "todo:read") }
	noDefault := func(p *policy.Policy) { p.Scopes[0].Default = false }
	tests := []struct {
		name   string
		bearer func(t *testing.T) string
		body   string
		policy func(*policy.Policy)
		header func(*http.Request)
	}{
		{name: "no-token", body: call("list_tasks")},
		{name: "no-token-no-default-scope", body: call("list_tasks"), policy: noDefault},
		{name: "no-token-no-scopes-at-all", body: call("list_tasks"), policy: func(p *policy.Policy) { p.Scopes = nil }},
		{name: "basic-credentials", body: call("list_tasks"), header: header("Authorization", "Basic YTpi")},
		{name: "empty-token", body: call("list_tasks"), header: header("Authorization", "Bearer ")},
		{name: "two-tokens-in-one-header", body: call("list_tasks"), header: header("Authorization", "Bearer a, Bearer b")},
		{name: "garbage-token", body: call("list_tasks"), bearer: func(*testing.T) string { return "undefined" }},
		{name: "expired-token", body: call("list_tasks"), bearer: func(t *testing.T) string {
			return token(t, "todo:read", func(c *accesstoken.Claims) {
				c.IssuedAt, c.Expiry = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
			})
		}},
		{name: "token-of-another-resource", body: call("list_tasks"), bearer: func(t *testing.T) string {
			return token(t, "todo:read", func(c *accesstoken.Claims) { c.Audience = []string{"https://other.example/mcp"} })
		}},
		{name: "no-token-where-keys-are-demanded", body: call("list_tasks"), policy: demandKeys},
		{name: "unbound-token-where-keys-are-demanded", body: call("list_tasks"), bearer: read, policy: demandKeys},
		{name: "bound-token-as-bearer", body: call("list_tasks"), bearer: func(t *testing.T) string {
			return token(t, "todo:read", boundTo(t, holder()))
		}},
		{name: "insufficient-scope", bearer: read, body: call("create_task")},
		{name: "insufficient-scope-for-two-of-three", bearer: read,
			body: "[" + call("create_task") + "," + call("list_tasks") + "," + call("purge") + "," + call("delete_task") + "]"},
		{name: "no-scope-opens-it", bearer: read, body: call("unheard_of")},
		{name: "malformed-body", bearer: read, body: `{"method":`},
		{name: "duplicate-key", bearer: read, body: `{"id":1,"method":"ping","method":"tools/call"}`},
		{name: "header-mismatch", bearer: read, body: call("list_tasks"), header: header("Mcp-Method", "ping")},
	}
	stale := goldenFiles(t)
	for _, tt := range tests {
		delete(stale, tt.name+".txt")
		t.Run(tt.name, func(t *testing.T) {
			b := protect(t)
			if tt.policy != nil {
				b = protect(t, tt.policy)
			}
			bearer := ""
			if tt.bearer != nil {
				bearer = tt.bearer(t)
			}
			if tt.header == nil {
				tt.header = func(*http.Request) {}
			}
			got := b.post(t, bearer, tt.body, tt.header)
			golden(t, tt.name+".txt", got.Status+"\n"+"WWW-Authenticate: "+strings.Join(got.Header.Values("WWW-Authenticate"), "\nWWW-Authenticate: ")+"\n\n"+got.body)
			b.untouched(t)
		})
	}
	for name := range stale {
		t.Errorf("testdata/challenges/%s belongs to no case", name)
	}
}

func goldenFiles(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	entries, err := os.ReadDir(filepath.Join("testdata", "challenges"))
	if err != nil && !*update {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names[entry.Name()] = true
	}
	return names
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "challenges", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestUnknownKeysOfAnUnreachableIssuerAre503(t *testing.T) {
	live := &Live{Transport: brokenTransport{}}
	p := todoPolicy()
	p.Upstream.URL = "http://127.0.0.1:1/mcp"
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := live.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, p)
	b.sidecar.options.Keys = live
	got := b.post(t, token(t, "todo:read"), call("list_tasks"))
	wantStatus(t, got, http.StatusServiceUnavailable)
	if got.Header.Get("Retry-After") == "" || !strings.Contains(got.body, "temporarily_unavailable") {
		t.Errorf("answer: %v %s", got.Header, got.body)
	}
}

func TestNoPolicyIs503(t *testing.T) {
	b := protect(t)
	b.sidecar.options.Policy = func() *policy.Policy { return nil }
	wantStatus(t, b.post(t, token(t, "todo:read"), call("list_tasks")), http.StatusServiceUnavailable)
	wantStatus(t, b.do(t, http.MethodGet, "/.well-known/oauth-protected-resource"+testPath, ""), http.StatusServiceUnavailable)
	b.untouched(t)
}
