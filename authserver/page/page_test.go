package page_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/authserver/page"
)

// each writes every page with the same strange text wherever a stranger's may be.
func each(t *testing.T, strange string) map[string]*httptest.ResponseRecorder {
	t.Helper()
	renderer, err := page.New()
	if err != nil {
		t.Fatal(err)
	}
	app, resource := page.Client{Name: strange}, page.Resource{Name: strange, URL: strange}
	providers := []page.Provider{{Name: strange, Label: strange}, {Name: "b", Label: "B"}}
	consent := page.Consent{
		Site: strange, Client: app, Resource: resource, Action: "/oauth/consent", Request: strange, RedirectHost: strange,
		Scopes: []page.Scope{{Name: strange, Description: strange}}, Account: strange, SwitchURL: "/switch", Loopback: true,
	}
	refused, upstream := consent, consent
	refused.Refused, upstream.Account, upstream.Upstream = true, "", strange
	pages := map[string]func(http.ResponseWriter) error{
		"sign-in": func(w http.ResponseWriter) error {
			return renderer.SignIn(w, http.StatusOK, page.SignIn{
				Site: strange, Client: app, Resource: resource, Action: "/oauth/signin", Request: strange,
				Password: providers, Upstream: providers, Username: strange, Error: strange,
			})
		},
		"consent":          func(w http.ResponseWriter) error { return renderer.Consent(w, consent) },
		"refused consent":  func(w http.ResponseWriter) error { return renderer.Consent(w, refused) },
		"upstream consent": func(w http.ResponseWriter) error { return renderer.Consent(w, upstream) },
		"failure": func(w http.ResponseWriter) error {
			return renderer.Failure(w, http.StatusBadRequest, page.Failure{Site: strange, Title: strange, Message: strange, Advice: strange, Code: strange})
		},
	}
	written := make(map[string]*httptest.ResponseRecorder)
	for name, write := range pages {
		w := httptest.NewRecorder()
		if err := write(w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		written[name] = w
	}
	return written
}

func TestNothingThatIsPutInBecomesMarkup(t *testing.T) {
	for name, w := range each(t, `"'><script>alert(1)</script><style>*{}</style>&lt;`) {
		body := w.Body.String()
		if strings.Contains(body, "<script") || strings.Count(body, "<style") != 1 {
			t.Errorf("%s: markup got through:\n%s", name, body)
		}
	}
}

func TestEveryPageForbidsAllButItsOwnStyle(t *testing.T) {
	for name, w := range each(t, "x") {
		_, rest, _ := strings.Cut(w.Body.String(), "<style>")
		style, _, _ := strings.Cut(rest, "</style>")
		sum := sha256.Sum256([]byte(style))
		policy := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", "frame-ancestors 'none'", "base-uri 'none'",
		} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: Content-Security-Policy %q lacks %q", name, policy, want)
			}
		}
		for header, want := range map[string]string{
			"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "X-Frame-Options": "DENY",
		} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s: got %q, want %q", name, header, got, want)
			}
		}
	}
}

func TestEveryInputThatPeopleFillInHasItsLabel(t *testing.T) {
	body := each(t, "x")["sign-in"].Body.String()
	for _, id := range []string{"username-0", "password-0", "username-1", "password-1"} {
		if !strings.Contains(body, `<label for="`+id+`">`) || !strings.Contains(body, `id="`+id+`"`) {
			t.Errorf("input %s and its label do not belong together", id)
		}
	}
	for _, want := range []string{`autocomplete="username"`, `autocomplete="current-password"`, `role="alert"`, ` lang="en"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if got := strings.Count(body, " autofocus"); got != 1 {
		t.Errorf("autofocus: got %d times, want once", got)
	}
}
