package authserver

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// FuzzRegistration holds what comes out of any registration against what may.
func FuzzRegistration(f *testing.F) {
	for _, seed := range []string{
		`{"redirect_uris":["https://app.example/cb"]}`,
		`{"redirect_uris":["http://127.0.0.1/cb","cursor://x/cb"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"],"client_name":"App"}`,
		`{"redirect_uris":["https://app.example/cb"],"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"1"}]}}`,
		`{"redirect_uris":["javascript:alert(1)"],"grant_types":["client_credentials"]}`,
		`{"redirect_uris":null,"client_name":"\u202e"}`, `[]`, `{`, `{"redirect_uris":["https://a@b@c/"]}`,
	} {
		f.Add([]byte(seed))
	}
	policy := []*catalog.Registration{{Dynamic: true, RedirectHosts: []string{"app.example"}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		wish, err := parseWish(body)
		if err != nil {
			return
		}
		got, err := wish.grant(policy)
		if err != nil {
			var refusal *oauth.Error
			if e, ok := err.(*oauth.Error); ok { //nolint:errorlint // the error itself, not a wrapped one
				refusal = e
			}
			if refusal == nil || refusal.Code != oauth.InvalidClientMetadata && refusal.Code != oauth.InvalidRedirectURI {
				t.Errorf("the refusal is not RFC 7591's: %v", err)
			}
			return
		}
		if len(got.RedirectURIs) == 0 || len(got.RedirectURIs) > maxRedirectURIs || len(got.JWKS) > maxKeysSize {
			t.Errorf("registered beyond bounds: %+v", got)
		}
		for _, uri := range got.RedirectURIs {
			u, err := url.Parse(uri)
			if err != nil || oauth.ValidRedirectURI(uri) != nil || u.Scheme == "https" && !strings.EqualFold(u.Hostname(), "app.example") {
				t.Errorf("registered %q", uri)
			}
		}
		for _, grant := range got.GrantTypes {
			if grant != oauth.GrantAuthorizationCode && grant != oauth.GrantRefreshToken {
				t.Errorf("registered for %q", grant)
			}
		}
	})
}

// FuzzSealedState takes nothing for a journey that was not sealed for this step,
// and whatever was, without a panic.
func FuzzSealedState(f *testing.F) {
	ring, err := keyring.New(keyring.EdDSA, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	s := &Server{opts: Options{Keys: func() *keyring.Ring { return ring }, Now: time.Now}}
	whole, err := s.seal(stepConsent, journey{ClientID: "agent", Expires: time.Now().Add(time.Hour), User: &store.User{Subject: "people|alice"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, []byte(`{"c":"agent"}`))
	f.Add(whole[:len(whole)-1], []byte(`{"x":"2099-01-01T00:00:00Z","o":"a b","a":{"Groups":null}}`))
	f.Add("", []byte(`null`))
	f.Add("a.b", []byte(`{"o":1}`))
	f.Fuzz(func(t *testing.T, sealed string, plain []byte) {
		v := &view{base: "http://127.0.0.1"}
		c, err := catalog.New(catalog.Content{Issuer: "http://127.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		v.Catalog = c
		r := &request{Request: httptest.NewRequest(http.MethodGet, "/", nil), issuer: issuer{view: v}}
		if _, err := s.resume(r, stepSignIn, sealed); err == nil {
			t.Error("a text that was sealed for another step, or not at all, was taken")
		}
		own, err := ring.Seal(stepSignIn, plain)
		if err != nil {
			t.Fatal(err)
		}
		if g, err := s.resume(r, stepSignIn, own); err == nil && !json.Valid(plain) {
			t.Errorf("%q became %+v", plain, g)
		}
	})
}

// FuzzRefreshToken reads its own tokens back and nothing else.
func FuzzRefreshToken(f *testing.F) {
	ring, err := keyring.New(keyring.EdDSA, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(makeRefreshToken(ring, store.Grant{ID: "g", ClientID: "agent", Generation: 1}, ""), "agent")
	f.Add(makeRefreshToken(ring, store.Grant{ID: "g", ClientID: "agent", Generation: 7}, "thumb"), "agent")
	f.Add("mcprt_g.1.x.y", "agent")
	f.Add("mcprt_g.1~.x.y", "")
	f.Fuzz(func(t *testing.T, raw, clientID string) {
		token, ok := readRefreshToken(ring, raw, clientID)
		if !ok {
			return
		}
		again := makeRefreshToken(ring, store.Grant{ID: token.grantID, ClientID: clientID, Generation: token.generation}, token.thumbprint)
		if again != raw {
			t.Errorf("%q was read as the token %q", raw, again)
		}
	})
}
