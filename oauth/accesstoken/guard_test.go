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

// One row a deviation from a request that would pass.
func TestGuardSecurityMatrix(t *testing.T) {
	g := newGuarded(t)
	good := sign(t, g.ring)
	claims := func(change func(*accesstoken.Claims)) string { return sign(t, g.ring, change) }
	for _, tt := range []struct {
		name, clause string
		request      func(*http.Request)
		status       int
		code         oauth.ErrorCode
		says         string
	}{
		{"no token", "RFC 6750 §3.1", func(*http.Request) {}, 401, "", "needs an access token"},
		{"another scheme", "RFC 6750 §3.1", with("Authorization", "Basic YTpi"), 401, "", "needs an access token"},
		{"a scheme alone", "RFC 6750 §2.1", with("Authorization", "Bearer"), 401, "", "needs an access token"},
		{"a scheme and spaces", "RFC 6750 §2.1", with("Authorization", "Bearer   "), 401, "", "needs an access token"},
		{"a scheme that begins like ours", "RFC 9110 §11.1", with("Authorization", "Bearerx "+good), 401, "", "needs an access token"},
		{"an empty header", "RFC 9110 §11.6.2", with("Authorization", ""), 401, "", "needs an access token"},
		{"the token alone", "RFC 6750 §2.1", with("Authorization", good), 401, "", "needs an access token"},
		{"a tab for the space", "RFC 9110 §11.4", with("Authorization", "Bearer\t"+good), 401, "", "needs an access token"},
		{"the token in the query", "RFC 6750 §2.3, MCP Access Token Usage", query("access_token=" + good), 401, "", "needs an access token"},
		{"the token in a cookie", "RFC 6750 §2", with("Cookie", "access_token="+good), 401, "", "needs an access token"},
		{"the token in another header", "RFC 6750 §2", with("X-Access-Token", good), 401, "", "needs an access token"},
		{"the proxy's authorization", "RFC 9110 §11.7.2", with("Proxy-Authorization", "Bearer "+good), 401, "", "needs an access token"},

		{"two headers", "RFC 6750 §2", with("Authorization", "Bearer "+good, "Bearer "+good), 400, oauth.InvalidRequest, "more than one Authorization header"},
		{"two headers, of which one is empty", "RFC 6750 §2", with("Authorization", "Bearer "+good, ""), 400, oauth.InvalidRequest, "more than one Authorization header"},
		{"two tokens in one header", "RFC 6750 §2.1", with("Authorization", "Bearer "+good+", Bearer "+good), 400, oauth.InvalidRequest, "not one bearer token"},
		{"two tokens behind one scheme", "RFC 6750 §2.1", with("Authorization", "Bearer "+good+" "+good), 400, oauth.InvalidRequest, "not one bearer token"},
		{"a space behind it", "RFC 9110 §11.2", with("Authorization", "Bearer "+good+" "), 400, oauth.InvalidRequest, "not one bearer token"},
		{"quotes around it", "RFC 9110 §11.2", with("Authorization", `Bearer "`+good+`"`), 400, oauth.InvalidRequest, "not one bearer token"},
		{"a letter beyond ASCII", "RFC 9110 §11.2", with("Authorization", "Bearer ä"), 400, oauth.InvalidRequest, "not one bearer token"},
		{"a line break", "RFC 9110 §5.5", with("Authorization", "Bearer "+good+"\n"), 400, oauth.InvalidRequest, "not one bearer token"},
		{"in the query too", "RFC 6750 §2", func(r *http.Request) { bearing(good)(r); query("access_token=" + good)(r) }, 400, oauth.InvalidRequest, "in more than one way"},
		{"in the query too, under another name", "RFC 6750 §2", func(r *http.Request) { bearing(good)(r); query("t=" + good)(r) }, 400, oauth.InvalidRequest, "in more than one way"},
		{"another one in the query", "RFC 6750 §2", func(r *http.Request) { bearing(good)(r); query("access_token=x")(r) }, 400, oauth.InvalidRequest, "in more than one way"},
		{"an encoded name in the query", "RFC 6750 §2", func(r *http.Request) { bearing(good)(r); query("access%5Ftoken=x")(r) }, 400, oauth.InvalidRequest, "in more than one way"},
		{"behind a semicolon in the query", "RFC 6750 §2", func(r *http.Request) { bearing(good)(r); query("a=1;access_token=x")(r) }, 400, oauth.InvalidRequest, "in more than one way"},
		{"badly encoded in the query", "RFC 6750 §2", func(r *http.Request) { bearing(good)(r); query("access_token=%zz")(r) }, 400, oauth.InvalidRequest, "in more than one way"},

		{"no JWT", "RFC 9068 §4", bearing("undefined"), 401, oauth.InvalidToken, "is invalid"},
		{"a changed signature", "RFC 9068 §4", bearing(good[:len(good)-4] + "AAAA"), 401, oauth.InvalidToken, "is invalid"},
		{"no signature", "RFC 9068 §4", bearing(good[:strings.LastIndex(good, ".")+1]), 401, oauth.InvalidToken, "is invalid"},
		{"signed by another key", "RFC 9068 §4", bearing(sign(t, rings()[keyring.ES256])), 401, oauth.InvalidToken, "is invalid"},
		{"too long", "RFC 6750 §3.1", bearing(strings.Repeat("a", accesstoken.MaxTokenLength+1)), 401, oauth.InvalidToken, "is invalid"},
		{"expired", "RFC 9068 §4", bearing(claims(func(c *accesstoken.Claims) { c.Expiry = start.Add(-time.Hour) })), 401, oauth.InvalidToken, "has expired"},
		{"not valid yet", "RFC 7519 §4.1.6", bearing(claims(func(c *accesstoken.Claims) { c.IssuedAt = start.Add(time.Hour) })), 401, oauth.InvalidToken, "not valid yet"},
		{"for another resource", "RFC 8707 §2", bearing(claims(func(c *accesstoken.Claims) { c.Audience = []string{"https://other.example/mcp"} })), 401, oauth.InvalidToken, "for another resource"},
		{"from another issuer", "RFC 9068 §4", bearing(claims(func(c *accesstoken.Claims) { c.Issuer = "https://evil.example" })), 401, oauth.InvalidToken, "from another issuer"},
		{"a line break in the subject", "RFC 9110 §5.5", bearing(claims(func(c *accesstoken.Claims) { c.Subject = "a\r\nX-Admin: 1" })), 401, oauth.InvalidToken, "is invalid"},
		{"a space before the subject", "RFC 9110 §5.5", bearing(claims(func(c *accesstoken.Claims) { c.Subject = " alice" })), 401, oauth.InvalidToken, "is invalid"},
		{"a no-break space behind the subject", "RFC 9110 §5.5", bearing(claims(func(c *accesstoken.Claims) { c.Subject = "alice\u00a0" })), 401, oauth.InvalidToken, "is invalid"},
		{"a delete in the e-mail address", "RFC 9110 §5.5", bearing(claims(func(c *accesstoken.Claims) { c.Email = "a\x7f@b" })), 401, oauth.InvalidToken, "is invalid"},
		{"a null in the client", "RFC 9110 §5.5", bearing(claims(func(c *accesstoken.Claims) { c.ClientID = "a\x00" })), 401, oauth.InvalidToken, "is invalid"},
		{"a tab behind the organization", "RFC 9110 §5.5", bearing(claims(func(c *accesstoken.Claims) { c.Organization = "o\t" })), 401, oauth.InvalidToken, "is invalid"},
		{"as a bound one", "RFC 9449 §7.1", with("Authorization", "DPoP "+good), 401, oauth.InvalidToken, "send it with the Bearer scheme"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // what is remembered changes nothing
				got, err := g.Authenticate(post(tt.request))
				refusal := wantRefusal(t, err, tt.status, tt.code, tt.says)
				if got != (accesstoken.Presented{}) {
					t.Errorf("%s: the refused request has %+v", tt.clause, got)
				}
				if text := strings.Join(refusal.Challenges, "") + refusal.Description + refusal.Error(); strings.Contains(text, good) || strings.Contains(text, "alice") {
					t.Errorf("%s: the answer quotes the request: %s", tt.clause, text)
				}
			}
		})
	}
	if _, err := g.Authenticate(post(bearing(good))); err != nil {
		t.Errorf("the request without a deviation: %v", err)
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
