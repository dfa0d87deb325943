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
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// everyGrant asks for todo:read and todo:write by each grant type in turn. What has
// to be prepared, such as a code, is prepared before the rules change.
func everyGrant(t *testing.T, server *authservertest.Server, key holder) map[string]func() (int, map[string]any) {
	t.Helper()
	agent := authservertest.App{ID: authservertest.AgentID, Redirect: authservertest.AgentRedirect}
	code := func() string {
		return server.SignIn(t, server.Begin(agent, changed("prompt", "login"))).Get("code")
	}
	status, tokens := asAgent(t, server, authservertest.Exchange(agent, code(), changed("client_id")))
	wantStatus(t, status, http.StatusOK, tokens)
	unredeemed := code()
	scope := url.Values{"scope": {"todo:read todo:write"}}
	return map[string]func() (int, map[string]any){
		"authorization_code": func() (int, map[string]any) {
			return asAgent(t, server, authservertest.Exchange(agent, unredeemed, changed("client_id")))
		},
		"refresh_token": func() (int, map[string]any) {
			return asAgent(t, server, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text(tokens, "refresh_token")}})
		},
		"client_credentials": func() (int, map[string]any) {
			return asAgent(t, server, url.Values{"grant_type": {"client_credentials"}, "scope": scope["scope"]})
		},
		"identity assertion": func() (int, map[string]any) {
			return asAgent(t, server, bearer(idJAG(t, server, key, nil), scope))
		},
		"workload": func() (int, map[string]any) {
			return server.Token(t, bearer(accountToken(t, server, key, nil), url.Values{"client_id": {"worker"}, "scope": scope["scope"]}))
		},
	}
}

// A rule of a scope, a client or a resource holds on every grant (Dex
// GHSA-7qjx-gp9h-65qj, Keycloak CVE-2026-9792): each of these takes todo:write away
// from everybody.
func TestEveryPolicyHoldsOnEveryGrant(t *testing.T) {
	for name, rule := range map[string]func(*catalog.Content){
		"a group that nobody is in":       func(c *catalog.Content) { c.Resources[0].Scopes[1].Groups = []string{"admins"} },
		"an organisation that nobody has": func(c *catalog.Content) { c.Resources[0].Scopes[1].Organizations = []string{"elsewhere"} },
		"a condition that never holds": func(c *catalog.Content) {
			c.Resources[0].Scopes[1].Condition = func(catalog.Grantee) bool { return false }
		},
		"a scope that is gone": func(c *catalog.Content) { c.Resources[0].Scopes = c.Resources[0].Scopes[:1] },
		"clients that may not have it": func(c *catalog.Content) {
			for _, client := range c.Clients {
				client.Scopes = oauth.NewScopeSet("todo:read")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			key := newHolder(t)
			server := trusting(t, key, nil)
			grants := everyGrant(t, server, key)
			server.Swap(rule)
			for grant, ask := range grants {
				status, got := ask()
				if status != http.StatusOK || got["scope"] != "todo:read" {
					t.Errorf("%s: got %d %v, want todo:read alone", grant, status, got)
				}
			}
		})
	}
}

// These leave nobody anything at all.
func TestEveryRefusalHoldsOnEveryGrant(t *testing.T) {
	for name, rule := range map[string]func(*catalog.Content){
		"another resource's client": func(c *catalog.Content) {
			secondResource(c)
			for _, client := range c.Clients {
				client.Resources = []oauth.ResourceID{"apps-mail"}
			}
		},
		"blocked clients": func(c *catalog.Content) { c.Registration.Blocked = []string{"agent", "worker"} },
		"clients blocked by the server": func(c *catalog.Content) {
			c.Resources[0].Registration = &catalog.Registration{Blocked: []string{"agent", "worker"}}
		},
		"no grant types": func(c *catalog.Content) {
			for _, client := range c.Clients {
				client.GrantTypes = nil
			}
		},
		"a key that nobody proved": func(c *catalog.Content) { c.Resources[0].RequireDPoP = true },
		"scopes for nobody": func(c *catalog.Content) {
			for _, scope := range c.Resources[0].Scopes {
				scope.Groups = []string{"admins"}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			key := newHolder(t)
			server := trusting(t, key, nil)
			grants := everyGrant(t, server, key)
			server.Swap(rule)
			before := server.Store.Writes()
			for grant, ask := range grants {
				if status, got := ask(); status/100 != 4 || got["access_token"] != nil {
					t.Errorf("%s: got %d %v", grant, status, got)
				}
			}
			wantUnchanged(t, server, before)
		})
	}
}

// clientAssertion is how a client with a key authenticates (RFC 7523 §2.2).
func clientAssertion(t *testing.T, key holder, id, audience string, now time.Time, changes map[string]any) url.Values {
	t.Helper()
	signed := key.sign(t, "JWT", false, merged(map[string]any{
		"iss": id, "sub": id, "aud": audience, "jti": credential.Random(12), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}, changes))
	return url.Values{
		"client_id": {id}, "client_assertion": {signed},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
}

func with(form, more url.Values) url.Values {
	for name, value := range more {
		form[name] = value
	}
	return form
}

func TestAClientAuthenticatesWithItsKeyAtEveryEndpoint(t *testing.T) {
	key := newHolder(t)
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) {
		c.Clients[0].AuthMethod, c.Clients[0].JWKS = oauth.AuthMethodPrivateKeyJWT, key.jwks(t)
	}))
	agent := authservertest.App{ID: authservertest.AgentID, Redirect: authservertest.AgentRedirect}
	own := server.ResourceIssuer()
	auth := func(audience string) url.Values {
		return clientAssertion(t, key, agent.ID, audience, server.Now(), nil)
	}
	post := func(path string, form url.Values) (int, map[string]any) {
		return server.Call(t, http.MethodPost, own+path, "application/x-www-form-urlencoded", form.Encode())
	}
	status, tokens := post("/oauth/token", with(auth(own), url.Values{"grant_type": {"client_credentials"}}))
	wantStatus(t, status, http.StatusOK, tokens)
	status, got := post("/oauth/introspect", with(auth(own), changed("token", text(tokens, "access_token"))))
	wantStatus(t, status, http.StatusOK, got)
	if got["active"] != true {
		t.Errorf("introspection: got %v", got)
	}
	status, pushed := post("/oauth/par", with(auth(own+"/oauth/par"), authservertest.Parameters(agent, nil)))
	wantStatus(t, status, http.StatusCreated, pushed)
	code := server.SignIn(t, pushedURL(server, agent.ID, pushed)).Get("code")
	status, tokens = post("/oauth/token", with(auth(own+"/oauth/token"), authservertest.Exchange(agent, code, nil)))
	wantStatus(t, status, http.StatusOK, tokens)
	status, got = post("/oauth/revoke", with(auth(own), changed("token", text(tokens, "refresh_token"))))
	wantStatus(t, status, http.StatusOK, got)

	// An assertion is good once, by its client, for this server, and as nothing else.
	once := with(auth(own), url.Values{"grant_type": {"client_credentials"}})
	status, got = post("/oauth/token", once)
	wantStatus(t, status, http.StatusOK, got)
	before := server.Store.Writes()
	stranger := newHolder(t)
	for name, form := range map[string]url.Values{
		"twice":              once,
		"by another key":     clientAssertion(t, stranger, agent.ID, own, server.Now(), nil),
		"for another server": auth("https://other.example"),
		"of another subject": clientAssertion(t, key, agent.ID, own, server.Now(), map[string]any{"sub": "other"}),
		"without an id":      clientAssertion(t, key, agent.ID, own, server.Now(), map[string]any{"jti": nil}),
		"with a secret too":  with(auth(own), changed("client_secret", authservertest.AgentSecret)),
		"a secret in place":  {"client_id": {agent.ID}, "client_secret": {authservertest.AgentSecret}},
		"nothing in place":   {"client_id": {agent.ID}},
		"of another type":    with(auth(own), changed("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")),
		"for another client": with(auth(own), changed("client_id", "other")),
		"an access token":    with(auth(own), changed("client_assertion", text(tokens, "access_token"))),
	} {
		status, got := post("/oauth/token", with(form, url.Values{"grant_type": {"client_credentials"}}))
		if (status != http.StatusUnauthorized && status != http.StatusBadRequest) || got["access_token"] != nil {
			t.Errorf("%s: got %d %v", name, status, got)
		}
	}
	wantUnchanged(t, server, before)
	server.Swap(func(c *catalog.Content) { c.StrictAssertions = true })
	status, got = post("/oauth/token", with(auth(own+"/oauth/token"), url.Values{"grant_type": {"client_credentials"}}))
	wantError(t, status, got, http.StatusUnauthorized, oauth.InvalidClient)
}

// A client that is a document signs in, refreshes and is told on a page what is
// wrong with its document.
func TestAClientMayBeADocument(t *testing.T) {
	const id = "https://claude.example/oauth/client-metadata"
	document := func(content string) func(*catalog.Content) {
		return func(c *catalog.Content) { c.Registration.Documents = map[string]string{id: content} }
	}
	good := `{"client_id":"` + id + `","client_name":"Claude","redirect_uris":["https://claude.example/callback"],
		"grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"none"}`
	server := authservertest.New(t, authservertest.WithContent(document(good)))
	app := authservertest.App{ID: id, Redirect: "https://claude.example/callback"}
	browser := authservertest.NewBrowser(t)
	consent := server.ConsentPage(browser, server.Begin(app, nil), authservertest.Username)
	if !strings.Contains(consent.Body, "claude.example") || !strings.Contains(consent.Body, "Claude") {
		t.Errorf("consent: %s", consent.Body)
	}
	answer := consent.Submit("decision", changed("decision", "approve")).Location.Query()
	status, tokens := server.Redeem(t, app, answer)
	wantStatus(t, status, http.StatusOK, tokens)
	status, tokens = server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	wantStatus(t, status, http.StatusOK, tokens)
	if again := browser.Get(server.Begin(app, nil)); again.Location == nil || !again.Location.Query().Has("code") {
		t.Errorf("the second time: got %d %v", again.Status, again.Location)
	}

	before := server.Store.Writes()
	server.Swap(document(strings.Replace(good, id, "https://other.example/client", 1)))
	page := authservertest.NewBrowser(t).Get(server.Begin(app, nil))
	wantErrorPage(t, page)
	if !strings.Contains(page.Body, "client_id") {
		t.Errorf("the page does not say what is wrong: %s", page.Body)
	}
	status, got := server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	wantError(t, status, got, http.StatusUnauthorized, oauth.InvalidClient)
	server.Swap(func(c *catalog.Content) { document(good)(c); c.Registration.MetadataDocuments = false })
	wantErrorPage(t, authservertest.NewBrowser(t).Get(server.Begin(app, nil)))
	server.Swap(func(c *catalog.Content) {
		document(good)(c)
		c.Resources[0].Registration = &catalog.Registration{Dynamic: true}
	})
	if got := linkBack(t, authservertest.NewBrowser(t).Get(server.Begin(app, nil)), app.Redirect); got.Get("error") != "invalid_target" {
		t.Errorf("at a resource that takes no documents: got %v", got)
	}
	wantUnchanged(t, server, before)
}
