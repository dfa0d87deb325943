package sidecar

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
)

func identityOf(r *http.Request) map[string][]string {
	found := map[string][]string{}
	for name, values := range r.Header {
		if strings.Contains(strings.ToLower(name), "auth") {
			found[name] = values
		}
	}
	return found
}

func TestServerLearnsWhoCalls(t *testing.T) {
	b := protect(t)
	wantStatus(t, b.post(t, token(t, "todo:read todo:write"), call("list_tasks")), 200)
	r, _ := b.last(t)
	want := map[string][]string{
		"X-Mcp-Auth-Subject":      {"alice"},
		"X-Mcp-Auth-Email":        {"alice@example.com"},
		"X-Mcp-Auth-Client":       {"agent"},
		"X-Mcp-Auth-Scope":        {"todo:read todo:write"},
		"X-Mcp-Auth-Organization": {"example"},
	}
	if diff := cmp.Diff(want, identityOf(r)); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
}

func TestClaimsThatTheTokenLacksAreAbsentHeaders(t *testing.T) {
	b := protect(t)
	machine := token(t, "", func(c *accesstoken.Claims) { c.Subject, c.Email, c.Organization = "agent", "", "" })
	got := b.post(t, machine, `{"id":1,"method":"tools/list"}`,
		header("X-Mcp-Auth-Email", "boss@example.com"), header("X-Mcp-Auth-Scope", "todo:admin"))
	wantStatus(t, got, 200)
	r, _ := b.last(t)
	want := map[string][]string{"X-Mcp-Auth-Subject": {"agent"}, "X-Mcp-Auth-Client": {"agent"}}
	if diff := cmp.Diff(want, identityOf(r)); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
}

func TestClaimsThatAHeaderWouldChangeAreRefused(t *testing.T) {
	for name, subject := range map[string]string{
		"a line end":     "alice\r\nX-Mcp-Auth-Scope: todo:admin",
		"a null":         "alice\x00",
		"leading space":  " alice",
		"trailing space": "alice ",
		"a tab":          "al\tice",
	} {
		t.Run(name, func(t *testing.T) {
			b := protect(t)
			got := b.post(t, token(t, "todo:read", func(c *accesstoken.Claims) { c.Subject = subject }), call("list_tasks"))
			wantStatus(t, got, http.StatusUnauthorized)
			b.untouched(t)
		})
	}
}

func TestForwardedHeadersAreOurs(t *testing.T) {
	b := protect(t)
	got := b.post(t, token(t, "todo:read"), call("list_tasks"), func(r *http.Request) {
		r.Host = "evil.example"
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-User", "Forwarded", "X-Real-Ip"} {
			r.Header.Set(name, "evil.example")
		}
	})
	wantStatus(t, got, 200)
	r, _ := b.last(t)
	want := map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "mcp.example.com", "X-Forwarded-Proto": "https",
		"X-Forwarded-User": "", "Forwarded": "", "X-Real-Ip": "",
	}
	for name, value := range want {
		if r.Header.Get(name) != value {
			t.Errorf("%s = %q, want %q", name, r.Header.Values(name), value)
		}
	}
	if !strings.HasPrefix(r.Host, "127.0.0.1:") {
		t.Errorf("Host = %q, want the upstream's own", r.Host)
	}
}

func FuzzHeaderNamesOfOursNeverPass(f *testing.F) {
	for _, seed := range []string{"X-Mcp-Auth-Subject", "x_mcp_auth_subject", "X-MCP_AUTH-SUBJECT", "authorization", "DPoP", "Mcp-Session-Id"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		// How a CGI-like server names the header in its environment.
		seen := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' {
				return r - 'a' + 'A'
			}
			if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
				return r
			}
			return '_'
		}, name)
		ours := seen == "AUTHORIZATION" || seen == "DPOP" || strings.HasPrefix(seen, "X_MCP_AUTH_") || strings.HasPrefix(seen, "X_FORWARDED_")
		if ours && passes(name) {
			t.Errorf("%q passes, and is read as %s", name, seen)
		}
	})
}
