package authserver_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

func push(t *testing.T, server *authservertest.Server, form url.Values) (int, map[string]any) {
	t.Helper()
	return server.Call(t, http.MethodPost, server.ResourceIssuer()+"/oauth/par", "application/x-www-form-urlencoded", form.Encode())
}

func pushedURL(server *authservertest.Server, clientID string, answer map[string]any) string {
	return server.ResourceIssuer() + "/oauth/authorize?" + url.Values{"client_id": {clientID}, "request_uri": {text(answer, "request_uri")}}.Encode()
}

func TestAPushedRequestIsUsedInPlaceOfTheBrowsersParameters(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	status, pushed := push(t, server, authservertest.Parameters(app, nil))
	wantStatus(t, status, http.StatusCreated, pushed)
	if !strings.HasPrefix(text(pushed, "request_uri"), "urn:ietf:params:oauth:request_uri:") || pushed["expires_in"] != 90.0 {
		t.Fatalf("got %v", pushed)
	}
	// What the browser adds counts for nothing.
	target := pushedURL(server, app.ID, pushed) + "&scope=todo:write&redirect_uri=https://attacker.example/&state=other"
	answer := server.SignIn(t, target)
	if answer.Get("state") != "client-state" {
		t.Errorf("state: got %q", answer.Get("state"))
	}
	status, tokens := server.Redeem(t, app, answer)
	wantStatus(t, status, http.StatusOK, tokens)
	if tokens["scope"] != "todo:read todo:write" {
		t.Errorf("scope: got %v", tokens["scope"])
	}
}

func TestAPushedRequestIsUsedOnceByItsClientAtItsIssuerInTime(t *testing.T) {
	for _, test := range []struct {
		name string
		use  func(server *authservertest.Server, app authservertest.App, pushed map[string]any) string
	}{
		{"twice", func(server *authservertest.Server, app authservertest.App, pushed map[string]any) string {
			authservertest.NewBrowser(t).Get(pushedURL(server, app.ID, pushed))
			return pushedURL(server, app.ID, pushed)
		}},
		{"by another client", func(server *authservertest.Server, _ authservertest.App, pushed map[string]any) string {
			return pushedURL(server, authservertest.AgentID, pushed)
		}},
		{"at another issuer", func(server *authservertest.Server, app authservertest.App, pushed map[string]any) string {
			return strings.Replace(pushedURL(server, app.ID, pushed), server.ResourceIssuer(), server.Issuer, 1)
		}},
		{"too late", func(server *authservertest.Server, app authservertest.App, pushed map[string]any) string {
			server.Advance(91 * time.Second)
			return pushedURL(server, app.ID, pushed)
		}},
		{"made up", func(server *authservertest.Server, app authservertest.App, _ map[string]any) string {
			return pushedURL(server, app.ID, map[string]any{"request_uri": "urn:ietf:params:oauth:request_uri:x"})
		}},
		{"a URL of the stranger's", func(server *authservertest.Server, app authservertest.App, _ map[string]any) string {
			return pushedURL(server, app.ID, map[string]any{"request_uri": "https://attacker.example/request.jwt"})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := authservertest.New(t)
			app := server.Register(t, nil)
			status, pushed := push(t, server, authservertest.Parameters(app, nil))
			wantStatus(t, status, http.StatusCreated, pushed)
			wantErrorPage(t, authservertest.NewBrowser(t).Get(test.use(server, app, pushed)))
			if got := server.Store.Writes().Codes; got != 0 {
				t.Errorf("codes: got %d", got)
			}
		})
	}
}

func TestAPushedRequestPassesTheSameChecksAndNothingIsKeptOfABadOne(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(secondResource))
	app := server.Register(t, nil)
	before := server.Store.Writes()
	for _, test := range []struct {
		name    string
		changes url.Values
		status  int
		code    oauth.ErrorCode
	}{
		{"an unregistered redirect", changed("redirect_uri", "https://attacker.example/"), 400, oauth.InvalidRequest},
		{"no PKCE", changed("code_challenge"), 400, oauth.InvalidRequest},
		{"plain PKCE", changed("code_challenge_method", "plain"), 400, oauth.InvalidRequest},
		{"a token response", changed("response_type", "token"), 400, oauth.UnsupportedResponseType},
		{"another resource", changed("resource", "http://127.0.0.1:9402/mcp"), 400, oauth.InvalidTarget},
		{"a request_uri", changed("request_uri", "urn:ietf:params:oauth:request_uri:x"), 400, oauth.InvalidRequest},
		{"a request object", changed("request", "x.y.z"), 400, oauth.RequestNotSupported},
		{"an unknown client", changed("client_id", "nobody"), 401, oauth.InvalidClient},
		{"a parameter twice", changed("state", "a", "b"), 400, oauth.InvalidRequest},
		{"a long nonce", changed("nonce", strings.Repeat("n", 300)), 400, oauth.InvalidRequest},
		{"a bad max_age", changed("max_age", "soon"), 400, oauth.InvalidRequest},
		{"a bad dpop_jkt", changed("dpop_jkt", "short"), 400, oauth.InvalidRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, got := push(t, server, authservertest.Parameters(app, test.changes))
			wantError(t, status, got, test.status, test.code)
		})
	}
	agent := authservertest.App{ID: authservertest.AgentID, Redirect: authservertest.AgentRedirect}
	status, got := push(t, server, authservertest.Parameters(agent, nil))
	wantError(t, status, got, http.StatusUnauthorized, oauth.InvalidClient)
	wantUnchanged(t, server, before)
}

func TestAClientThatHasToPushIsRefusedOtherwise(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) {
		c.Clients[0].RequirePushedRequests = true
		c.Clients[0].AuthMethod = oauth.AuthMethodNone
	}))
	agent := authservertest.App{ID: authservertest.AgentID, Redirect: authservertest.AgentRedirect}
	registered := server.Register(t, map[string]any{"require_pushed_authorization_requests": true})
	for _, app := range []authservertest.App{agent, registered} {
		page := authservertest.NewBrowser(t).Get(server.Begin(app, nil))
		if page.Location == nil || page.Location.Query().Get("error") != "invalid_request" {
			t.Errorf("%s: got %d %v", app.ID, page.Status, page.Location)
		}
		status, pushed := push(t, server, authservertest.Parameters(app, nil))
		wantStatus(t, status, http.StatusCreated, pushed)
		if answer := server.SignIn(t, pushedURL(server, app.ID, pushed)); !answer.Has("code") {
			t.Errorf("got %v", answer)
		}
	}
}

func TestNothingIsKeptOfWhatAuthorizeDoesNotRead(t *testing.T) {
	kept := &pushes{}
	server := authservertest.New(t)
	kept.Store = server.Store.Store
	server.Store.Store = kept
	app := server.Register(t, nil)
	status, pushed := push(t, server, authservertest.Parameters(app, url.Values{
		"client_secret": {"s3cret"}, "padding": {strings.Repeat("\u00e9", 5000)},
	}))
	wantStatus(t, status, http.StatusUnauthorized, pushed) // a public client has no secret
	status, pushed = push(t, server, authservertest.Parameters(app, changed("padding", strings.Repeat("\u00e9", 5000))))
	wantStatus(t, status, http.StatusCreated, pushed)
	if got := kept.last.Parameters; len(got) > 1000 || strings.Contains(got, "padding") {
		t.Errorf("kept: %.200s", got)
	}
}

// pushes remembers the last pushed request.
type pushes struct {
	store.Store
	last store.PushedRequest
}

func (p *pushes) CreatePushedRequest(ctx context.Context, r store.PushedRequest) error {
	p.last = r
	return p.Store.CreatePushedRequest(ctx, r)
}
