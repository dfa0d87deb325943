package authserver_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/authserver"
	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

func TestBadInputGetsTheErrorThatTheSpecNames(t *testing.T) {
	const jsonType = "application/json"
	big := "grant_type=authorization_code&code=" + strings.Repeat("x", 65<<10)
	long := `{"client_name":"` + strings.Repeat("x", 1<<20) + `"}`
	server := authservertest.New(t)
	for _, test := range []struct {
		name, method, path, contentType, body string
		status                                int
		code                                  oauth.ErrorCode
	}{
		{"wrong method", "GET", "/oauth/token", "", "", 405, oauth.InvalidRequest},
		{"wrong method", "PUT", "/oauth/revoke", form, "", 405, oauth.InvalidRequest},
		{"wrong method", "GET", "/client_register", "", "", 405, oauth.InvalidRequest},
		{"wrong method", "POST", "/keys", form, "", 405, oauth.InvalidRequest},
		{"wrong method", "DELETE", "/oauth/authorize", "", "", 405, oauth.InvalidRequest},
		{"wrong method", "POST", "/.well-known/oauth-authorization-server", form, "", 405, oauth.InvalidRequest},
		{"wrong method", "PATCH", "/oauth/consent", form, "", 405, oauth.InvalidRequest},
		{"wrong method", "POST", "/oauth/callback/people", form, "", 405, oauth.InvalidRequest},

		{"wrong method", "GET", "/oauth/par", "", "", 405, oauth.InvalidRequest},
		{"wrong method", "GET", "/oauth/introspect", "", "", 405, oauth.InvalidRequest},
		{"wrong method", "POST", "/client_register/x", jsonType, "{}", 405, oauth.InvalidRequest},
		{"wrong method", "POST", "/revocations", form, "", 405, oauth.InvalidRequest},
		{"wrong method", "DELETE", "/account", "", "", 405, oauth.InvalidRequest},

		{"oversized", "POST", "/oauth/par", form, big, 400, oauth.InvalidRequest},
		{"oversized", "POST", "/oauth/introspect", form, big, 400, oauth.InvalidRequest},
		{"oversized", "POST", "/oauth/token", form, big, 400, oauth.InvalidRequest},
		{"oversized", "POST", "/oauth/revoke", form, big, 400, oauth.InvalidRequest},
		{"oversized", "POST", "/client_register", jsonType, long, 400, oauth.InvalidClientMetadata},

		{"wrong type", "POST", "/oauth/token", jsonType, `{"grant_type":"client_credentials"}`, 400, oauth.InvalidRequest},
		{"wrong type", "POST", "/oauth/revoke", "multipart/form-data; boundary=x", "--x--", 400, oauth.InvalidRequest},
		{"wrong type", "POST", "/client_register", form, "client_name=x", 400, oauth.InvalidClientMetadata},
		{"wrong type", "POST", "/oauth/par", jsonType, "{}", 400, oauth.InvalidRequest},
		{"wrong type", "POST", "/oauth/introspect", jsonType, "{}", 400, oauth.InvalidRequest},
		{"no type", "POST", "/oauth/token", "", "grant_type=client_credentials", 400, oauth.InvalidRequest},
		{"malformed type", "POST", "/oauth/token", "a/b; c", "grant_type=client_credentials", 400, oauth.InvalidRequest},

		{"malformed", "POST", "/oauth/token", form, "grant_type=%zz", 400, oauth.InvalidRequest},
		{"malformed", "POST", "/oauth/revoke", form, "a;b", 400, oauth.InvalidRequest},
		{"malformed", "POST", "/client_register", jsonType, "{", 400, oauth.InvalidClientMetadata},
		{"not UTF-8", "POST", "/oauth/token", form, "client_id=%ff", 400, oauth.InvalidRequest},
		{"a null character", "POST", "/oauth/token", form, "client_id=%00", 400, oauth.InvalidRequest},
		{"nothing", "POST", "/oauth/token", form, "", 401, oauth.InvalidClient},
		{"nothing", "POST", "/oauth/revoke", form, "", 401, oauth.InvalidClient},
		{"nothing", "POST", "/oauth/par", form, "", 401, oauth.InvalidClient},
		{"nothing", "POST", "/oauth/introspect", form, "", 401, oauth.InvalidClient},
		{"nothing", "GET", "/client_register/x", "", "", 401, oauth.InvalidToken},
		{"nothing", "DELETE", "/client_register/x", "", "", 401, oauth.InvalidToken},
		{"nothing", "POST", "/client_register", jsonType, "", 400, oauth.InvalidClientMetadata},

		{"duplicate", "POST", "/oauth/token", form, "client_id=agent&client_id=agent", 400, oauth.InvalidRequest},
		{"duplicate", "POST", "/oauth/token", form, "client_id=agent&x=1&x=2", 400, oauth.InvalidRequest},
		{"duplicate", "POST", "/oauth/revoke", form, "token=a&token=", 400, oauth.InvalidRequest},
		{"duplicate", "POST", "/oauth/par", form, "client_id=a&client_id=b", 400, oauth.InvalidRequest},
		{"duplicate", "POST", "/oauth/introspect", form, "token=a&token=b", 400, oauth.InvalidRequest},
		{"an endless client_id", "POST", "/oauth/token", form, "client_id=" + strings.Repeat("x", 10000), 401, oauth.InvalidClient},
	} {
		for _, prefix := range []string{"", "/resources/apps-todo"} {
			if prefix != "" && !strings.HasSuffix(test.path, "token") && !strings.HasSuffix(test.path, "register") {
				continue
			}
			t.Run(strings.Join([]string{test.name, test.method, prefix + test.path}, " "), func(t *testing.T) {
				status, got := server.Call(t, test.method, server.Issuer+prefix+test.path, test.contentType, test.body)
				wantError(t, status, got, test.status, test.code)
				wantUnchanged(t, server, authservertest.Writes{})
			})
		}
	}
}

func TestAWrongMethodIsToldTheRightOnes(t *testing.T) {
	server := authservertest.New(t)
	page := authservertest.NewBrowser(t).Get(server.Issuer + "/oauth/token")
	if got := page.Header.Get("Allow"); page.Status != http.StatusMethodNotAllowed || got != "POST" {
		t.Errorf("got %d, Allow %q", page.Status, got)
	}
}

func TestBadAuthorizationRequestsAreAnsweredWhereTheyMayBe(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	for _, test := range []struct {
		name    string
		changes url.Values
		// code is what the client is told; empty means an error page.
		code string
	}{
		{"no client", changed("client_id"), ""},
		{"unknown client", changed("client_id", "mcpc_gone"), ""},
		{"client twice", changed("client_id", "a", "b"), ""},
		{"redirect twice", changed("redirect_uri", authservertest.AppRedirect, authservertest.AppRedirect), ""},
		{"unregistered redirect", changed("redirect_uri", "https://evil.example/cb"), ""},
		{"no response type", changed("response_type"), "invalid_request"},
		{"implicit", changed("response_type", "token"), "unsupported_response_type"},
		{"hybrid", changed("response_type", "code id_token"), "unsupported_response_type"},
		{"fragment mode", changed("response_mode", "fragment"), "invalid_request"},
		{"form_post", changed("response_mode", "form_post"), "invalid_request"},
		{"no challenge", changed("code_challenge"), "invalid_request"},
		{"no method", changed("code_challenge_method"), "invalid_request"},
		{"short challenge", changed("code_challenge", "abc"), "invalid_request"},
		{"unknown resource", changed("resource", "https://other.example/mcp"), "invalid_target"},
		{"malformed resource", changed("resource", "not a url"), "invalid_target"},
		{"resource with a fragment", changed("resource", authservertest.ResourceURL+"#x"), "invalid_target"},
		{"two resources", changed("resource", authservertest.ResourceURL, "https://other.example/mcp"), "invalid_target"},
		{"scope with odd characters", changed("scope", "todo:read \""), "invalid_scope"},
		{"two hundred scopes", changed("scope", strings.Repeat("a b ", 100)), "invalid_scope"},
		{"scope twice", changed("scope", "a", "b"), "invalid_request"},
		{"unknown parameter twice", changed("x", "a", "b"), "invalid_request"},
		{"no page allowed", changed("prompt", "none"), "login_required"},
		{"no page allowed, and one", changed("prompt", "none login"), "invalid_request"},
		{"endless state", changed("state", strings.Repeat("x", 3000)), "invalid_request"},
		{"endless nonce", changed("nonce", strings.Repeat("x", 300)), "invalid_request"},
		{"endless hint", changed("login_hint", strings.Repeat("x", 300)), "invalid_request"},
		{"endless classes", changed("acr_values", strings.Repeat("x ", 200)), "invalid_request"},
		{"a request object", changed("request", "x.y.z"), "request_not_supported"},
		{"a request elsewhere", changed("request_uri", "https://other.example/request.jwt"), ""},
		{"an age that is no number", changed("max_age", "soon"), "invalid_request"},
		{"an age before now", changed("max_age", "-1"), "invalid_request"},
		{"an endless age", changed("max_age", "99999999999999999999"), "invalid_request"},
		{"a key that is none", changed("dpop_jkt", "short"), "invalid_request"},
		{"ten resources", url.Values{"resource": slices.Repeat([]string{authservertest.ResourceURL}, 10)}, "invalid_target"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := server.Store.Writes()
			page := authservertest.NewBrowser(t).Get(server.Begin(app, test.changes))
			if test.code == "" {
				wantErrorPage(t, page)
			} else {
				wantErrorRedirect(t, server, page, test.code)
			}
			wantUnchanged(t, server, before)
		})
	}
}

func wantErrorPage(t *testing.T, page *authservertest.Page) {
	t.Helper()
	if page.Status != http.StatusBadRequest || page.Location != nil {
		t.Fatalf("got %d, Location %v, want an error page", page.Status, page.Location)
	}
	if !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || !strings.Contains(page.Body, `role="alert"`) {
		t.Errorf("got %s: %s", page.Header.Get("Content-Type"), page.Body)
	}
}

func wantErrorRedirect(t *testing.T, server *authservertest.Server, page *authservertest.Page, code string) {
	t.Helper()
	if page.Status != http.StatusSeeOther || page.Location == nil || !strings.HasPrefix(page.Location.String(), authservertest.AppRedirect+"?") {
		t.Fatalf("got %d, Location %v, want a redirect to the client: %s", page.Status, page.Location, page.Body)
	}
	got := page.Location.Query()
	if got.Get("error") != code || got.Get("error_description") == "" || got.Get("iss") != server.ResourceIssuer() || got.Has("code") {
		t.Errorf("authorization response: got %v, want %s with iss", got, code)
	}
	if state := got.Get("state"); state != "client-state" && !strings.Contains(got.Get("error_description"), "state") {
		t.Errorf("state: got %q", state)
	}
}

func TestPagesRefuseWhatTheyDidNotMake(t *testing.T) {
	server := authservertest.New(t)
	browser := authservertest.NewBrowser(t)
	for _, path := range []string{"/oauth/signin", "/oauth/consent"} {
		for _, request := range []string{"", "x", "x.y", strings.Repeat("x", 70<<10)} {
			wantErrorPage(t, browser.Post(server.Issuer+path, url.Values{"request": {request}, "decision": {"approve"}}))
		}
		wantErrorPage(t, browser.Get(server.Issuer+path))
		wantErrorPage(t, browser.Get(server.Issuer+path+"?request=%zz"))
	}
	if page := browser.Get(server.Issuer + "/oauth/callback/nobody?state=x&code=y"); page.Status != http.StatusNotFound {
		t.Errorf("an unknown provider: got %d", page.Status)
	}
	wantUnchanged(t, server, authservertest.Writes{})
}

func TestAFailingStoreIsAServerErrorWithoutDetails(t *testing.T) {
	server := authservertest.New(t)
	server.Store.Break(errors.New("disk sda1 is on fire"))
	status, got := server.Token(t, url.Values{"client_id": {"mcpc_x"}, "grant_type": {"refresh_token"}})
	wantError(t, status, got, http.StatusInternalServerError, oauth.ServerError)
	if strings.Contains(asJSON(t, got), "fire") {
		t.Errorf("the answer tells the cause: %v", got)
	}
	page := authservertest.NewBrowser(t).Get(server.Issuer + "/oauth/authorize?client_id=mcpc_x")
	if page.Status != http.StatusInternalServerError || strings.Contains(page.Body, "fire") {
		t.Errorf("got %d: %s", page.Status, page.Body)
	}
}

type panicking struct{ authserver.Secrets }

func (panicking) ClientSecrets(string) []credential.Hash { panic("the secret is hunter2") }

func TestAPanicIsAServerErrorWithoutDetails(t *testing.T) {
	server := authservertest.New(t, authservertest.WithServer(func(o *authserver.Options) {
		o.Secrets = panicking{o.Secrets}
		o.Logger = slog.New(slog.DiscardHandler)
	}))
	status, got := server.Token(t, url.Values{"client_id": {authservertest.AgentID}, "grant_type": {"client_credentials"}})
	wantError(t, status, got, http.StatusInternalServerError, oauth.ServerError)
	if strings.Contains(asJSON(t, got), "hunter2") {
		t.Errorf("the answer tells the cause: %v", got)
	}
}
