package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

const (
	callback     = "https://auth.example.com/callback"
	clientSecret = "upstream-client-secret"
)

// issuer is an OpenID Connect provider that a test can make misbehave. Its fields
// are set before the sign-in that they concern.
type issuer struct {
	*httptest.Server
	key *rsa.PrivateKey
	// document, claims and kid change what an honest one would say.
	document func(map[string]any)
	claims   func(map[string]any)
	kid      string
	signWith jose.SigningKey
	// answer, when set, takes the place of the token endpoint's.
	answer http.HandlerFunc

	discoveries, exchanges atomic.Int32
	// asked is the authorization request that the next exchange belongs to, form
	// what the last exchange sent, and basic its client's credentials.
	asked url.Values
	form  url.Values
	basic [2]string
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key, kid: "key-1", signWith: jose.SigningKey{Algorithm: jose.RS256, Key: key}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.serveDocument)
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "key-1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) { i.serveToken(t, w, r) })
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) serveDocument(w http.ResponseWriter, _ *http.Request) {
	i.discoveries.Add(1)
	document := map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize?tenant=1", "token_endpoint": i.URL + "/token",
		"jwks_uri": i.URL + "/jwks", "id_token_signing_alg_values_supported": []string{"RS256"},
	}
	if i.document != nil {
		i.document(document)
	}
	writeJSON(w, document)
}

// serveToken redeems the code as a strict provider does.
func (i *issuer) serveToken(t *testing.T, w http.ResponseWriter, r *http.Request) {
	i.exchanges.Add(1)
	if err := r.ParseForm(); err != nil {
		t.Errorf("the token request is no form: %v", err)
	}
	i.form = r.PostForm
	i.basic[0], i.basic[1], _ = r.BasicAuth()
	if i.answer != nil {
		i.answer(w, r)
		return
	}
	if r.PostForm.Get("code") != "the-code" || r.PostForm.Get("redirect_uri") != i.asked.Get("redirect_uri") ||
		!oauth.VerifyCodeChallenge(i.asked.Get("code_challenge"), r.PostForm.Get("code_verifier")) {
		w.WriteHeader(http.StatusBadRequest)
		writeJSON(w, map[string]any{"error": "invalid_grant", "error_description": "a long story about " + r.PostForm.Get("code")})
		return
	}
	writeJSON(w, map[string]any{"access_token": "unused", "token_type": "Bearer", "id_token": i.idToken(t)})
}

func (i *issuer) idToken(t *testing.T) string {
	claims := map[string]any{
		"iss": i.URL, "sub": "u-1", "aud": i.asked.Get("client_id"), "nonce": i.asked.Get("nonce"),
		"iat": testNow.Unix(), "exp": testNow.Add(5 * time.Minute).Unix(),
		"email": "ann@corp.com", "email_verified": true, "name": "Ann", "groups": []string{"staff", "ops"},
	}
	if i.claims != nil {
		i.claims(claims)
	}
	signer, err := jose.NewSigner(i.signWith, (&jose.SignerOptions{}).WithHeader("kid", i.kid))
	if err != nil {
		t.Errorf("make a signer: %v", err)
		return ""
	}
	payload, _ := json.Marshal(claims)
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Errorf("sign: %v", err)
		return ""
	}
	raw, _ := jws.CompactSerialize()
	return raw
}

func writeJSON(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document)
}

// provider is our side of it.
func (i *issuer) provider(change func(*catalog.OIDCProvider)) *OIDC {
	p := &catalog.OIDCProvider{Issuer: i.URL, ClientID: "mcpauth", SecretName: "s", SecretKey: "k", Scopes: []string{"openid", "email"}}
	if change != nil {
		change(p)
	}
	o := NewOIDC("corp", p, staticSecret, i.Client())
	o.Now = func() time.Time { return testNow }
	return o
}

// begun begins a sign-in and returns what an honest provider answers to it.
func (i *issuer) begun(t *testing.T, o *OIDC) (Login, url.Values) {
	t.Helper()
	upstream, login, err := o.Begin(t.Context(), callback, Wish{})
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatalf("Begin returned %q: %v", upstream, err)
	}
	i.asked = u.Query()
	return login, url.Values{"code": {"the-code"}, "state": {i.asked.Get("state")}}
}
