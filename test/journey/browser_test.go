package journey_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/test/journey"
)

const (
	redirectURI = "http://127.0.0.1:9/callback"
	signInForm  = `<form method="post" action="/sign-in"><input name="username"><input type="password" name="password">
		<input type="hidden" name="csrf" value="c1"><button>Go</button></form>`
	consentForm = `<form method="post" action="/consent"><input type="hidden" name="csrf" value="c2">
		<input type="checkbox" name="scope" value="todo:read" checked><input type="checkbox" name="scope" value="todo:write" checked>
		<button name="decision" value="approve">Yes</button><button name="decision" value="deny">No</button></form>`
)

// site is a sign-in and a consent page; a test changes what it deviates in.
type site struct {
	header        map[string]string
	signIn        string
	consent       string
	afterStatus   int
	origin        string
	cookieMissing bool
	submitted     url.Values
}

func newSite(change func(*site)) *site {
	s := &site{signIn: signInForm, consent: consentForm, afterStatus: http.StatusSeeOther}
	if change != nil {
		change(s)
	}
	return s
}

func (s *site) start(t *testing.T) (authorizeURL string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", s.page(func() string { return s.signIn }))
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "__Host-s", Value: "1", Path: "/", Secure: true})
		http.Redirect(w, r, "/agree", s.afterStatus)
	})
	mux.HandleFunc("GET /agree", s.page(func() string { return s.consent }))
	mux.HandleFunc("POST /consent", func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("__Host-s")
		s.cookieMissing, s.origin = err != nil, r.Header.Get("Origin")
		_ = r.ParseForm()
		s.submitted = r.PostForm
		http.Redirect(w, r, redirectURI+"?code=abc&state=xyz", http.StatusFound)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/authorize?redirect_uri=" + url.QueryEscape(redirectURI)
}

func (s *site) page(body func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for name, value := range s.header {
			w.Header().Set(name, value)
		}
		_, _ = w.Write([]byte(body()))
	}
}

func TestABrowserSubmitsWhatThePageHoldsAndTheUserChose(t *testing.T) {
	tests := []struct {
		name    string
		browser journey.Browser
		want    url.Values
	}{
		{"approve", journey.Browser{}, url.Values{"csrf": {"c2"}, "decision": {"approve"}, "scope": {"todo:read", "todo:write"}}},
		{"deny", journey.Browser{Deny: true}, url.Values{"csrf": {"c2"}, "decision": {"deny"}, "scope": {"todo:read", "todo:write"}}},
		{"approve less", journey.Browser{Scopes: []string{"todo:read"}}, url.Values{"csrf": {"c2"}, "decision": {"approve"}, "scope": {"todo:read"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(nil)
			test.browser.Username, test.browser.Password = "alice", "secret"
			callback, err := test.browser.SignInAndConsent(t.Context(), s.start(t))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := callback.String(), redirectURI+"?code=abc&state=xyz"; got != want {
				t.Errorf("redirected to %s, want %s", got, want)
			}
			if diff := cmp.Diff(test.want, s.submitted); diff != "" {
				t.Errorf("submitted (-want +got):\n%s", diff)
			}
			if s.cookieMissing {
				t.Error("a Secure cookie did not come back to a loopback host")
			}
			if !strings.HasPrefix(s.origin, "http://127.0.0.1:") {
				t.Errorf("Origin: %q, want that of the page", s.origin)
			}
		})
	}
}

func TestABrowserHidesItsOriginWhereThePageAsksForNoReferrer(t *testing.T) {
	s := newSite(func(s *site) { s.header = map[string]string{"Referrer-Policy": "no-referrer"} })
	if _, err := new(journey.Browser).SignInAndConsent(t.Context(), s.start(t)); err != nil {
		t.Fatal(err)
	}
	if s.origin != "null" {
		t.Errorf("Origin: %q, want null", s.origin)
	}
}

func TestABrowserStopsWherePeopleWouldBeStuck(t *testing.T) {
	policy := func(p string) func(*site) {
		return func(s *site) { s.header = map[string]string{"Content-Security-Policy": p} }
	}
	tests := []struct {
		name    string
		change  func(*site)
		browser journey.Browser
		want    string
	}{
		{"a form-action that excludes the redirect", policy("default-src 'none'; form-action 'self'"), journey.Browser{}, "form-action"},
		{"a 307 after the password", func(s *site) { s.afterStatus = http.StatusTemporaryRedirect }, journey.Browser{}, "307"},
		{"a form sent by GET", func(s *site) { s.signIn = strings.Replace(signInForm, "post", "get", 1) }, journey.Browser{}, "only POST"},
		{"a page without a form", func(s *site) { s.signIn = "<h1>Come back later</h1>" }, journey.Browser{}, "Come back later"},
		{"a consent page without refusal", func(s *site) { s.consent = strings.Replace(consentForm, "deny", "no", 1) }, journey.Browser{Deny: true}, "decision=deny"},
		{"a choice that is not offered", nil, journey.Browser{Scopes: []string{"admin"}}, `"admin"`},
		{"an answer that is no page", func(s *site) { s.header = map[string]string{"Content-Type": "application/json"} }, journey.Browser{}, "application/json"},
		{"sign-in for ever", func(s *site) { s.consent = signInForm }, journey.Browser{}, journey.ErrSignInRefused.Error()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(test.change)
			_, err := test.browser.SignInAndConsent(t.Context(), s.start(t))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error about %q", err, test.want)
			}
			if test.name != "a form-action that excludes the redirect" && s.submitted != nil {
				t.Errorf("consent was submitted: %v", s.submitted)
			}
		})
	}
}

func TestAFormActionThatNamesTheRedirectLetsItThrough(t *testing.T) {
	for _, sources := range []string{"'self' http://127.0.0.1:*", "'self' http://127.0.0.1:9", "'self' http:", "*"} {
		s := newSite(func(s *site) { s.header = map[string]string{"Content-Security-Policy": "form-action " + sources} })
		if _, err := new(journey.Browser).SignInAndConsent(t.Context(), s.start(t)); err != nil {
			t.Errorf("form-action %s: %v", sources, err)
		}
	}
}

func TestABrowserKeepsItsSession(t *testing.T) {
	s := newSite(nil)
	at := s.start(t)
	var browser journey.Browser
	for range 2 {
		if _, err := browser.SignInAndConsent(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := browser.SignInAndConsent(t.Context(), "http://127.0.0.1:9/?no=redirect"); err == nil || errors.Is(err, journey.ErrSignInRefused) {
		t.Errorf("a URL without redirect_uri: %v, want an error before any request", err)
	}
}
