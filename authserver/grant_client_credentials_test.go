package authserver_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

func agentToken(t *testing.T, server *authservertest.Server, changes url.Values) (int, map[string]any) {
	t.Helper()
	values := url.Values{"grant_type": {"client_credentials"}}
	for name, value := range changes {
		values[name] = value
	}
	return basic(t, server, server.ResourceIssuer()+"/oauth/token", authservertest.AgentID, authservertest.AgentSecret, values)
}

func TestAClientActsForItself(t *testing.T) {
	server := authservertest.New(t)
	before := server.Store.Writes()
	status, tokens := agentToken(t, server, changed("scope", "todo:write"))
	wantStatus(t, status, http.StatusOK, tokens)
	claims := verify(t, server, tokens)
	if claims.Subject != authservertest.AgentID || claims.ClientID != authservertest.AgentID || claims.GrantID != "" || claims.Email != "" {
		t.Errorf("claims: got %+v", claims)
	}
	if tokens["scope"] != "todo:write" || tokens["refresh_token"] != nil {
		t.Errorf("token response: got %v", tokens)
	}
	wantUnchanged(t, server, before)
}

func TestAClientOfItsOwnIsInNoGroup(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(staffOnly))
	status, tokens := agentToken(t, server, changed("scope", "todo:read todo:write"))
	wantStatus(t, status, http.StatusOK, tokens)
	if tokens["scope"] != "todo:read" {
		t.Errorf("scope: got %q, want todo:read", tokens["scope"])
	}
	status, got := agentToken(t, server, changed("scope", "todo:write"))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidScope)
}

func TestAClientsOwnLimitHoldsOnEveryGrant(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) {
		c.Clients[0].Scopes = oauth.NewScopeSet("todo:read")
	}))
	app := authservertest.App{ID: authservertest.AgentID, Redirect: authservertest.AgentRedirect}
	answer := server.SignIn(t, server.Begin(app, nil))
	exchange := authservertest.Exchange(app, answer.Get("code"), nil)
	for _, values := range []url.Values{{"grant_type": {"client_credentials"}, "scope": {"todo:read todo:write"}}, exchange} {
		status, tokens := basic(t, server, server.ResourceIssuer()+"/oauth/token", authservertest.AgentID, authservertest.AgentSecret, values)
		wantStatus(t, status, http.StatusOK, tokens)
		if tokens["scope"] != "todo:read" {
			t.Errorf("%s: scope: got %q, want todo:read", values.Get("grant_type"), tokens["scope"])
		}
	}
}

func TestAClientOfItsOwnReachesItsResourcesAlone(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(secondResource))
	status, got := basic(t, server, server.Issuer+"/oauth/token", authservertest.AgentID, authservertest.AgentSecret,
		url.Values{"grant_type": {"client_credentials"}, "resource": {"http://127.0.0.1:9402/mcp"}})
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidTarget)
	status, got = basic(t, server, server.Issuer+"/oauth/token", authservertest.AgentID, authservertest.AgentSecret,
		url.Values{"grant_type": {"client_credentials"}})
	wantStatus(t, status, http.StatusOK, got)
}

func TestClientsThatRegisteredThemselvesCannotLetThemselvesIn(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, map[string]any{
		"grant_types": []string{"authorization_code", "client_credentials"}, "token_endpoint_auth_method": "client_secret_post",
	})
	status, got := server.Token(t, url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ID}, "client_secret": {app.Secret}})
	wantError(t, status, got, http.StatusBadRequest, oauth.UnauthorizedClient)
}
