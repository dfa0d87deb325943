package accesstoken_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/dpop"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

const metadataURL = "https://mcp.example.com/.well-known/oauth-protected-resource/public/mcp"

// guarded is a guard and what a test changes around it.
type guarded struct {
	*accesstoken.Guard
	*caching
}

func newGuarded(t testing.TB, change ...func(*accesstoken.Guard)) *guarded {
	t.Helper()
	c := newCaching(t, keyring.RS256)
	g := &accesstoken.Guard{Verifier: c.Verifier, Resource: resource, Scopes: oauth.NewScopeSet("todo:read")}
	for _, f := range change {
		f(g)
	}
	return &guarded{g, c}
}

// post is a request to the resource as it comes in behind a proxy.
func post(change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://10.0.0.7:8080/public/mcp", strings.NewReader("{}"))
	for _, f := range change {
		f(r)
	}
	return r
}

func with(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

func bearing(token string) func(*http.Request) { return with("Authorization", "Bearer "+token) }

func query(raw string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery = raw } }

// wantRefusal compares what the client is told; the challenge is in full in
// TestWhatClientsAreTold.
func wantRefusal(t *testing.T, err error, status int, code oauth.ErrorCode, says string) *accesstoken.Refusal {
	t.Helper()
	var refusal *accesstoken.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, which is no refusal", err)
	}
	if refusal.Status != status || refusal.Code != code || !strings.Contains(refusal.Description, says) {
		t.Errorf("got %d %q %q; want %d %q %q", refusal.Status, refusal.Code, refusal.Description, status, code, says)
	}
	return refusal
}

func TestAGuardPassesARequestWithItsToken(t *testing.T) {
	g := newGuarded(t)
	raw := sign(t, g.ring)
	for name, change := range map[string]func(*http.Request){
		"as RFC 6750 §2.1 has it":                     bearing(raw),
		"the scheme in lower case (RFC 9110 §11.1)":   with("Authorization", "bearer "+raw),
		"the scheme in upper case (RFC 9110 §11.1)":   with("Authorization", "BEARER "+raw),
		"several spaces (RFC 9110 §11.4)":             with("Authorization", "Bearer    "+raw),
		"a query that is about something else":        func(r *http.Request) { bearing(raw)(r); r.URL.RawQuery = "page=2" },
		"a stream":                                    func(r *http.Request) { bearing(raw)(r); r.Method = http.MethodGet },
		"a proof that nobody asked for (RFC 9449 §7)": func(r *http.Request) { bearing(raw)(r); r.Header.Set("DPoP", "x") },
	} {
		got, err := g.Authenticate(post(change))
		if err != nil || got.Token != raw || got.Claims.Subject != "people|alice" {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestWhatIsNotTheTokensFaultIs503AndComesBack(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*guarded)
		says  string
		cause error
	}{
		{"keys", func(g *guarded) { g.keys.to(unreachable{}) }, "keys are not known", accesstoken.ErrKeysUnavailable},
		{"revocations", func(g *guarded) { g.stale = errors.New("no contact to 10.1.2.3") }, "revoked is not known", accesstoken.ErrRevocationsUnavailable},
	} {
		g := newGuarded(t)
		raw := sign(t, g.ring)
		tt.spoil(g)
		_, err := g.Authenticate(post(bearing(raw)))
		refusal := wantRefusal(t, err, http.StatusServiceUnavailable, oauth.TemporarilyUnavailable, tt.says)
		if refusal.RetryAfter != 5*time.Second || len(refusal.Challenges) != 0 || !errors.Is(err, tt.cause) {
			t.Errorf("%s: %+v", tt.name, refusal)
		}
		if strings.Contains(refusal.Description, "10.1.2.3") {
			t.Errorf("%s: the client is told %q", tt.name, refusal.Description)
		}
	}
}

func TestARevokedTokenIsRefusedInWordsAlsoFromTheCache(t *testing.T) {
	g := newGuarded(t)
	raw := sign(t, g.ring)
	if _, err := g.Authenticate(post(bearing(raw))); err != nil {
		t.Fatal(err)
	}
	revoking("grant-1")(g.caching)
	_, err := g.Authenticate(post(bearing(raw)))
	_ = wantRefusal(t, err, http.StatusUnauthorized, oauth.InvalidToken, "the access token was revoked")
	if !errors.Is(err, accesstoken.ErrRevoked) {
		t.Errorf("got %v", err)
	}
}

// The challenges to the letter: there are clients that parse them by hand.
func TestWhatClientsAreTold(t *testing.T) {
	metadata := `resource_metadata="` + metadataURL + `", scope="todo:read"`
	invalid := `error="invalid_token", error_description="the access token is invalid", `
	demanded := "DPoP algs=\"" + strings.Join(dpop.Algorithms(), " ") + `"`
	demand := func(g *accesstoken.Guard) { g.RequireDPoP = true }
	for _, tt := range []struct {
		name    string
		guard   func(*accesstoken.Guard)
		request func(*http.Request)
		want    []string
	}{
		{"no token", nil, func(*http.Request) {}, []string{"Bearer " + metadata}},
		{"no token where keys are demanded", demand, func(*http.Request) {}, []string{"Bearer " + metadata, demanded}},
		{"no token and no scopes", func(g *accesstoken.Guard) { g.Scopes = oauth.ScopeSet{} }, func(*http.Request) {}, []string{`Bearer resource_metadata="` + metadataURL + `"`}},
		{"an invalid token", nil, bearing("x"), []string{"Bearer " + invalid + metadata}},
		{"an invalid token where keys are demanded", demand, bearing("x"), []string{"Bearer " + invalid + metadata, demanded}},
		{"two headers", demand, with("Authorization", "Bearer a", "Bearer b"), []string{`Bearer error="invalid_request", error_description="there is more than one Authorization header"`}},
	} {
		g := newGuarded(t)
		if tt.guard != nil {
			g = newGuarded(t, tt.guard)
		}
		_, err := g.Authenticate(post(tt.request))
		var refusal *accesstoken.Refusal
		if !errors.As(err, &refusal) {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, refusal.Challenges); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestAStepUpNamesWhatTheOperationNeeds(t *testing.T) {
	got := newGuarded(t).Insufficient(oauth.NewScopeSet("todo:write", "todo:purge"))
	want := &accesstoken.Refusal{
		Status: http.StatusForbidden, Code: oauth.InsufficientScope, Description: "the token's scope does not open this operation",
		Challenges: []string{`Bearer error="insufficient_scope", error_description="the token's scope does not open this operation", ` +
			`resource_metadata="` + metadataURL + `", scope="todo:write todo:purge"`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the refusal (-want +got):\n%s", diff)
	}
}

func TestAGuardSaysWhatIsMissing(t *testing.T) {
	if err := newGuarded(t).Check(); err != nil {
		t.Errorf("a good guard: %v", err)
	}
	for name, change := range map[string]func(*accesstoken.Guard){
		"no resource":          func(g *accesstoken.Guard) { g.Resource = "" },
		"a resource by http":   func(g *accesstoken.Guard) { g.Resource = "http://mcp.example.com/mcp" },
		"no verifier":          func(g *accesstoken.Guard) { g.Verifier = nil },
		"no source of keys":    func(g *accesstoken.Guard) { g.Verifier.Keys = nil },
		"no issuer":            func(g *accesstoken.Guard) { g.Verifier.Issuers = nil },
		"no audience":          func(g *accesstoken.Guard) { g.Verifier.Audiences = nil },
		"nothing but defaults": func(g *accesstoken.Guard) { g.Resource, g.Verifier = "", nil },
	} {
		if err := newGuarded(t, change).Check(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
