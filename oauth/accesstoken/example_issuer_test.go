package accesstoken_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/oauth/revocation"
)

// authorizationServer does for the examples what a real one does: it publishes keys
// and revocations, and issues tokens.
type authorizationServer struct {
	*httptest.Server
	ring *keyring.Ring
	// ended has what revoke ended; whoever follows waits for it.
	ended chan revocation.Revocation
}

func startAuthorizationServer() *authorizationServer {
	s := &authorizationServer{ring: rings()[keyring.ES256], ended: make(chan revocation.Revocation)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(s.ring.JWKSDocument()) })
	mux.HandleFunc("GET /revocations", func(w http.ResponseWriter, r *http.Request) {
		feed := revocation.Feed{Next: "1"}
		if r.FormValue(revocation.ParameterAfter) != "" { // one who knows the beginning waits for news
			select {
			case ended := <-s.ended:
				feed.Revocations = append(feed.Revocations, ended)
			case <-r.Context().Done():
				return
			}
		}
		_ = json.NewEncoder(w).Encode(feed)
	})
	s.Server = httptest.NewServer(mux)
	return s
}

// issuer is that of the resource that the examples protect.
func (s *authorizationServer) issuer() string {
	return oauth.ResourceIssuer(s.URL, "apps-todo")
}

// issue makes a token of alice's for a resource.
func (s *authorizationServer) issue(resource string, scopes ...string) string {
	token, err := accesstoken.Sign(&accesstoken.Claims{
		Issuer: s.issuer(), Subject: "alice", Audience: []string{resource}, ClientID: "agent", Scope: oauth.NewScopeSet(scopes...),
		IssuedAt: time.Now(), Expiry: time.Now().Add(15 * time.Minute), ID: "token-1", GrantID: "grant-1",
	}, s.ring.Active())
	if err != nil {
		panic(err)
	}
	return token
}

// revoke ends a grant, as a user does who takes an app's access away.
func (s *authorizationServer) revoke(grant string) {
	s.ended <- revocation.Revocation{ID: grant, Expires: time.Now().Add(time.Hour)}
}

// call makes a request as a client does, and prints how it was answered.
func call(handler http.Handler, method, target, token string) {
	r := httptest.NewRequest(method, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	if challenge := w.Header().Get("WWW-Authenticate"); challenge != "" {
		fmt.Println("   ", challenge)
	}
}
