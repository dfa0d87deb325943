package authserver_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
)

func TestScriptsOfAnyOriginMayCallWhatNeedsNoCookie(t *testing.T) {
	server := authservertest.New(t)
	for path, open := range map[string]bool{
		"/oauth/token": true, "/oauth/revoke": true, "/client_register": true, "/keys": true,
		"/.well-known/oauth-authorization-server": true,
		"/oauth/authorize":                        false, "/oauth/signin": false, "/oauth/consent": false, "/oauth/callback/people": false,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, server.Issuer+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", "https://inspector.example")
		request.Header.Set("Access-Control-Request-Method", http.MethodPost)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		allowed := response.Header.Get("Access-Control-Allow-Origin") == "*" && response.StatusCode == http.StatusNoContent
		if allowed != open {
			t.Errorf("%s: preflight: got %d, allowed %v, want %v", path, response.StatusCode, allowed, open)
		}
		if response.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: credentials are allowed", path)
		}
	}
}

func TestErrorsCanBeReadByScriptsToo(t *testing.T) {
	server := authservertest.New(t)
	page := authservertest.NewBrowser(t).Post(server.Issuer+"/oauth/token", url.Values{"client_id": {"none"}})
	if page.Header.Get("Access-Control-Allow-Origin") != "*" || page.Status != http.StatusUnauthorized {
		t.Errorf("got %d, headers %v", page.Status, page.Header)
	}
}

func TestNothingThatIsSecretMayBeCached(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	browser := authservertest.NewBrowser(t)
	authorize := browser.Get(server.Begin(app, nil))
	signin := authorize.Follow(server.Issuer)
	chosen := signin.Submit("password", url.Values{"username": {authservertest.Username}, "password": {authservertest.Password}})
	consent := chosen.Follow(server.Issuer)
	end := consent.Submit("decision", changed("decision", "approve"))
	token := browser.Post(server.ResourceIssuer()+"/oauth/token", authservertest.Exchange(app, end.Location.Query().Get("code"), nil))
	revoked := browser.Post(server.ResourceIssuer()+"/oauth/revoke", url.Values{"client_id": {app.ID}, "token": {"x"}})
	refused := browser.Post(server.ResourceIssuer()+"/oauth/token", url.Values{"client_id": {app.ID}})
	for name, page := range map[string]*authservertest.Page{
		"authorize": authorize, "sign-in": signin, "signed in": chosen, "consent": consent, "approved": end,
		"token": token, "revoked": revoked, "refused": refused,
	} {
		if got := page.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: got %d, Cache-Control %q, want no-store", name, page.Status, got)
		}
	}
}
