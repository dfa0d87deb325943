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

const mailURL = "http://127.0.0.1:9402/mcp"

// rootApp is a client that registered at the root issuer, for everything.
func rootApp(t *testing.T, server *authservertest.Server) authservertest.App {
	t.Helper()
	status, answer := server.Call(t, http.MethodPost, server.Issuer+"/client_register", "application/json", asJSON(t, map[string]any{
		"redirect_uris": []string{authservertest.AppRedirect}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"},
	}))
	wantStatus(t, status, http.StatusCreated, answer)
	return authservertest.App{ID: text(answer, "client_id"), Redirect: authservertest.AppRedirect}
}

func rootToken(t *testing.T, server *authservertest.Server, form url.Values) (int, map[string]any) {
	t.Helper()
	return server.Call(t, http.MethodPost, server.Issuer+"/oauth/token", "application/x-www-form-urlencoded", form.Encode())
}

func TestOneConsentMayBeForSeveralResourcesAndATokenIsForOne(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(secondResource))
	app := rootApp(t, server)
	params := authservertest.Parameters(app, url.Values{"resource": {authservertest.ResourceURL, mailURL}, "scope": {"todo:read mail:send"}})
	browser := authservertest.NewBrowser(t)
	consent := server.ConsentPage(browser, server.Issuer+"/oauth/authorize?"+params.Encode(), authservertest.Username)
	for _, want := range []string{"Todo", "Mail", "Read your tasks", "Send mail"} {
		if !strings.Contains(consent.Body, want) {
			t.Errorf("consent does not say %q", want)
		}
	}
	answer := consent.Submit("decision", changed("decision", "approve")).Location.Query()
	status, tokens := rootToken(t, server, authservertest.Exchange(app, answer.Get("code"), nil))
	wantStatus(t, status, http.StatusOK, tokens)
	if got := verify(t, server, tokens); got.Scope.String() != "todo:read" {
		t.Errorf("the first resource's token: got scope %q", got.Scope)
	}
	refresh := authservertest.Refresh(app, text(tokens, "refresh_token"))
	refresh.Set("resource", mailURL)
	status, mail := rootToken(t, server, refresh)
	wantStatus(t, status, http.StatusOK, mail)
	if mail["scope"] != "mail:send" {
		t.Errorf("the second resource's token: got scope %v", mail["scope"])
	}
	refresh = authservertest.Refresh(app, text(mail, "refresh_token"))
	refresh["resource"] = []string{authservertest.ResourceURL, mailURL}
	status, got := rootToken(t, server, refresh)
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidTarget)
}

func TestAResourcesIssuerIsForThatResourceAlone(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(secondResource))
	app := server.Register(t, nil)
	page := authservertest.NewBrowser(t).Get(server.Begin(app, changed("resource", authservertest.ResourceURL, mailURL)))
	wantErrorRedirect(t, server, page, "invalid_target")
	page = authservertest.NewBrowser(t).Get(server.Begin(app, changed("resource", authservertest.ResourceURL, authservertest.ResourceURL)))
	if !strings.HasPrefix(page.Location.Path, "/oauth/signin") {
		t.Errorf("the same resource twice: got %v", page.Location)
	}
	many := make([]string, 9)
	for i := range many {
		many[i] = authservertest.ResourceURL
	}
	wantErrorRedirect(t, server, authservertest.NewBrowser(t).Get(server.Begin(app, url.Values{"resource": many})), "invalid_target")
}

func TestAnIDTokenIsForThoseWhoWereGrantedOpenID(t *testing.T) {
	for _, test := range []struct {
		name      string
		offered   bool
		requested string
		scope     string
		id, email bool
	}{
		{"offered and asked for", true, "openid email todo:read", "todo:read openid email", true, true},
		{"without email", true, "openid todo:write", "todo:write openid", true, false},
		{"alone, with the resource's default", true, "openid", "todo:read openid", true, false},
		{"not asked for", true, "todo:read", "todo:read", false, false},
		{"not offered", false, "openid email todo:read", "todo:read", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) { c.Resources[0].OpenID = test.offered }))
			app := server.Register(t, nil)
			answer := server.SignIn(t, server.Begin(app, url.Values{"scope": {test.requested}, "nonce": {"n-0S6"}}))
			status, tokens := server.Redeem(t, app, answer)
			wantStatus(t, status, http.StatusOK, tokens)
			if tokens["scope"] != test.scope {
				t.Errorf("scope: got %q, want %q", tokens["scope"], test.scope)
			}
			raw := text(tokens, "id_token")
			if (raw != "") != test.id {
				t.Fatalf("id_token: got %q", raw)
			}
			if raw == "" {
				return
			}
			claims := idClaims(t, server, raw)
			if claims["iss"] != server.ResourceIssuer() || claims["aud"] != app.ID || claims["sub"] != "people|alice" || claims["nonce"] != "n-0S6" || claims["auth_time"] == nil {
				t.Errorf("claims: got %v", claims)
			}
			if (claims["email"] != nil) != test.email {
				t.Errorf("email: got %v", claims["email"])
			}
			// It is no access token.
			form := url.Values{"client_id": {app.ID}, "token": {raw}}
			before := server.Store.Writes()
			server.Call(t, http.MethodPost, server.ResourceIssuer()+"/oauth/revoke", "application/x-www-form-urlencoded", form.Encode())
			wantUnchanged(t, server, before)
		})
	}
}

func TestAGrantOfSeveralResourcesIsIdleAsTheStrictestSays(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) {
		secondResource(c)
		c.Resources[0].RefreshTokenIdle = time.Hour
	}))
	app := rootApp(t, server)
	params := authservertest.Parameters(app, url.Values{"resource": {authservertest.ResourceURL, mailURL}, "scope": {"todo:read mail:send"}})
	answer := server.SignIn(t, server.Issuer+"/oauth/authorize?"+params.Encode())
	status, tokens := rootToken(t, server, authservertest.Exchange(app, answer.Get("code"), nil))
	wantStatus(t, status, http.StatusOK, tokens)
	refresh := authservertest.Refresh(app, text(tokens, "refresh_token"))
	refresh.Set("resource", mailURL)
	status, tokens = rootToken(t, server, refresh)
	wantStatus(t, status, http.StatusOK, tokens)
	server.Advance(2 * time.Hour)
	status, got := rootToken(t, server, authservertest.Refresh(app, text(tokens, "refresh_token")))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
}

// A default of one resource is not what somebody asked of another.
func TestADefaultOfOneResourceIsNotGrantedAtAnother(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) {
		secondResource(c)
		c.Resources[1].Scopes = append(c.Resources[1].Scopes, &catalog.Scope{Name: "todo:write", Description: "Write about tasks", Default: true})
	}))
	app := rootApp(t, server)
	begin := func(scope string) *authservertest.Page {
		params := authservertest.Parameters(app, url.Values{"resource": {authservertest.ResourceURL, mailURL}, "scope": {scope}})
		return authservertest.NewBrowser(t).Get(server.Issuer + "/oauth/authorize?" + params.Encode())
	}
	if page := begin("todo:read"); page.Location == nil || page.Location.Query().Get("error") != "invalid_scope" {
		t.Errorf("a scope of one alone: got %d %v", page.Status, page.Location)
	}
	if page := begin("todo:read mail:send"); page.Location == nil || page.Location.Query().Has("error") {
		t.Errorf("a scope of each: got %d %v", page.Status, page.Location)
	}
}
