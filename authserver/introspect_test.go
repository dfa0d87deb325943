package authserver_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

func introspect(t *testing.T, server *authservertest.Server, token string) map[string]any {
	t.Helper()
	status, answer := basic(t, server, server.ResourceIssuer()+"/oauth/introspect", authservertest.AgentID, authservertest.AgentSecret, changed("token", token))
	wantStatus(t, status, http.StatusOK, answer)
	return answer
}

func TestADeclaredClientLearnsOfTheTokensOfItsResource(t *testing.T) {
	server := authservertest.New(t)
	app, tokens := signedIn(t, server)
	got := introspect(t, server, text(tokens, "access_token"))
	if got["active"] != true || got["sub"] != "people|alice" || got["client_id"] != app.ID || got["scope"] != "todo:read todo:write" ||
		got["token_type"] != "Bearer" || got["iss"] != server.ResourceIssuer() || got["exp"] == nil {
		t.Errorf("got %v", got)
	}
}

func TestATokenThatIsWorthNothingIsNotActiveAndSaysNoMore(t *testing.T) {
	server := authservertest.New(t)
	app, tokens := signedIn(t, server)
	_, expired := signedIn(t, server)
	access := text(tokens, "access_token")
	for name, token := range map[string]string{
		"made up":                         "x",
		"changed":                         access[:len(access)-4] + "AAAA",
		"another client's refresh token":  text(tokens, "refresh_token"),
		"of another server":               foreignToken(t),
		"a refresh token that is made up": "mcprt_x.1.y.z",
	} {
		if got := introspect(t, server, token); len(got) != 1 || got["active"] != false {
			t.Errorf("%s: got %v", name, got)
		}
	}
	revokeToken(t, server, app, text(tokens, "refresh_token"))
	if got := introspect(t, server, access); len(got) != 1 || got["active"] != false {
		t.Errorf("revoked: got %v", got)
	}
	server.Advance(16 * time.Minute)
	if got := introspect(t, server, text(expired, "access_token")); len(got) != 1 || got["active"] != false {
		t.Errorf("expired: got %v", got)
	}
}

func foreignToken(t *testing.T) string {
	t.Helper()
	_, tokens := signedIn(t, authservertest.New(t))
	return text(tokens, "access_token")
}

func TestAClientLearnsOfItsOwnRefreshToken(t *testing.T) {
	server := authservertest.New(t)
	agent := authservertest.App{ID: authservertest.AgentID, Redirect: authservertest.AgentRedirect}
	answer := server.SignIn(t, server.Begin(agent, nil))
	form := authservertest.Exchange(agent, answer.Get("code"), changed("client_id"))
	status, tokens := basic(t, server, server.ResourceIssuer()+"/oauth/token", authservertest.AgentID, authservertest.AgentSecret, form)
	wantStatus(t, status, http.StatusOK, tokens)
	if got := introspect(t, server, text(tokens, "refresh_token")); got["active"] != true || got["sub"] != "people|alice" {
		t.Errorf("got %v", got)
	}
}

func TestIntrospectionIsForThoseWhoCouldMeetTheToken(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) {
		secondResource(c)
		c.Clients[0].Resources = []oauth.ResourceID{"apps-mail"}
	}))
	app, tokens := signedIn(t, server)
	if got := introspect(t, server, text(tokens, "access_token")); len(got) != 1 || got["active"] != false {
		t.Errorf("a client of another resource: got %v", got)
	}
	form := url.Values{"client_id": {app.ID}, "token": {text(tokens, "access_token")}}
	status, got := server.Call(t, http.MethodPost, server.ResourceIssuer()+"/oauth/introspect", "application/x-www-form-urlencoded", form.Encode())
	wantError(t, status, got, http.StatusUnauthorized, oauth.InvalidClient)
	status, got = server.Call(t, http.MethodPost, server.ResourceIssuer()+"/oauth/introspect", "application/x-www-form-urlencoded", "token=x")
	wantError(t, status, got, http.StatusUnauthorized, oauth.InvalidClient)
}
