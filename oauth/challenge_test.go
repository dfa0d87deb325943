package oauth

import (
	"strings"
	"testing"
)

func TestChallengesReadAsRFC6750AndRFC9728Say(t *testing.T) {
	const metadata = "https://h.example/.well-known/oauth-protected-resource/mcp"
	tests := []struct {
		name      string
		challenge Challenge
		want      string
	}{
		{"the zero value", Challenge{}, `Bearer`},
		{"no token was sent", Challenge{ResourceMetadata: metadata, Scope: NewScopeSet("todo:read")},
			`Bearer resource_metadata="` + metadata + `", scope="todo:read"`},
		{"an invalid token", Challenge{Error: InvalidToken, Description: "it has expired", ResourceMetadata: metadata},
			`Bearer error="invalid_token", error_description="it has expired", resource_metadata="` + metadata + `"`},
		{"insufficient scope", Challenge{Error: InsufficientScope, Scope: NewScopeSet("a", "b"), ResourceMetadata: metadata},
			`Bearer error="insufficient_scope", resource_metadata="` + metadata + `", scope="a b"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.challenge.String(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestNoValueEndsItsQuotesOrTheHeader(t *testing.T) {
	got := Challenge{
		Error:            `x", error="y`,
		Description:      "a\r\nSet-Cookie: b=c\\\" \x00 ä \x7f",
		ResourceMetadata: "https://h.example/\"\n",
	}.String()
	if strings.ContainsAny(got, "\r\n\x00\\\x7f") {
		t.Errorf("the header holds a control character or a backslash: %q", got)
	}
	for i := range len(got) {
		if got[i] >= 0x80 {
			t.Fatalf("the header is not ASCII: %q", got)
		}
	}
	if quotes := strings.Count(got, `"`); quotes != 6 {
		t.Errorf("the header has %d quotes, want two for each of three values: %s", quotes, got)
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add("invalid_token", "expired", "https://h.example/")
	f.Add("\"\\", "a\r\nb: c", "ä\x00")
	f.Fuzz(func(t *testing.T, code, description, metadata string) {
		got := Challenge{Error: ErrorCode(code), Description: description, ResourceMetadata: metadata}.String()
		values := 0
		for _, s := range []string{code, description, metadata} {
			if s != "" {
				values++
			}
		}
		if !strings.HasPrefix(got, "Bearer") || strings.Count(got, `"`) != 2*values || strings.ContainsAny(got, "\r\n\x00\\") {
			t.Errorf("%q", got)
		}
	})
}
