package authserver_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// upstream is an OpenID Connect provider whose user is signed in already: it
// answers every authorization request at once.
type upstream struct {
	*httptest.Server
	ring *keyring.Ring

	mu     sync.Mutex
	claims map[string]any
	nonces map[string]string // by code
	asked  int
	query  url.Values // of the last authorization request
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	ring, err := keyring.New(keyring.RS256, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{ring: ring, nonces: make(map[string]string), claims: map[string]any{
		"sub": "carol-1", "email": "carol@corp.example", "email_verified": true, "groups": []string{"staff"},
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": u.URL, "authorization_endpoint": u.URL + "/authorize", "token_endpoint": u.URL + "/token", "jwks_uri": u.URL + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(ring.JWKS()) })
	mux.HandleFunc("GET /authorize", u.authorize)
	mux.HandleFunc("POST /token", u.token)
	u.Server = httptest.NewServer(mux)
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) authorize(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked++
	query := r.URL.Query()
	code := "code-" + query.Get("state")
	u.nonces[code], u.query = query.Get("nonce"), query
	answer := url.Values{"code": {code}, "state": {query.Get("state")}}
	http.Redirect(w, r, query.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
}

func (u *upstream) token(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	claims := map[string]any{"iss": u.URL, "aud": "mcpauth", "nonce": u.nonces[r.FormValue("code")], "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	for name, value := range u.claims {
		claims[name] = value
	}
	signed, err := u.sign(claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": signed})
}

// ringSigner lets go-jose sign with a key of ours.
type ringSigner struct{ key *keyring.Key }

func (s ringSigner) Public() *jose.JSONWebKey { public := s.key.Public(); return &public }
func (s ringSigner) Algs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256}
}
func (s ringSigner) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	return s.key.Sign(payload)
}

func (u *upstream) sign(claims map[string]any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: ringSigner{u.ring.Active()}}, nil)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

func (u *upstream) times() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked
}
