package sidecar

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/policy"
)

func TestOrigin(t *testing.T) {
	tests := []struct {
		name    string
		allowed []string
		origins []string
		want    int
	}{
		{"none: not a browser", nil, nil, 200},
		{"the resource's own", nil, []string{"https://mcp.example.com"}, 200},
		{"one that the policy names", []string{"http://localhost:6274"}, []string{"http://localhost:6274"}, 200},
		{"any, where the policy says so", []string{"*"}, []string{"https://evil.example"}, 200},
		{"another", nil, []string{"https://evil.example"}, 403},
		{"another port", nil, []string{"https://mcp.example.com:8443"}, 403},
		{"another scheme", nil, []string{"http://mcp.example.com"}, 403},
		{"a suffix", nil, []string{"https://mcp.example.com.evil.example"}, 403},
		{"null", nil, []string{"null"}, 403},
		{"an empty one", nil, []string{""}, 403},
		{"two, of which one is allowed", nil, []string{"https://mcp.example.com", "https://evil.example"}, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := protect(t, func(p *policy.Policy) { p.AllowedOrigins = tt.allowed })
			got := b.post(t, token(t, "todo:read"), call("list_tasks"), func(r *http.Request) {
				r.Header["Origin"] = tt.origins
			})
			wantStatus(t, got, tt.want)
			granted := got.Header.Get("Access-Control-Allow-Origin")
			switch {
			case tt.want != 200:
				b.untouched(t)
				if granted != "" {
					t.Errorf("a refused page may read the answer: %q", granted)
				}
			case len(tt.origins) == 1 && granted != tt.origins[0]:
				t.Errorf("Access-Control-Allow-Origin = %q, want the page's origin", granted)
			}
		})
	}
}

func TestPreflightIsAnsweredWithoutAToken(t *testing.T) {
	b := protect(t)
	got := b.do(t, http.MethodOptions, testPath, "",
		header("Origin", "https://mcp.example.com"),
		header("Access-Control-Request-Method", "POST"),
		header("Access-Control-Request-Headers", "authorization, content-type, mcp-method, mcp-param-x, x-other, mcp_odd"))
	wantStatus(t, got, http.StatusNoContent)
	allowed := got.Header.Get("Access-Control-Allow-Headers")
	for _, name := range []string{"authorization", "dpop", "content-type", "last-event-id", "mcp-session-id", "mcp-method", "mcp-param-x"} {
		if !strings.Contains(allowed, name) {
			t.Errorf("the page may not send %s: %s", name, allowed)
		}
	}
	for _, name := range []string{"x-other", "mcp_odd"} {
		if strings.Contains(allowed, name) {
			t.Errorf("the page may send %s: %s", name, allowed)
		}
	}
	if methods := got.Header.Get("Access-Control-Allow-Methods"); !strings.Contains(methods, "DELETE") {
		t.Errorf("Access-Control-Allow-Methods = %q", methods)
	}
	b.untouched(t)
	if b.audits.String() != "" {
		t.Errorf("a preflight is no call, but the audit says %s", b.audits)
	}
}

func TestChallengesAreReadableByPages(t *testing.T) {
	b := protect(t)
	got := b.post(t, "", call("list_tasks"), header("Origin", "https://mcp.example.com"))
	wantStatus(t, got, http.StatusUnauthorized)
	if exposed := got.Header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "WWW-Authenticate") {
		t.Errorf("Access-Control-Expose-Headers = %q", exposed)
	}
}

func TestUpstreamHasNoSayInCORS(t *testing.T) {
	b := protect(t)
	b.handler = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Mcp-Session-Id", "s1")
	}
	got := b.post(t, token(t, "todo:read"), call("list_tasks"), header("Origin", "https://mcp.example.com"))
	if origins := got.Header.Values("Access-Control-Allow-Origin"); len(origins) != 1 || origins[0] != "https://mcp.example.com" {
		t.Errorf("Access-Control-Allow-Origin = %q", origins)
	}
	if got.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Error("the upstream's Access-Control-Allow-Credentials came through")
	}
	if got.Header.Get("Mcp-Session-Id") != "s1" {
		t.Error("the upstream's session id did not come through")
	}
}
