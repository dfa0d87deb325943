package authserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

func register(t *testing.T, server *authservertest.Server, body string) (int, map[string]any) {
	t.Helper()
	return server.Call(t, http.MethodPost, server.ResourceIssuer()+"/client_register", "application/json", body)
}

func TestARegistrationEchoesWhatWasReallyRegistered(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       map[string]any
		secret     bool
	}{
		{
			"the defaults of RFC 7591", `{"redirect_uris":["http://localhost/callback"]}`,
			map[string]any{
				"redirect_uris": []any{"http://localhost/callback"}, "grant_types": []any{"authorization_code"},
				"response_types": []any{"code"}, "token_endpoint_auth_method": "client_secret_basic", "client_secret_expires_at": 0.0,
			}, true,
		},
		{
			"VS Code", `{"client_name":"Visual Studio Code","application_type":"native","token_endpoint_auth_method":"none","scope":"",
				"grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"],"response_types":["code"],
				"redirect_uris":["http://127.0.0.1:33418/","https://vscode.dev/redirect"],"logo_uri":"https://evil.example/x","jwks_uri":"http://169.254.169.254/"}`,
			map[string]any{
				"client_name": "Visual Studio Code", "redirect_uris": []any{"http://127.0.0.1:33418/", "https://vscode.dev/redirect"},
				"grant_types": []any{"authorization_code", "refresh_token"}, "response_types": []any{"code"}, "token_endpoint_auth_method": "none",
			}, false,
		},
		{
			"one redirect twice", `{"redirect_uris":["cursor://x/cb","cursor://x/cb"],"token_endpoint_auth_method":"client_secret_post"}`,
			map[string]any{
				"redirect_uris": []any{"cursor://x/cb"}, "grant_types": []any{"authorization_code"}, "response_types": []any{"code"},
				"token_endpoint_auth_method": "client_secret_post", "client_secret_expires_at": 0.0,
			}, true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := authservertest.New(t)
			status, got := register(t, server, test.body)
			wantStatus(t, status, http.StatusCreated, got)
			if secret := text(got, "client_secret"); (secret != "") != test.secret {
				t.Errorf("client_secret: got %q", secret)
			}
			if text(got, "client_id") == "" || got["client_id_issued_at"] == nil || text(got, "registration_access_token") == "" ||
				text(got, "registration_client_uri") != server.ResourceIssuer()+"/client_register/"+text(got, "client_id") {
				t.Errorf("got %v", got)
			}
			for _, name := range []string{"client_id", "client_id_issued_at", "client_secret", "registration_access_token", "registration_client_uri"} {
				delete(got, name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("registration (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARegistrationThatCannotBeIsRefusedWithItsReason(t *testing.T) {
	wish := func(member string) string {
		return `{"redirect_uris":["https://app.example/cb"],` + member + `}`
	}
	for _, test := range []struct {
		name, body string
		code       oauth.ErrorCode
	}{
		{"no redirect", `{}`, oauth.InvalidRedirectURI},
		{"eleven redirects", `{"redirect_uris":["` + strings.Repeat(`https://a.example/","`, 10) + `https://b.example/"]}`, oauth.InvalidRedirectURI},
		{"a script", `{"redirect_uris":["JavaScript:alert(1)"]}`, oauth.InvalidRedirectURI},
		{"http of elsewhere", `{"redirect_uris":["http://app.example/cb"]}`, oauth.InvalidRedirectURI},
		{"a fragment", `{"redirect_uris":["https://app.example/cb#x"]}`, oauth.InvalidRedirectURI},
		{"a relative one", `{"redirect_uris":["/cb"]}`, oauth.InvalidRedirectURI},
		{"an empty one", `{"redirect_uris":[""]}`, oauth.InvalidRedirectURI},
		{"unknown method", wish(`"token_endpoint_auth_method":"tls_client_auth"`), oauth.InvalidClientMetadata},
		{"no grant that begins", wish(`"grant_types":["refresh_token"]`), oauth.InvalidClientMetadata},
		{"acting for itself", wish(`"grant_types":["client_credentials"]`), oauth.InvalidClientMetadata},
		{"implicit", wish(`"response_types":["token"]`), oauth.InvalidClientMetadata},
		{"a long name", wish(`"client_name":"` + strings.Repeat("x", 201) + `"`), oauth.InvalidClientMetadata},
		{"a name with controls", wish(`"client_name":"a\u0007b"`), oauth.InvalidClientMetadata},
		{"a name that turns around", wish(`"client_name":"a\u202eb"`), oauth.InvalidClientMetadata},
		{"a name of another type", wish(`"client_name":7`), oauth.InvalidClientMetadata},
		{"not JSON", `{`, oauth.InvalidClientMetadata},
		{"an array", `[]`, oauth.InvalidClientMetadata},
		{"null", `null`, oauth.InvalidClientMetadata},
		{"two objects", `{}{}`, oauth.InvalidClientMetadata},
		{"nothing", ``, oauth.InvalidClientMetadata},
		{"not UTF-8", wish("\"client_name\":\"\xff\""), oauth.InvalidClientMetadata},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := authservertest.New(t)
			status, got := register(t, server, test.body)
			wantError(t, status, got, http.StatusBadRequest, test.code)
			wantUnchanged(t, server, authservertest.Writes{})
		})
	}
}

func TestWithRegistrationOffNobodyRegisters(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) { c.Registration.Dynamic = false }))
	status, got := register(t, server, `{"redirect_uris":["https://app.example/cb"]}`)
	wantError(t, status, got, http.StatusForbidden, oauth.AccessDenied)
	wantUnchanged(t, server, authservertest.Writes{})
}

func TestAllowedHostsHoldAtRegistrationAndEverAfter(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, map[string]any{"redirect_uris": []string{"https://app.example/cb"}})
	server.Swap(func(c *catalog.Content) { c.Registration.RedirectHosts = []string{"claude.ai"} })
	for uri, want := range map[string]int{
		"https://claude.ai/api/mcp/auth_callback": http.StatusCreated, "https://CLAUDE.ai/cb": http.StatusCreated,
		"http://127.0.0.1/cb": http.StatusCreated, "cursor://x/cb": http.StatusCreated,
		"https://app.example/cb": http.StatusBadRequest, "https://claude.ai.evil.example/cb": http.StatusBadRequest,
		"https://sub.claude.ai/cb": http.StatusBadRequest,
	} {
		status, got := register(t, server, asJSON(t, map[string]any{"redirect_uris": []string{uri}}))
		wantStatus(t, status, want, map[string]any{uri: got})
	}
	if page := authservertest.NewBrowser(t).Get(server.Begin(app, nil)); page.Location != nil || page.Status != http.StatusBadRequest {
		t.Errorf("a host that is no longer allowed: got %d, Location %v, want an error page", page.Status, page.Location)
	}
}

func TestAClientIsForTheResourceWhereItRegistered(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(secondResource))
	app := server.Register(t, nil)
	params := authservertest.Parameters(app, changed("resource", "http://127.0.0.1:9402/mcp"))
	page := authservertest.NewBrowser(t).Get(server.Issuer + "/oauth/authorize?" + params.Encode())
	if got := page.Location.Query().Get("error"); got != "invalid_target" {
		t.Errorf("error: got %q, want invalid_target", got)
	}
}

func TestAFloodOfRegistrationsIsBounded(t *testing.T) {
	server := authservertest.New(t)
	made := 0
	for range 150 {
		status, got := register(t, server, `{"redirect_uris":["https://app.example/cb"]}`)
		if status == http.StatusTooManyRequests {
			wantError(t, status, got, http.StatusTooManyRequests, oauth.TemporarilyUnavailable)
			continue
		}
		made++
	}
	if rows := server.Store.Writes().Registrations; rows != made || rows > 140 {
		t.Errorf("registrations: got %d rows for %d answers, want a bound", rows, made)
	}
}
