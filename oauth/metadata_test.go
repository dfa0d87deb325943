package oauth

import "testing"

func TestWellKnownURLsInsertTheirSuffixBeforeThePath(t *testing.T) {
	tests := []struct{ base, suffix, want string }{
		{"https://h.example/public/mcp", WellKnownResource, "https://h.example/.well-known/oauth-protected-resource/public/mcp"},
		{"https://h.example/public/mcp/", WellKnownResource, "https://h.example/.well-known/oauth-protected-resource/public/mcp"},
		{"https://h.example", WellKnownResource, "https://h.example/.well-known/oauth-protected-resource"},
		{"https://h.example/", WellKnownServer, "https://h.example/.well-known/oauth-authorization-server"},
		{"http://127.0.0.1:9400/resources/apps-todo", WellKnownServer, "http://127.0.0.1:9400/.well-known/oauth-authorization-server/resources/apps-todo"},
		{"https://h.example/resources/x", WellKnownOpenID, "https://h.example/.well-known/openid-configuration/resources/x"},
		{"https://h.example/a%20b", WellKnownResource, "https://h.example/.well-known/oauth-protected-resource/a%20b"},
		{"not a URL", WellKnownServer, ""},
		{"%zz", WellKnownServer, ""},
		{"", WellKnownServer, ""},
	}
	for _, tt := range tests {
		if got := WellKnownURL(tt.base, tt.suffix); got != tt.want {
			t.Errorf("WellKnownURL(%q, %q) = %q, want %q", tt.base, tt.suffix, got, tt.want)
		}
	}
}

func TestAResourcesIssuerHasOneSlashWhateverTheIssuersEnd(t *testing.T) {
	for _, issuer := range []string{"https://auth.example", "https://auth.example/"} {
		if got, want := ResourceIssuer(issuer, "apps-todo"), "https://auth.example/resources/apps-todo"; got != want {
			t.Errorf("ResourceIssuer(%q) = %q, want %q", issuer, got, want)
		}
	}
}
