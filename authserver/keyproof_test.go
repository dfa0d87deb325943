package authserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// tokenWith sends a token request with DPoP headers.
func tokenWith(t *testing.T, server *authservertest.Server, form url.Values, proofs ...string) (int, map[string]any, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.ResourceIssuer()+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, proof := range proofs {
		request.Header.Add("DPoP", proof)
	}
	return server.DoHeader(t, request)
}

func TestATokenIsBoundToTheKeyThatTheRequestProves(t *testing.T) {
	server := authservertest.New(t)
	app, key, other := server.Register(t, nil), newHolder(t), newHolder(t)
	target := server.ResourceIssuer() + "/oauth/token"
	code := server.SignIn(t, server.Begin(app, nil)).Get("code")
	status, tokens, _ := tokenWith(t, server, authservertest.Exchange(app, code, nil), key.proof(t, target, server.Now(), nil))
	wantStatus(t, status, http.StatusOK, tokens)
	if tokens["token_type"] != "DPoP" || verify(t, server, tokens).KeyThumbprint != key.thumbprint(t) {
		t.Fatalf("got %v", tokens)
	}
	refresh := authservertest.Refresh(app, text(tokens, "refresh_token"))
	before := server.Store.Writes()
	status, got := server.Token(t, refresh)
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	status, got, _ = tokenWith(t, server, refresh, other.proof(t, target, server.Now(), nil))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	wantUnchanged(t, server, before)
	status, got, _ = tokenWith(t, server, refresh, key.proof(t, target, server.Now(), nil))
	wantStatus(t, status, http.StatusOK, got)
	if got["token_type"] != "DPoP" || verify(t, server, got).KeyThumbprint != key.thumbprint(t) {
		t.Errorf("the successor: got %v", got)
	}
	// A bound refresh token is revoked without a proof: losing the key must not keep it alive.
	revokeToken(t, server, app, text(got, "refresh_token"))
	status, got, _ = tokenWith(t, server, authservertest.Refresh(app, text(got, "refresh_token")), key.proof(t, target, server.Now(), nil))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
}

func TestACodeIsRedeemedByTheKeyThatItWasAskedFor(t *testing.T) {
	server := authservertest.New(t)
	app, key, other := server.Register(t, nil), newHolder(t), newHolder(t)
	target := server.ResourceIssuer() + "/oauth/token"
	code := server.SignIn(t, server.Begin(app, changed("dpop_jkt", key.thumbprint(t)))).Get("code")
	before := server.Store.Writes()
	for _, proofs := range [][]string{nil, {other.proof(t, target, server.Now(), nil)}} {
		status, got, _ := tokenWith(t, server, authservertest.Exchange(app, code, nil), proofs...)
		wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	}
	wantUnchanged(t, server, before)
	status, got, _ := tokenWith(t, server, authservertest.Exchange(app, code, nil), key.proof(t, target, server.Now(), nil))
	wantStatus(t, status, http.StatusOK, got)
}

func TestAPushedRequestIsBoundByAProof(t *testing.T) {
	server := authservertest.New(t)
	app, key := server.Register(t, nil), newHolder(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.ResourceIssuer()+"/oauth/par",
		strings.NewReader(authservertest.Parameters(app, nil).Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("DPoP", key.proof(t, server.ResourceIssuer()+"/oauth/par", server.Now(), nil))
	status, pushed := server.Do(t, request)
	wantStatus(t, status, http.StatusCreated, pushed)
	code := server.SignIn(t, pushedURL(server, app.ID, pushed)).Get("code")
	status, got := server.Token(t, authservertest.Exchange(app, code, nil))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	status, got, _ = tokenWith(t, server, authservertest.Exchange(app, code, nil), key.proof(t, server.ResourceIssuer()+"/oauth/token", server.Now(), nil))
	wantStatus(t, status, http.StatusOK, got)
}

func TestAKeyIsDemandedOnEveryGrantWhereResourceOrClientDo(t *testing.T) {
	byResource := func(c *catalog.Content) { c.Resources[0].RequireDPoP = true }
	byClient := func(c *catalog.Content) { c.Clients[0].RequireDPoP = true }
	for name, demand := range map[string]func(*catalog.Content){"resource": byResource, "client": byClient} {
		t.Run(name, func(t *testing.T) {
			server := authservertest.New(t)
			agent := authservertest.App{ID: authservertest.AgentID, Redirect: authservertest.AgentRedirect}
			exchange := func(changes url.Values) (int, map[string]any) {
				return basic(t, server, server.ResourceIssuer()+"/oauth/token", authservertest.AgentID, authservertest.AgentSecret, changes)
			}
			first := server.SignIn(t, server.Begin(agent, nil)).Get("code")
			second := server.SignIn(t, server.Begin(agent, nil)).Get("code")
			status, tokens := exchange(authservertest.Exchange(agent, first, changed("client_id")))
			wantStatus(t, status, http.StatusOK, tokens)
			server.Swap(demand)
			before := server.Store.Writes()
			for _, form := range []url.Values{
				{"grant_type": {"client_credentials"}},
				authservertest.Exchange(agent, second, changed("client_id")),
				{"grant_type": {"refresh_token"}, "refresh_token": {text(tokens, "refresh_token")}},
			} {
				status, got := exchange(form)
				wantError(t, status, got, http.StatusBadRequest, oauth.InvalidDPoPProof)
			}
			wantUnchanged(t, server, before)
		})
	}
}

func TestAProofIsRefusedThatCouldBeAnothers(t *testing.T) {
	server := authservertest.New(t)
	target, key := server.ResourceIssuer()+"/oauth/token", newHolder(t)
	app := server.Register(t, nil)
	form := authservertest.Exchange(app, server.SignIn(t, server.Begin(app, nil)).Get("code"), nil)
	good := key.proof(t, target, server.Now(), nil)
	before := server.Store.Writes()
	for name, proofs := range map[string][]string{
		"two of them":     {good, good},
		"not a JWT":       {"x"},
		"another method":  {key.proof(t, target, server.Now(), map[string]any{"htm": "GET"})},
		"another URL":     {key.proof(t, server.Issuer+"/oauth/token", server.Now(), nil)},
		"no id":           {key.proof(t, target, server.Now(), map[string]any{"jti": nil})},
		"another type":    {key.sign(t, "JWT", true, map[string]any{"jti": "1", "htm": "POST", "htu": target, "iat": server.Now().Unix()})},
		"no embedded key": {key.sign(t, "dpop+jwt", false, map[string]any{"jti": "1", "htm": "POST", "htu": target, "iat": server.Now().Unix()})},
		"changed":         {good[:len(good)-4] + "AAAA"},
	} {
		t.Run(name, func(t *testing.T) {
			status, got, _ := tokenWith(t, server, form, proofs...)
			wantError(t, status, got, http.StatusBadRequest, oauth.InvalidDPoPProof)
		})
	}
	wantUnchanged(t, server, before)
	status, got, _ := tokenWith(t, server, form, good)
	wantStatus(t, status, http.StatusOK, got)
}

// A proof is used once at whatever replica.
func TestAttack18_ProofReplayedAtAnotherReplica(t *testing.T) {
	first := authservertest.New(t)
	second := authservertest.New(t, authservertest.WithStore(first.Store.Store), authservertest.WithContent(func(c *catalog.Content) {
		c.Issuer = first.Issuer
	}))
	key := newHolder(t)
	proof := key.proof(t, first.ResourceIssuer()+"/oauth/token", first.Now(), nil)
	form := url.Values{"grant_type": {"client_credentials"}}
	request := func(server *authservertest.Server) (int, map[string]any) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.Address+"/resources/apps-todo/oauth/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("DPoP", proof)
		r.SetBasicAuth(authservertest.AgentID, authservertest.AgentSecret)
		return server.Do(t, r)
	}
	status, got := request(first)
	wantStatus(t, status, http.StatusOK, got)
	for _, server := range []*authservertest.Server{first, second} {
		status, got = request(server)
		wantError(t, status, got, http.StatusBadRequest, oauth.InvalidDPoPProof)
	}
}

func TestAClientWithAWrongClockIsGivenANonce(t *testing.T) {
	server := authservertest.New(t)
	target, key, app := server.ResourceIssuer()+"/oauth/token", newHolder(t), server.Register(t, nil)
	form := authservertest.Exchange(app, server.SignIn(t, server.Begin(app, nil)).Get("code"), nil)
	wrong := server.Now().Add(-time.Hour)
	status, got, header := tokenWith(t, server, form, key.proof(t, target, wrong, nil))
	wantError(t, status, got, http.StatusBadRequest, oauth.UseDPoPNonce)
	nonce := header.Get("DPoP-Nonce")
	for _, bad := range []string{"", "x", nonce + "x", "0" + nonce} {
		status, got, _ = tokenWith(t, server, form, key.proof(t, target, wrong, map[string]any{"nonce": bad}))
		if status != http.StatusBadRequest {
			t.Errorf("nonce %q: got %d %v", bad, status, got)
		}
	}
	server.Advance(6 * time.Minute)
	status, got, _ = tokenWith(t, server, form, key.proof(t, target, wrong, map[string]any{"nonce": nonce}))
	wantError(t, status, got, http.StatusBadRequest, oauth.UseDPoPNonce)
	server.Advance(-6 * time.Minute)
	status, got, _ = tokenWith(t, server, form, key.proof(t, target, wrong, map[string]any{"nonce": nonce}))
	wantStatus(t, status, http.StatusOK, got)
}

func TestARefreshBindsToTheKeyThatItProves(t *testing.T) {
	server := authservertest.New(t)
	app, tokens := signedIn(t, server)
	key, thief := newHolder(t), newHolder(t)
	server.Swap(func(c *catalog.Content) { c.Resources[0].RequireDPoP = true })
	target := server.ResourceIssuer() + "/oauth/token"
	status, got, _ := tokenWith(t, server, authservertest.Refresh(app, text(tokens, "refresh_token")), key.proof(t, target, server.Now(), nil))
	wantStatus(t, status, http.StatusOK, got)
	successor := authservertest.Refresh(app, text(got, "refresh_token"))
	status, got, _ = tokenWith(t, server, successor, thief.proof(t, target, server.Now(), nil))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	status, got, _ = tokenWith(t, server, successor, key.proof(t, target, server.Now(), nil))
	wantStatus(t, status, http.StatusOK, got)
}

func TestAPushWithAWrongClockIsGivenANonceToo(t *testing.T) {
	server := authservertest.New(t)
	app, key := server.Register(t, nil), newHolder(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.ResourceIssuer()+"/oauth/par",
		strings.NewReader(authservertest.Parameters(app, nil).Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("DPoP", key.proof(t, server.ResourceIssuer()+"/oauth/par", server.Now().Add(-time.Hour), nil))
	status, got, header := server.DoHeader(t, request)
	wantError(t, status, got, http.StatusBadRequest, oauth.UseDPoPNonce)
	if header.Get("DPoP-Nonce") == "" {
		t.Error("there is no nonce")
	}
}
