package oauth

import (
	"strings"
	"testing"
)

// refused asserts that none of the URIs can be registered, nor be matched even
// where somebody had registered it.
func refused(t *testing.T, uris ...string) {
	t.Helper()
	for _, uri := range uris {
		if ValidRedirectURI(uri) == nil {
			t.Errorf("ValidRedirectURI(%q) accepts it", uri)
		}
		if MatchRedirectURI(uri, uri) {
			t.Errorf("MatchRedirectURI(%q) matches itself", uri)
		}
	}
}

func TestRedirectURIsThatRealClientsRegisterAreValid(t *testing.T) {
	for _, uri := range []string{
		"https://claude.ai/api/mcp/auth_callback",
		"https://chatgpt.com/connector_platform_oauth_redirect",
		"https://vscode.dev/redirect",
		"https://example.com/cb?tenant=a&next=%2Fhome",
		"https://example.com:8443/cb",
		"http://127.0.0.1:33418/",
		"http://127.0.0.1/callback",
		"http://localhost/callback",
		"http://localhost:6276/oauth/callback",
		"http://[::1]:8080/callback",
		"http://127.8.9.1:80/callback",
		"cursor://anysphere.cursor-mcp/oauth/callback",
		"com.example.app:/oauth2redirect",
		"com.example.app:oauth2redirect",
		"https://example.com/a@b",
		"https://example.com/a..b/...",
	} {
		if err := ValidRedirectURI(uri); err != nil {
			t.Errorf("ValidRedirectURI(%q): %v", uri, err)
		}
		if !MatchRedirectURI(uri, uri) {
			t.Errorf("MatchRedirectURI(%q) does not match itself", uri)
		}
	}
}

func TestRedirectURIsThatLeadNowhereAreRefused(t *testing.T) {
	refused(t, "", "/callback", "//example.com/cb", "example.com/cb", "https:", "https:example.com", "https:///cb",
		"https://:443/cb", "http://:80/cb", "https://example.com:80:90/cb", "https://example.com/%zz",
		"https://example.com/"+strings.Repeat("a", MaxURLLength))
}

// Keycloak CVE-2026-7504: parsers differ on which "@" ends the user information.
func TestAttack8_SeveralAtSigns(t *testing.T) {
	refused(t, "https://good.example@evil.example/cb", "https://good.example@evil.example@good.example/cb",
		"https://user:pass@good.example/cb", "https://@good.example/cb", "https://good.example%40evil.example@x/cb",
		"http://127.0.0.1@evil.example/cb", "http://127.0.0.1:80@evil.example/cb", "http://evil.example@127.0.0.1/cb",
		"myapp://user@host/cb")
}

// Keycloak CVE-2026-3872.
func TestAttack9_PathTricks(t *testing.T) {
	refused(t, "https://good.example/cb/../evil", "https://good.example/cb/..", "https://good.example/./cb",
		"https://good.example/cb/..;/evil", "https://good.example/cb/..;a=b/evil", "https://good.example/cb/%2e%2e/evil",
		"https://good.example/cb/%2E%2e/evil", "https://good.example/cb/.%2e/evil", "https://good.example/cb/..%2fevil",
		"https://good.example/cb%2f..%2fevil", "https://good.example/cb/..%5cevil", "https://good.example/cb%5c..%5cevil",
		`https://good.example\@evil.example/cb`, `https://evil.example\.good.example/cb`, `https:\\evil.example/cb`,
		`https://good.example/cb/..\evil`)
}

// Keycloak CVE-2026-9086.
func TestAttack10_SchemesThatABrowserExecutes(t *testing.T) {
	refused(t, "javascript:alert(1)", "JavaScript:alert(1)", "JAVASCRIPT://example.com/%0aalert(1)", "data:text/html,x",
		"DATA:text/html;base64,eA==", "Data:,x", "file:///etc/passwd", "FILE://host/share", "vbscript:x", "VBScript:x",
		"blob:https://example.com/1", "about:blank", "filesystem:https://example.com/x", "view-source:https://example.com",
		"java\nscript:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)", "javascript\x00:alert(1)")
}

// fosite GHSA-rfq3-w54c-f9q5.
func TestAttack11_LoopbackLookalikes(t *testing.T) {
	lookalikes := []string{
		"http://127.0.0.1.evil.example/cb", "http://localhost.evil.example/cb", "http://localhost./cb",
		"http://evil-localhost/cb", "http://127.0.0.1.nip.io/cb", "http://[::ffff:127.0.0.1]/cb", "http://[::ffff:7f00:1]/cb",
		"http://[127.0.0.1]/cb", "http://[::1%25lo]/cb", "http://[0:0:0:0:0:0:0:2]/cb", "http://0.0.0.0/cb", "http://[::]/cb",
		"http://127.1/cb", "http://2130706433/cb", "http://0x7f.0.0.1/cb", "http://0177.0.0.1/cb", "http://127.0.0.01/cb",
		"http://128.0.0.1/cb", "http://10.0.0.1/cb", "http://good.example/cb", "http://%6cocalhost/cb",
	}
	refused(t, lookalikes...)
	for _, uri := range lookalikes {
		for _, registered := range []string{"http://127.0.0.1/cb", "http://localhost/cb", "http://[::1]/cb"} {
			if MatchRedirectURI(registered, uri) {
				t.Errorf("MatchRedirectURI(%q, %q) matches", registered, uri)
			}
		}
		if IsLoopbackRedirect(uri) {
			t.Errorf("IsLoopbackRedirect(%q) says yes", uri)
		}
	}
}

func TestAttack12_FragmentsAndSuffixes(t *testing.T) {
	refused(t, "https://good.example/cb#", "https://good.example/cb#x", "http://127.0.0.1/cb#x", "myapp:/cb#x")
	const registered = "https://good.example/cb"
	for _, uri := range []string{
		registered + "?x=1", registered + "?", registered + "/", registered + "/x", registered + ";x", registered + "%2f",
		registered + "2", registered + "#x", registered + " ", "https://good.example/CB", "https://good.example:443/cb",
		"https://GOOD.example/cb", "HTTPS://good.example/cb", "http://good.example/cb", "https://good.example.evil.example/cb",
		"https://good.example//cb", "https://good.example/%63b", "",
	} {
		if MatchRedirectURI(registered, uri) {
			t.Errorf("MatchRedirectURI(%q, %q) matches", registered, uri)
		}
	}
}

func TestOnlyThePortOfAnHTTPLoopbackRedirectIsFree(t *testing.T) {
	tests := []struct {
		name, registered, requested string
		want                        bool
	}{
		{"no port registered", "http://127.0.0.1/callback", "http://127.0.0.1:49152/callback", true},
		{"another port registered", "http://127.0.0.1:8765/callback", "http://127.0.0.1:49152/callback", true},
		{"no port requested", "http://127.0.0.1:8765/callback", "http://127.0.0.1/callback", true},
		{"localhost by name", "http://localhost/callback", "http://localhost:49152/callback", true},
		{"IPv6", "http://[::1]/callback", "http://[::1]:49152/callback", true},
		{"the host again in the query", "http://127.0.0.1:80/cb?u=127.0.0.1:80", "http://127.0.0.1:90/cb?u=127.0.0.1:80", true},
		{"a port in the query is not free", "http://127.0.0.1:80/cb?u=127.0.0.1:80", "http://127.0.0.1:90/cb?u=127.0.0.1:90", false},
		{"localhost is not 127.0.0.1", "http://localhost/callback", "http://127.0.0.1:49152/callback", false},
		{"127.0.0.1 is not localhost", "http://127.0.0.1/callback", "http://localhost:49152/callback", false},
		{"127.0.0.1 is not 127.0.0.2", "http://127.0.0.1/callback", "http://127.0.0.2/callback", false},
		{"IPv4 is not IPv6", "http://127.0.0.1/callback", "http://[::1]/callback", false},
		{"another path", "http://127.0.0.1/callback", "http://127.0.0.1:49152/callback/x", false},
		{"another query", "http://127.0.0.1/callback", "http://127.0.0.1:49152/callback?x=1", false},
		{"a fragment", "http://127.0.0.1/callback", "http://127.0.0.1:49152/callback#x", false},
		{"user information", "http://127.0.0.1/callback", "http://127.0.0.1:49152@evil.example/callback", false},
		{"https keeps its port", "https://localhost/callback", "https://localhost:49152/callback", false},
		{"https for http", "http://localhost/callback", "https://localhost/callback", false},
		{"another host keeps its port", "https://good.example/cb", "https://good.example:8443/cb", false},
		{"an empty port", "http://127.0.0.1/callback", "http://127.0.0.1:/callback", false},
		{"a private-use scheme", "myapp://127.0.0.1/cb", "myapp://127.0.0.1:80/cb", false},
		{"dot segments", "http://127.0.0.1/callback", "http://127.0.0.1:49152/x/../callback", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := MatchRedirectURI(tt.registered, tt.requested); got != tt.want {
				t.Errorf("MatchRedirectURI(%q, %q) = %v, want %v", tt.registered, tt.requested, got, tt.want)
			}
		})
	}
}

func TestAConsentPageShowsWhereARedirectLeads(t *testing.T) {
	for uri, want := range map[string]string{
		"https://claude.ai/api/mcp/auth_callback":      "claude.ai",
		"http://127.0.0.1:8765/callback":               "127.0.0.1:8765",
		"cursor://anysphere.cursor-mcp/oauth/callback": "cursor:",
		"com.example.app:/cb":                          "com.example.app:",
		"%zz":                                          "",
	} {
		if got := RedirectHost(uri); got != want {
			t.Errorf("RedirectHost(%q) = %q, want %q", uri, got, want)
		}
	}
	for uri, want := range map[string]bool{
		"http://127.0.0.1:8765/cb": true, "http://localhost/cb": true, "http://[::1]/cb": true,
		"https://localhost/cb": false, "https://claude.ai/cb": false, "cursor://localhost/cb": false, "": false,
	} {
		if got := IsLoopbackRedirect(uri); got != want {
			t.Errorf("IsLoopbackRedirect(%q) = %v, want %v", uri, got, want)
		}
	}
}

func FuzzRedirectURI(f *testing.F) {
	for _, seed := range [][2]string{
		{"https://good.example/cb", "https://good.example/cb"},
		{"http://127.0.0.1/callback", "http://127.0.0.1:49152/callback"},
		{"http://localhost:80/callback?a=b", "http://localhost/callback?a=b"},
		{"http://[::1]/cb", "http://[::1]:1/cb"},
		{"cursor://anysphere.cursor-mcp/oauth/callback", "cursor://anysphere.cursor-mcp/oauth/callback"},
		{"https://a@b@c/", "https://c/"},
		{"http://127.0.0.1/..;/", "JavaScript:alert(1)"},
		{"http://127.0.0.1:/cb", "http://[::ffff:127.0.0.1]/cb"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, registered, requested string) {
		if !MatchRedirectURI(registered, requested) {
			return
		}
		// Whatever matches can be sent to, says where it leads, and differs from what
		// was registered in a loopback port only.
		if err := ValidRedirectURI(requested); err != nil {
			t.Errorf("%q matches %q and is not valid: %v", requested, registered, err)
		}
		if RedirectHost(requested) == "" {
			t.Errorf("%q matches and has no host to show", requested)
		}
		if strings.ContainsAny(requested, "\r\n\\# ") {
			t.Errorf("%q matches and can end a header or a host", requested)
		}
		if registered != requested && (!IsLoopbackRedirect(requested) || !IsLoopbackRedirect(registered)) {
			t.Errorf("%q matches %q, which is not on loopback", requested, registered)
		}
	})
}
