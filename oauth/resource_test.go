package oauth

import (
	"strings"
	"testing"
)

func TestResourcesAreTheSameWhereOnlyTheAuthoritysSpellingDiffers(t *testing.T) {
	tests := []struct {
		name, a, b string
		want       bool
	}{
		{"themselves", "https://h.example/mcp", "https://h.example/mcp", true},
		{"an empty path is a slash", "https://h.example", "https://h.example/", true},
		{"an empty path before a query", "https://h.example?a=b", "https://h.example/?a=b", true},
		{"scheme and host in upper case", "HTTPS://H.Example/mcp", "https://h.example/mcp", true},
		{"a trailing slash behind a path", "https://h.example/mcp", "https://h.example/mcp/", false},
		{"the path in upper case", "https://h.example/MCP", "https://h.example/mcp", false},
		{"a default port", "https://h.example:443/mcp", "https://h.example/mcp", false},
		{"another port", "https://h.example:8443/mcp", "https://h.example:9443/mcp", false},
		{"percent-encoding", "https://h.example/%6dcp", "https://h.example/mcp", false},
		{"its digits in another case", "https://h.example/a%2fb", "https://h.example/a%2Fb", false},
		{"dot segments", "https://h.example/a/../mcp", "https://h.example/mcp", false},
		{"http for https", "http://h.example/mcp", "https://h.example/mcp", false},
		{"a query", "https://h.example/mcp?a", "https://h.example/mcp", false},
		{"another host", "https://h.example.evil/mcp", "https://h.example/mcp", false},
		{"an invalid one and itself", "mcp", "mcp", false},
		{"nothing and nothing", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, errA := ParseResource(tt.a)
			b, errB := ParseResource(tt.b)
			if same := errA == nil && errB == nil && a == b; same != tt.want {
				t.Errorf("%q and %q have the same key: %v, want %v", tt.a, tt.b, same, tt.want)
			}
		})
	}
}

func TestWhatIsNoResourceIndicatorIsRefused(t *testing.T) {
	for _, raw := range []string{
		"", "mcp", "/mcp", "//h.example/mcp", "ftp://h.example/", "urn:example:mcp", "https:", "https:///mcp", "https://:443/mcp",
		"https://h.example/mcp#", "https://h.example/mcp#x", "https://user@h.example/", "https://user:pass@h.example/",
		"https://@h.example/", "https://h.example\n/", "https://%C3%A4.example/", "https://h.example/" + strings.Repeat("a", MaxURLLength),
	} {
		if key, err := ParseResource(raw); err == nil {
			t.Errorf("ParseResource(%q) = %q, want an error", raw, key)
		}
	}
}

func TestServiceURLsAreWhatEveryClientSpellsAlike(t *testing.T) {
	for _, raw := range []string{
		"https://h.example", "https://h.example/", "https://h.example/public/mcp", "https://h.example:8443/mcp",
		"http://127.0.0.1:9400", "http://localhost:9401/mcp", "http://[::1]:9401/mcp", "https://h.example/a.b/..c",
	} {
		if err := ValidServiceURL(raw); err != nil {
			t.Errorf("ValidServiceURL(%q): %v", raw, err)
		}
	}
	for name, raw := range map[string]string{
		"nothing":                 "",
		"no scheme":               "h.example/mcp",
		"another scheme":          "ws://h.example/mcp",
		"no host":                 "https:///mcp",
		"a port and no host":      "https://:8443/mcp",
		"http beyond loopback":    "http://h.example/mcp",
		"http on a look-alike":    "http://127.0.0.1.evil.example/mcp",
		"user information":        "https://user@h.example/",
		"a query":                 "https://h.example/mcp?a=b",
		"an empty query":          "https://h.example/mcp?",
		"a fragment":              "https://h.example/mcp#a",
		"a host in upper case":    "https://H.example/mcp",
		"an empty port":           "https://h.example:/mcp",
		"dot segments":            "https://h.example/a/../mcp",
		"encoded dots":            "https://h.example/a/%2e%2e/mcp",
		"an encoded slash":        "https://h.example/a%2fmcp",
		"path parameters":         "https://h.example/a;b/mcp",
		"empty segments":          "https://h.example//mcp",
		"a letter beyond ASCII":   "https://h.example/ä",
		"a space":                 "https://h.example/a b",
		"a control character":     "https://h.example/\n",
		"more than anybody types": "https://h.example/" + strings.Repeat("a", MaxURLLength),
	} {
		if ValidServiceURL(raw) == nil {
			t.Errorf("%s: ValidServiceURL(%q) accepts it", name, raw)
		}
	}
}

func FuzzResource(f *testing.F) {
	for _, seed := range []string{"https://h.example", "HTTPS://H.example/MCP?x=Y", "https://[::1]:80/", "https://%C3%A4.example", "http://[fe80::1%25eth0]/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		key, err := ParseResource(raw)
		if err != nil {
			return
		}
		again, err := ParseResource(string(key))
		if err != nil || again != key {
			t.Errorf("the key %q of %q has the key %q, %v", key, raw, again, err)
		}
	})
}
