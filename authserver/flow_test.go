package authserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

func TestACodeFlowGivesATokenForTheResource(t *testing.T) {
	for _, path := range []string{"", "/auth/eu"} {
		server := authservertest.New(t, authservertest.WithPath(path))
		app := server.Register(t, nil)
		answer := server.SignIn(t, server.Begin(app, nil))
		if answer.Get("state") != "client-state" || answer.Get("iss") != server.ResourceIssuer() || len(answer) != 3 {
			t.Fatalf("authorization response: got %v", answer)
		}
		status, tokens := server.Redeem(t, app, answer)
		wantStatus(t, status, http.StatusOK, tokens)
		got := verify(t, server, tokens)
		if got.Subject != "people|alice" || got.Email != "alice@example.com" || got.ClientID != app.ID || got.Issuer != server.ResourceIssuer() {
			t.Errorf("claims: got %+v", got)
		}
		if diff := cmp.Diff([]string{authservertest.ResourceURL, string(authservertest.ResourceID)}, got.Audience); diff != "" {
			t.Errorf("audience (-want +got):\n%s", diff)
		}
		if got.Expiry.Sub(got.IssuedAt) != 15*time.Minute || got.ID == "" || got.GrantID == "" {
			t.Errorf("claims: got %+v", got)
		}
		delete(tokens, "access_token")
		if text(tokens, "refresh_token") == "" {
			t.Error("there is no refresh token for a client that registered for it")
		}
		delete(tokens, "refresh_token")
		want := map[string]any{"token_type": "Bearer", "expires_in": 900.0, "scope": "todo:read todo:write"}
		if diff := cmp.Diff(want, tokens); diff != "" {
			t.Errorf("token response (-want +got):\n%s", diff)
		}
	}
}

func TestTheRootIssuerServesAResourceThatTheRequestNames(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(secondResource))
	app := server.Register(t, nil)
	answer := server.SignIn(t, server.Issuer+"/oauth/authorize?"+authservertest.Parameters(app, nil).Encode())
	if answer.Get("iss") != server.Issuer {
		t.Fatalf("iss: got %q, want the root issuer", answer.Get("iss"))
	}
	form := authservertest.Exchange(app, answer.Get("code"), changed("resource", strings.ToUpper("http")+"://127.0.0.1:9401/mcp"))
	status, tokens := server.Call(t, http.MethodPost, server.Issuer+"/oauth/token", "application/x-www-form-urlencoded", form.Encode())
	wantStatus(t, status, http.StatusOK, tokens)
	if got := verify(t, server, tokens); got.Issuer != server.Issuer {
		t.Errorf("iss of the token: got %q, want the root issuer", got.Issuer)
	}
}

func TestARequestWithoutAResourceMeansTheOnlyOneItCouldMean(t *testing.T) {
	for _, test := range []struct {
		name    string
		content func(*catalog.Content)
		// root says that the client registered at the root issuer, for everything.
		root bool
		want string
	}{
		{"of one resource", func(*catalog.Content) {}, true, ""},
		{"of several, one within reach", secondResource, false, ""},
		{"of several within reach", secondResource, true, "invalid_target"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := authservertest.New(t, authservertest.WithContent(test.content))
			app := server.Register(t, nil)
			if test.root {
				status, answer := server.Call(t, http.MethodPost, server.Issuer+"/client_register", "application/json",
					asJSON(t, map[string]any{"redirect_uris": []string{app.Redirect}, "token_endpoint_auth_method": "none"}))
				wantStatus(t, status, http.StatusCreated, answer)
				app.ID = text(answer, "client_id")
			}
			params := authservertest.Parameters(app, changed("resource"))
			page := authservertest.NewBrowser(t).Get(server.Issuer + "/oauth/authorize?" + params.Encode())
			if got := page.Location.Query().Get("error"); got != test.want {
				t.Errorf("error: got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAuthorizeTakesAFormToo(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	page := authservertest.NewBrowser(t).Post(server.ResourceIssuer()+"/oauth/authorize", authservertest.Parameters(app, nil))
	if page = page.Follow(server.Issuer); !strings.Contains(page.Body, `name="password"`) {
		t.Errorf("got %d without a sign-in form: %s", page.Status, page.Body)
	}
}

func TestUnknownAndEmptyParametersAreIgnored(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	params := authservertest.Parameters(app, url.Values{"nonce": {"n"}, "response_mode": {""}, "prompt": {"consent"}, "scope": {""}})
	answer := server.SignIn(t, server.ResourceIssuer()+"/oauth/authorize?"+params.Encode())
	status, tokens := server.Token(t, authservertest.Exchange(app, answer.Get("code"), url.Values{"client_secret": {""}, "audience": {"x"}}))
	wantStatus(t, status, http.StatusOK, tokens)
	if tokens["scope"] != "todo:read" {
		t.Errorf("scope: got %q, want the default one", tokens["scope"])
	}
}

func TestScopesThatNobodyKnowsAreDropped(t *testing.T) {
	for _, test := range []struct{ name, requested, want string }{
		{"beside known ones", "openid todo:write offline_access", "todo:write"},
		{"alone: the default", "openid email profile", "todo:read"},
		{"twice the same", "todo:read todo:read", "todo:read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := authservertest.New(t)
			app := server.Register(t, nil)
			status, tokens := server.Redeem(t, app, server.SignIn(t, server.Begin(app, changed("scope", test.requested))))
			wantStatus(t, status, http.StatusOK, tokens)
			if tokens["scope"] != test.want {
				t.Errorf("scope: got %q, want %q", tokens["scope"], test.want)
			}
		})
	}
}

func TestAResourceWithoutScopesGivesTokensWithoutScopes(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) { c.Resources[0].Scopes = nil }))
	app := server.Register(t, nil)
	status, tokens := server.Redeem(t, app, server.SignIn(t, server.Begin(app, nil)))
	wantStatus(t, status, http.StatusOK, tokens)
	if scope, there := tokens["scope"]; !there || scope != "" {
		t.Errorf("scope: got %v, want an empty one that is stated", scope)
	}
}

func TestAScopeForAGroupIsGrantedToItsMembersAlone(t *testing.T) {
	for user, want := range map[string]string{authservertest.Username: "todo:read todo:write", authservertest.OtherUsername: "todo:read"} {
		server := authservertest.New(t, authservertest.WithContent(staffOnly))
		app := server.Register(t, nil)
		browser := authservertest.NewBrowser(t)
		consent := server.ConsentPage(browser, server.Begin(app, nil), user)
		if shown := strings.Contains(consent.Body, "Create and delete tasks"); shown != strings.Contains(want, "todo:write") {
			t.Errorf("%s: the consent page shows the scope: %v", user, shown)
		}
		end := consent.Submit("decision", changed("decision", "approve"))
		status, tokens := server.Redeem(t, app, end.Location.Query())
		wantStatus(t, status, http.StatusOK, tokens)
		if tokens["scope"] != want {
			t.Errorf("%s: scope: got %q, want %q", user, tokens["scope"], want)
		}
	}
}

func TestAnAccountThatMayHaveNothingIsToldSoAndSentBack(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(staffOnly))
	app := server.Register(t, nil)
	consent := server.ConsentPage(authservertest.NewBrowser(t), server.Begin(app, changed("scope", "todo:write")), authservertest.OtherUsername)
	if strings.Contains(consent.Body, `value="approve"`) || !strings.Contains(consent.Body, "No access for this account") {
		t.Fatalf("the page offers approval: %s", consent.Body)
	}
	for _, decision := range []string{"approve", "deny"} {
		end := consent.Submit("decision", changed("decision", decision))
		if got := end.Location.Query().Get("error"); got != string(oauth.AccessDenied) {
			t.Errorf("%s: error: got %q, want access_denied", decision, got)
		}
	}
	if got := server.Store.Writes().Codes; got != 0 {
		t.Errorf("codes: got %d, want none", got)
	}
}

func TestDenyingSendsTheClientAccessDenied(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	consent := server.ConsentPage(authservertest.NewBrowser(t), server.Begin(app, nil), authservertest.Username)
	before := server.Store.Writes()
	end := consent.Submit("decision", changed("decision", "deny"))
	got := end.Location.Query()
	if got.Get("error") != "access_denied" || got.Get("state") != "client-state" || got.Get("iss") != server.ResourceIssuer() || got.Has("code") {
		t.Errorf("authorization response: got %v", got)
	}
	wantUnchanged(t, server, before)
}

func TestAPrivateUseRedirectKeepsItsOwnQuery(t *testing.T) {
	server := authservertest.New(t)
	const redirect = "cursor://anysphere.cursor-mcp/oauth/callback?window=2"
	app := server.Register(t, map[string]any{"redirect_uris": []string{redirect}})
	browser := authservertest.NewBrowser(t)
	end := server.ConsentPage(browser, server.Begin(app, nil), authservertest.Username).Submit("decision", changed("decision", "approve"))
	if got := end.Header.Get("Location"); !strings.HasPrefix(got, redirect+"&code=mcpcode_") {
		t.Errorf("Location: got %q", got)
	}
}

func TestTheOnlyRegisteredRedirectNeedsNoMention(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	answer := server.SignIn(t, server.Begin(app, changed("redirect_uri")))
	status, tokens := server.Token(t, authservertest.Exchange(app, answer.Get("code"), changed("redirect_uri")))
	wantStatus(t, status, http.StatusOK, tokens)
}

func TestAJourneyEndsWhenItTakesTooLong(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	consent := server.ConsentPage(authservertest.NewBrowser(t), server.Begin(app, nil), authservertest.Username)
	before := server.Store.Writes()
	server.Advance(16 * time.Minute)
	if end := consent.Submit("decision", changed("decision", "approve")); end.Status != http.StatusBadRequest || end.Location != nil {
		t.Errorf("got %d, Location %v, want an error page", end.Status, end.Location)
	}
	wantUnchanged(t, server, before)
}

func TestACodeExpires(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	answer := server.SignIn(t, server.Begin(app, nil))
	server.Advance(3 * time.Minute)
	status, got := server.Redeem(t, app, answer)
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
}
