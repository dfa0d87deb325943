package identity

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

func staticSecret(context.Context) (string, error) { return clientSecret, nil }

func TestASignInUpstreamEndsInAnAssertion(t *testing.T) {
	i := newIssuer(t)
	o := i.provider(nil)
	login, answer := i.begun(t, o)
	got, err := o.Finish(t.Context(), callback, login, answer)
	if err != nil {
		t.Fatal(err)
	}
	want := Assertion{
		Provider: "corp", Subject: "u-1", Email: "ann@corp.com", EmailVerified: true,
		Name: "Ann", Groups: []string{"staff", "ops"}, AuthTime: testNow,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the assertion (-want +got):\n%s", diff)
	}
}

// Providers such as Entra, Okta and Keycloak refuse a resource, and none of them
// needs to know which server of ours somebody wants to use.
func TestTheUpstreamRequestCarriesOurClientAndNothingElse(t *testing.T) {
	i := newIssuer(t)
	login, _ := i.begun(t, i.provider(nil))
	want := url.Values{
		"tenant": {"1"}, "client_id": {"mcpauth"}, "redirect_uri": {callback}, "response_type": {"code"},
		"scope": {"openid email"}, "state": {login.State}, "nonce": {login.Nonce},
		"code_challenge": {oauth.CodeChallenge(login.Verifier)}, "code_challenge_method": {"S256"},
	}
	if diff := cmp.Diff(want, i.asked); diff != "" {
		t.Errorf("the authorization request (-want +got):\n%s", diff)
	}
}

func TestEverySignInHasItsOwnStateNonceAndVerifier(t *testing.T) {
	i := newIssuer(t)
	o := i.provider(nil)
	first, _ := i.begun(t, o)
	second, _ := i.begun(t, o)
	if first.State == second.State || first.Nonce == second.Nonce || first.Verifier == second.Verifier || first.State == first.Nonce {
		t.Errorf("got %+v and %+v", first, second)
	}
	if len(first.State) < 43 || len(first.Nonce) < 43 || oauth.ValidCodeVerifier(first.Verifier) != nil {
		t.Errorf("too short to be unguessable: %+v", first)
	}
}

func TestAnAnswerThatIsNotToThisSignInIsRefusedBeforeItsCodeIsUsed(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Login, url.Values)
	}{
		{"a wrong state", func(_ *Login, a url.Values) { a.Set("state", "another") }},
		{"no state", func(_ *Login, a url.Values) { a.Del("state") }},
		{"the state twice", func(_ *Login, a url.Values) { a["state"] = append(a["state"], a.Get("state")) }},
		{"a login without a state", func(l *Login, a url.Values) { l.State = ""; a.Set("state", "") }},
		{"an error with a wrong state", func(_ *Login, a url.Values) { a.Set("state", "x"); a.Set("error", "access_denied") }},
		{"no code", func(_ *Login, a url.Values) { a.Del("code") }},
		{"two codes", func(_ *Login, a url.Values) { a["code"] = append(a["code"], "another") }},
		{"attack 19: another issuer", func(_ *Login, a url.Values) { a.Set("iss", "https://evil.example") }},
		{"an error beside a code", func(_ *Login, a url.Values) { a.Set("error", "server_error") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newIssuer(t)
			o := i.provider(nil)
			login, answer := i.begun(t, o)
			tt.change(&login, answer)
			got, err := o.Finish(t.Context(), callback, login, answer)
			if !errors.Is(err, ErrUpstream) || got.Subject != "" {
				t.Errorf("got %+v, %v", got, err)
			}
			if n := i.exchanges.Load(); n != 0 {
				t.Errorf("its code was used %d times", n)
			}
		})
	}
}

func TestAttack19_AProviderThatStatesItsIssuerMustDoSo(t *testing.T) {
	i := newIssuer(t)
	i.document = func(d map[string]any) { d["authorization_response_iss_parameter_supported"] = true }
	o := i.provider(nil)
	login, answer := i.begun(t, o)
	if _, err := o.Finish(t.Context(), callback, login, answer); !errors.Is(err, ErrUpstream) || i.exchanges.Load() != 0 {
		t.Errorf("without iss: got %v after %d exchanges", err, i.exchanges.Load())
	}
	answer.Set("iss", i.URL)
	if _, err := o.Finish(t.Context(), callback, login, answer); err != nil {
		t.Errorf("with the right iss: %v", err)
	}
}

func TestIDTokensThatAreNotForThisSignInAreRefused(t *testing.T) {
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(name string, value any) func(*issuer) {
		return func(i *issuer) { i.claims = func(c map[string]any) { c[name] = value } }
	}
	tests := []struct {
		name   string
		change func(*issuer)
	}{
		{"a wrong nonce", claim("nonce", "another")},
		{"no nonce", claim("nonce", nil)},
		{"a wrong audience", claim("aud", "another-client")},
		{"another issuer", claim("iss", "https://evil.example")},
		{"expired", claim("exp", testNow.Add(-time.Second).Unix())},
		{"no expiry", claim("exp", nil)},
		{"not valid yet", claim("nbf", testNow.Add(time.Hour).Unix())},
		{"issued to another client", claim("azp", "another-client")},
		{"no subject", claim("sub", nil)},
		{"a subject that is no string", claim("sub", map[string]any{"id": "u-1"})},
		{"an endless subject", claim("sub", strings.Repeat("s", 300))},
		{"signed by a stranger under a known kid", func(i *issuer) { i.signWith.Key = stranger }},
		{"signed by a stranger under an unknown kid", func(i *issuer) { i.signWith.Key, i.kid = stranger, "key-2" }},
		{"signed with an algorithm that was not announced", func(i *issuer) { i.signWith.Algorithm = jose.RS512 }},
		{"HS256 with our client secret", func(i *issuer) {
			i.signWith = jose.SigningKey{Algorithm: jose.HS256, Key: []byte(strings.Repeat(clientSecret, 2))}
		}},
		{"no ID token", func(i *issuer) {
			i.answer = func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, map[string]any{"access_token": "a", "token_type": "Bearer"})
			}
		}},
		{"alg none", func(i *issuer) {
			i.answer = func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": "eyJhbGciOiJub25lIn0.e30."})
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newIssuer(t)
			tt.change(i)
			o := i.provider(nil)
			login, answer := i.begun(t, o)
			got, err := o.Finish(t.Context(), callback, login, answer)
			if !errors.Is(err, ErrUpstream) || got.Subject != "" {
				t.Errorf("got %+v, %v", got, err)
			}
			if i.exchanges.Load() == 0 {
				t.Error("the code was not even exchanged: this tests something else")
			}
		})
	}
}

func TestErrorAnswersPassTheirCodeOnAndNothingElse(t *testing.T) {
	tests := []struct{ name, code, want string }{
		{"a registered code", "access_denied", `"access_denied"`},
		{"markup", "<script>alert(1)</script>", `"unknown"`},
		{"a long one", strings.Repeat("e", 65), `"unknown"`},
		{"a line break", "access_denied\nlevel=error", `"unknown"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newIssuer(t)
			o := i.provider(nil)
			login, answer := i.begun(t, o)
			answer.Del("code")
			answer.Set("error", tt.code)
			answer.Set("error_description", "a story with the user's name")
			_, err := o.Finish(t.Context(), callback, login, answer)
			if !errors.Is(err, ErrUpstream) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "story") {
				t.Errorf("got %v, want it to say %s and no more", err, tt.want)
			}
		})
	}
}

func TestTheTokenEndpointsErrorsHoldNeitherCodesNorSecrets(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"an OAuth error": nil, // provoked by a wrong verifier
		"a page": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("<h1>you sent " + r.PostForm.Encode() + r.Header.Get("Authorization")))
		},
		"not JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("the-code " + clientSecret)) },
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"access_token":"` + strings.Repeat("x", 2*maxAnswer) + `"}`))
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/", http.StatusTemporaryRedirect)
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.answer = answer
			o := i.provider(nil)
			login, callbackAnswer := i.begun(t, o)
			if answer == nil {
				login.Verifier = strings.Repeat("w", 43)
			}
			_, err := o.Finish(t.Context(), callback, login, callbackAnswer)
			if !errors.Is(err, ErrUpstream) || i.exchanges.Load() != 1 {
				t.Fatalf("got %v after %d exchanges", err, i.exchanges.Load())
			}
			for _, secret := range []string{"the-code", clientSecret, login.Verifier, login.State} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error holds %q: %v", secret, err)
				}
			}
		})
	}
}

func TestTheClientAuthenticatesAsTheProviderAsks(t *testing.T) {
	methods := func(names ...string) func(map[string]any) {
		return func(d map[string]any) { d["token_endpoint_auth_methods_supported"] = names }
	}
	tests := []struct {
		name     string
		document func(map[string]any)
		public   bool
		basic    bool
	}{
		{"nothing said: basic", nil, false, true},
		{"basic and post: basic", methods("client_secret_post", "client_secret_basic"), false, true},
		{"post alone: post", methods("client_secret_post"), false, false},
		{"a public client: its id in the form", nil, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newIssuer(t)
			i.document = tt.document
			o := i.provider(nil)
			wantSecret := clientSecret
			if tt.public {
				o.secret, wantSecret = func(context.Context) (string, error) { return "", nil }, ""
			}
			login, answer := i.begun(t, o)
			if _, err := o.Finish(t.Context(), callback, login, answer); err != nil {
				t.Fatal(err)
			}
			got := [3]string{i.basic[1], i.form.Get("client_id"), i.form.Get("client_secret")}
			want := [3]string{"", "mcpauth", wantSecret}
			if tt.basic {
				want = [3]string{clientSecret, "", ""}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Basic secret, client_id, client_secret (-want +got):\n%s", diff)
			}
			if i.form.Has("resource") {
				t.Error("the token request carries a resource")
			}
		})
	}
}

func TestASecretThatCannotBeReadUsesNoCode(t *testing.T) {
	i := newIssuer(t)
	o := i.provider(nil)
	gone := errors.New("the Secret corp/oidc has no entry k")
	o.secret = func(context.Context) (string, error) { return "", gone }
	login, answer := i.begun(t, o)
	_, err := o.Finish(t.Context(), callback, login, answer)
	if !errors.Is(err, ErrUpstream) || !errors.Is(err, gone) || i.exchanges.Load() != 0 {
		t.Errorf("got %v after %d exchanges", err, i.exchanges.Load())
	}
}

func TestConfiguredClaimsAreRead(t *testing.T) {
	i := newIssuer(t)
	i.claims = func(c map[string]any) {
		c["oid"], c["mail"], c["https://corp.com/roles"] = "o-9", "ann@mail.corp.com", "one-role"
		c["email_verified"], c["auth_time"] = "true", testNow.Add(-time.Hour).Unix()
	}
	o := i.provider(func(p *catalog.OIDCProvider) {
		p.SubjectClaim, p.EmailClaim, p.GroupsClaim = "oid", "mail", "https://corp.com/roles"
	})
	login, answer := i.begun(t, o)
	got, err := o.Finish(t.Context(), callback, login, answer)
	if err != nil {
		t.Fatal(err)
	}
	want := Assertion{
		Provider: "corp", Subject: "o-9", Email: "ann@mail.corp.com", EmailVerified: true,
		Name: "Ann", Groups: []string{"one-role"}, AuthTime: testNow.Add(-time.Hour),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the assertion (-want +got):\n%s", diff)
	}
}

func TestClaimsOfUnexpectedShapesGiveNothing(t *testing.T) {
	many := make([]string, maxGroups+5)
	for n := range many {
		many[n] = "g"
	}
	tests := []struct {
		name, claim string
		value       any
		check       func(Assertion) bool
	}{
		{"email_verified absent", "email_verified", nil, func(a Assertion) bool { return !a.EmailVerified }},
		{"email_verified false", "email_verified", false, func(a Assertion) bool { return !a.EmailVerified }},
		{"email_verified 1", "email_verified", 1, func(a Assertion) bool { return !a.EmailVerified }},
		{"email_verified TRUE", "email_verified", "TRUE", func(a Assertion) bool { return !a.EmailVerified }},
		{"an e-mail in an array", "email", []string{"ann@corp.com"}, func(a Assertion) bool { return a.Email == "" }},
		{"an endless e-mail", "email", strings.Repeat("a", 300) + "@corp.com", func(a Assertion) bool { return a.Email == "" }},
		{"groups as an object", "groups", map[string]any{"staff": true}, func(a Assertion) bool { return len(a.Groups) == 0 }},
		{"groups absent", "groups", nil, func(a Assertion) bool { return len(a.Groups) == 0 }},
		{"groups of mixed kinds", "groups", []any{"a", 1, nil, "", strings.Repeat("g", 300), "b"},
			func(a Assertion) bool { return cmp.Equal(a.Groups, []string{"a", "b"}) }},
		{"too many groups", "groups", many, func(a Assertion) bool { return len(a.Groups) == maxGroups }},
		{"an auth_time in the future", "auth_time", testNow.Add(time.Hour).Unix(), func(a Assertion) bool { return a.AuthTime.Equal(testNow) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newIssuer(t)
			i.claims = func(c map[string]any) { c[tt.claim] = tt.value }
			o := i.provider(nil)
			login, answer := i.begun(t, o)
			got, err := o.Finish(t.Context(), callback, login, answer)
			if err != nil || !tt.check(got) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestDiscoveryHappensOnceAndNotBeforeItIsNeeded(t *testing.T) {
	i := newIssuer(t)
	o := i.provider(nil)
	if n := i.discoveries.Load(); n != 0 {
		t.Errorf("NewOIDC asked %d times", n)
	}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if _, _, err := o.Begin(t.Context(), callback); err != nil {
				t.Errorf("Begin: %v", err)
			}
		})
	}
	group.Wait()
	if n := i.discoveries.Load(); n != 1 {
		t.Errorf("twenty sign-ins at once asked %d times, want 1", n)
	}
}

func TestAFailedDiscoveryIsTriedAgain(t *testing.T) {
	i := newIssuer(t)
	i.document = func(d map[string]any) { d["issuer"] = "https://evil.example" }
	o := i.provider(nil)
	if _, _, err := o.Begin(t.Context(), callback); !errors.Is(err, ErrUpstream) {
		t.Fatalf("Begin: %v", err)
	}
	i.document = nil
	if _, _, err := o.Begin(t.Context(), callback); err != nil {
		t.Errorf("Begin after it recovered: %v", err)
	}
}

func TestDocumentsThatLeadElsewhereAreRefused(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"another issuer":            func(d map[string]any) { d["issuer"] = "https://evil.example" },
		"no authorization endpoint": func(d map[string]any) { delete(d, "authorization_endpoint") },
		"a script to sign in with":  func(d map[string]any) { d["authorization_endpoint"] = "javascript:alert(1)" },
		"a file as token endpoint":  func(d map[string]any) { d["token_endpoint"] = "file:///etc/passwd" },
		"no keys":                   func(d map[string]any) { d["jwks_uri"] = "" },
		"endless":                   func(d map[string]any) { d["padding"] = strings.Repeat("x", 2*maxAnswer) },
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.document = change
			upstream, _, err := i.provider(nil).Begin(t.Context(), callback)
			if !errors.Is(err, ErrUpstream) || upstream != "" || len(err.Error()) > 500 {
				t.Errorf("got %q, %v", upstream, err)
			}
		})
	}
}

func TestAnHTTPSIssuerLeadsToHTTPSOnly(t *testing.T) {
	for address, want := range map[string]bool{
		"https://idp.example/token": true, "http://idp.example/token": false, "//idp.example/token": false, "/token": false, "": false,
	} {
		if got := asSafe("https://idp.example", address); got != want {
			t.Errorf("asSafe(%q) = %v, want %v", address, got, want)
		}
	}
}

func TestDiscoveryFollowsNoRedirectToAnotherHost(t *testing.T) {
	i := newIssuer(t)
	elsewhere := httptest.NewServer(http.RedirectHandler(i.URL+"/.well-known/openid-configuration", http.StatusFound))
	defer elsewhere.Close()
	o := NewOIDC("corp", &catalog.OIDCProvider{Issuer: elsewhere.URL, ClientID: "mcpauth"}, nil, nil)
	if _, _, err := o.Begin(t.Context(), callback); !errors.Is(err, ErrUpstream) {
		t.Errorf("got %v", err)
	}
	if n := i.discoveries.Load(); n != 0 {
		t.Errorf("the other host was asked %d times", n)
	}
}

func TestOneCallerWhoLeavesTakesNobodyAlong(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{}, 1)
	i := newIssuer(t)
	i.document = func(map[string]any) { asked <- struct{}{}; <-release }
	o := i.provider(nil)
	ctx, leave := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, _, err := o.Begin(ctx, callback); first <- err }()
	wait(t, "the discovery", asked)
	go func() { _, _, err := o.Begin(t.Context(), callback); second <- err }()
	leave()
	if err := wait(t, "the one who left", first); !errors.Is(err, ErrUpstream) || !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: %v", err)
	}
	close(release)
	if err := wait(t, "the one who stayed", second); err != nil {
		t.Errorf("the one who stayed: %v", err)
	}
}

func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("waited 20 s for %s", what)
		panic("unreachable")
	}
}
