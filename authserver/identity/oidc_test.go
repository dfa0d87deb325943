package identity

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		Name: "Ann", Groups: []string{"staff", "ops"}, // and no AuthTime, since it states none
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
