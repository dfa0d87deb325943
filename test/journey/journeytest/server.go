package journeytest

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

func (w *World) serverRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server/resources/todo", w.metadata)
	mux.HandleFunc("POST /resources/todo/client_register", w.register)
	mux.HandleFunc("GET /authorize", w.authorize)
	mux.HandleFunc("POST /sign-in", w.signIn)
	mux.HandleFunc("POST /consent", w.consent)
	mux.HandleFunc("POST /token", w.token)
	mux.HandleFunc("POST /revoke", w.revoke)
	mux.HandleFunc("/", func(rw http.ResponseWriter, _ *http.Request) { writeError(rw, http.StatusNotFound, "not_found") })
	return mux
}

func (w *World) metadata(rw http.ResponseWriter, _ *http.Request) {
	writeJSON(rw, http.StatusOK, map[string]any{
		"issuer":                                w.issuer(),
		"authorization_endpoint":                w.asURL + "/authorize",
		"token_endpoint":                        w.asURL + "/token",
		"registration_endpoint":                 w.asURL + "/resources/todo/client_register",
		"revocation_endpoint":                   w.asURL + "/revoke",
		"response_types_supported":              []string{"code"},
		"code_challenge_methods_supported":      []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"none"},

		"authorization_response_iss_parameter_supported": true,
	})
}

func (w *World) register(rw http.ResponseWriter, r *http.Request) {
	var asked map[string]any
	var client struct {
		RedirectURIs []string `json:"redirect_uris"`
	}
	data, err := readAll(rw, r)
	if err != nil || json.Unmarshal(data, &asked) != nil || json.Unmarshal(data, &client) != nil || len(client.RedirectURIs) == 0 {
		writeError(rw, http.StatusBadRequest, "invalid_client_metadata")
		return
	}
	id := "client-" + rand.Text()
	w.mu.Lock()
	w.clients[id] = registration{redirectURIs: client.RedirectURIs}
	w.mu.Unlock()
	asked["client_id"] = id
	asked["token_endpoint_auth_method"] = "none"
	writeJSON(rw, http.StatusCreated, asked)
}

// valid is a checked authorization request, or the reason why it is none.
func (w *World) valid(q url.Values) (grant, string) {
	w.mu.Lock()
	client, known := w.clients[q.Get("client_id")]
	w.mu.Unlock()
	switch {
	case !known:
		return grant{}, "unknown client"
	case !slices.Contains(client.redirectURIs, q.Get("redirect_uri")):
		return grant{}, "unregistered redirect_uri"
	case q.Get("response_type") != "code", q.Get("code_challenge_method") != "S256", q.Get("code_challenge") == "":
		return grant{}, "not the code flow with S256"
	case q.Get("resource") != w.MCPURL:
		return grant{}, "unknown resource"
	}
	return grant{client: q.Get("client_id"), redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), scope: q.Get("scope")}, ""
}

func (w *World) token(rw http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil {
		writeError(rw, http.StatusBadRequest, "invalid_request")
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	from, key := w.codes, r.PostForm.Get("code")
	if r.PostForm.Get("grant_type") == "refresh_token" {
		from, key = w.refresh, r.PostForm.Get("refresh_token")
	}
	g, ok := from[key]
	if !ok || g.client != r.PostForm.Get("client_id") || !proves(g, r.PostForm) {
		writeError(rw, http.StatusBadRequest, "invalid_grant")
		return
	}
	next := "refresh-" + rand.Text()
	if w.faults.KeepsRefresh && r.PostForm.Get("refresh_token") != "" {
		next = key
	}
	delete(from, key)
	g.challenge = ""
	access := "access-" + rand.Text()
	w.access[access], w.refresh[next] = g, g
	writeJSON(rw, http.StatusOK, map[string]any{
		"access_token": access, "refresh_token": next, "token_type": "Bearer", "expires_in": 900, "scope": g.scope,
	})
}

// proves checks what a code is bound to; a refresh token's grant has no challenge.
func proves(g grant, form url.Values) bool {
	return g.challenge == "" ||
		g.redirect == form.Get("redirect_uri") && oauth2.S256ChallengeFromVerifier(form.Get("code_verifier")) == g.challenge
}

func (w *World) revoke(rw http.ResponseWriter, r *http.Request) {
	token := r.PostFormValue("token")
	w.mu.Lock()
	defer w.mu.Unlock()
	if g, ok := w.refresh[token]; ok && g.client == r.PostFormValue("client_id") && !w.faults.IgnoresRevocation {
		delete(w.refresh, token)
		if !w.faults.KeepsAccess {
			maps.DeleteFunc(w.access, func(_ string, other grant) bool { return other.client == g.client })
		}
	}
	rw.WriteHeader(http.StatusOK)
}

// grantCode stores what the user agreed to and returns its code.
func (w *World) grantCode(g grant) string {
	if w.faults.ExtraScope {
		g.scope = strings.TrimSpace(g.scope + " " + ScopeWrite)
	}
	code := "code-" + rand.Text()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.codes[code] = g
	return code
}
