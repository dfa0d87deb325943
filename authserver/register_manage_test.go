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

// registered is a client as it registered itself at the sample resource.
func registered(t *testing.T, server *authservertest.Server, changes map[string]any) map[string]any {
	t.Helper()
	wish := map[string]any{
		"client_name": "Sample App", "redirect_uris": []string{authservertest.AppRedirect}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"},
	}
	for name, value := range changes {
		wish[name] = value
	}
	status, answer := server.Call(t, http.MethodPost, server.ResourceIssuer()+"/client_register", "application/json", asJSON(t, wish))
	wantStatus(t, status, http.StatusCreated, answer)
	return answer
}

// manage sends a request to a client's own registration.
func manage(t *testing.T, server *authservertest.Server, method string, client map[string]any, token string, body any) (int, map[string]any) {
	t.Helper()
	content := ""
	if body != nil {
		content = asJSON(t, body)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, text(client, "registration_client_uri"), strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return server.Do(t, request)
}

func TestAClientManagesItsOwnRegistration(t *testing.T) {
	server := authservertest.New(t)
	client := registered(t, server, nil)
	token := text(client, "registration_access_token")
	status, read := manage(t, server, http.MethodGet, client, token, nil)
	wantStatus(t, status, http.StatusOK, read)
	if read["client_id"] != client["client_id"] || read["client_name"] != "Sample App" || read["client_secret"] != nil {
		t.Errorf("read: got %v", read)
	}
	update := map[string]any{
		"client_id": client["client_id"], "client_name": "Renamed", "redirect_uris": []string{"https://app.example/cb"},
		"token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code"},
	}
	status, updated := manage(t, server, http.MethodPut, client, token, update)
	wantStatus(t, status, http.StatusOK, updated)
	if updated["client_name"] != "Renamed" || len(updated["grant_types"].([]any)) != 1 {
		t.Errorf("updated: got %v", updated)
	}
	app := authservertest.App{ID: text(client, "client_id"), Redirect: "https://app.example/cb"}
	if answer := server.SignIn(t, server.Begin(app, nil)); !answer.Has("code") {
		t.Errorf("with the new redirect: got %v", answer)
	}
	app.Redirect = authservertest.AppRedirect
	wantErrorPage(t, authservertest.NewBrowser(t).Get(server.Begin(app, nil)))

	status, gone := manage(t, server, http.MethodDelete, client, token, nil)
	wantStatus(t, status, http.StatusNoContent, gone)
	status, gone = manage(t, server, http.MethodGet, client, token, nil)
	wantError(t, status, gone, http.StatusUnauthorized, oauth.InvalidToken)
}

func TestDeletingARegistrationEndsItsGrants(t *testing.T) {
	server := authservertest.New(t)
	client := registered(t, server, nil)
	app := authservertest.App{ID: text(client, "client_id"), Redirect: authservertest.AppRedirect}
	status, tokens := server.Redeem(t, app, server.SignIn(t, server.Begin(app, nil)))
	wantStatus(t, status, http.StatusOK, tokens)
	status, got := manage(t, server, http.MethodDelete, client, text(client, "registration_access_token"), nil)
	wantStatus(t, status, http.StatusNoContent, got)
	status, got = server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	wantError(t, status, got, http.StatusUnauthorized, oauth.InvalidClient)
	if feed := revocations(t, server, ""); !feed[verify(t, server, tokens).GrantID] {
		t.Errorf("the grant is not in the feed: %v", feed)
	}
}

func TestAnUpdateGivesASecretToAClientThatNeedsOne(t *testing.T) {
	server := authservertest.New(t)
	client := registered(t, server, nil)
	update := map[string]any{
		"client_id": client["client_id"], "redirect_uris": []string{authservertest.AppRedirect}, "token_endpoint_auth_method": "client_secret_post",
		"grant_types": []string{"authorization_code"},
	}
	status, first := manage(t, server, http.MethodPut, client, text(client, "registration_access_token"), update)
	wantStatus(t, status, http.StatusOK, first)
	secret := text(first, "client_secret")
	if secret == "" {
		t.Fatal("there is no secret")
	}
	update["client_secret"] = secret
	status, second := manage(t, server, http.MethodPut, client, text(client, "registration_access_token"), update)
	wantStatus(t, status, http.StatusOK, second)
	if second["client_secret"] != nil {
		t.Error("an update that changes nothing makes a new secret")
	}
	app := authservertest.App{ID: text(client, "client_id"), Redirect: authservertest.AppRedirect}
	answer := server.SignIn(t, server.Begin(app, nil))
	status, tokens := server.Token(t, authservertest.Exchange(app, answer.Get("code"), changed("client_secret", secret)))
	wantStatus(t, status, http.StatusOK, tokens)
}

func TestAManagementTokenIsOfOneClientAtOneIssuer(t *testing.T) {
	server := authservertest.New(t)
	client, other := registered(t, server, nil), registered(t, server, map[string]any{"client_name": "Other"})
	before := server.Store.Writes()
	elsewhere := map[string]any{"registration_client_uri": strings.Replace(text(client, "registration_client_uri"), server.ResourceIssuer(), server.Issuer, 1)}
	for name, attempt := range map[string]struct {
		client map[string]any
		token  string
	}{
		"no token":              {client, ""},
		"a guess":               {client, "mcpreg_guess"},
		"another client's":      {client, text(other, "registration_access_token")},
		"its own elsewhere":     {elsewhere, text(client, "registration_access_token")},
		"of an unknown client":  {map[string]any{"registration_client_uri": server.ResourceIssuer() + "/client_register/nobody"}, "mcpreg_guess"},
		"of a declared client":  {map[string]any{"registration_client_uri": server.ResourceIssuer() + "/client_register/agent"}, "mcpreg_guess"},
		"of an unnamed client":  {map[string]any{"registration_client_uri": server.ResourceIssuer() + "/client_register/"}, "mcpreg_guess"},
		"the client_id instead": {client, text(client, "client_id")},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			status, got := manage(t, server, method, attempt.client, attempt.token, map[string]any{"client_id": client["client_id"]})
			if status != http.StatusUnauthorized || got["error"] != "invalid_token" {
				t.Errorf("%s, %s: got %d %v", name, method, status, got)
			}
		}
	}
	wantUnchanged(t, server, before)
}

// What a registration may not ask for, an update may not either (Keycloak
// CVE-2026-15572).
func TestAttack20_UpdateThatEscapesThePolicyOfCreate(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) {
		c.Registration.RedirectHosts = []string{"app.example", "both.example"}
		c.Resources[0].Registration = &catalog.Registration{Dynamic: true, RedirectHosts: []string{"both.example"}}
	}))
	client := registered(t, server, nil)
	before := server.Store.Writes()
	for name, change := range map[string]map[string]any{
		"a host that the server forbids":   {"redirect_uris": []string{"https://attacker.example/"}},
		"a host that the resource forbids": {"redirect_uris": []string{"https://app.example/"}},
		"a scheme that runs":               {"redirect_uris": []string{"javascript:alert(1)"}},
		"no redirect":                      {"redirect_uris": []string{}},
		"client_credentials alone":         {"grant_types": []string{"client_credentials"}},
		"jwt-bearer alone":                 {"grant_types": []string{oauth.GrantJWTBearer}},
		"another client's id":              {"client_id": "agent"},
		"no client id":                     {"client_id": ""},
		"a secret of its own choice":       {"client_secret": "chosen-by-the-client-0123456789abcdef"},
		"an unknown method":                {"token_endpoint_auth_method": "tls_client_auth"},
		"keys that are private":            {"token_endpoint_auth_method": "private_key_jwt", "jwks": map[string]any{"keys": []any{map[string]any{"kty": "oct", "k": "AA", "kid": "1"}}}},
		"keys by http":                     {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://app.example/keys"},
	} {
		t.Run(name, func(t *testing.T) {
			update := map[string]any{
				"client_id": client["client_id"], "redirect_uris": []string{authservertest.AppRedirect}, "token_endpoint_auth_method": "none",
				"grant_types": []string{"authorization_code"},
			}
			for field, value := range change {
				update[field] = value
			}
			status, got := manage(t, server, http.MethodPut, client, text(client, "registration_access_token"), update)
			if status != http.StatusBadRequest || got["client_id"] != nil {
				t.Errorf("got %d %v", status, got)
			}
		})
	}
	wantUnchanged(t, server, before)
	// And what would widen it is dropped as at registration.
	status, got := manage(t, server, http.MethodPut, client, text(client, "registration_access_token"), map[string]any{
		"client_id": client["client_id"], "redirect_uris": []string{authservertest.AppRedirect}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "client_credentials", oauth.GrantJWTBearer}, "scope": "admin", "resource": "apps-mail",
	})
	wantStatus(t, status, http.StatusOK, got)
	if types := got["grant_types"].([]any); len(types) != 1 || types[0] != "authorization_code" {
		t.Errorf("grant types: got %v", types)
	}
}

// A registration token does not bring back a client that the operators blocked,
// and manages nothing where registration was turned off (Keycloak CVE-2026-9705).
func TestAttack21_RegistrationTokenOfABlockedClient(t *testing.T) {
	server := authservertest.New(t)
	client := registered(t, server, nil)
	app := authservertest.App{ID: text(client, "client_id"), Redirect: authservertest.AppRedirect}
	status, tokens := server.Redeem(t, app, server.SignIn(t, server.Begin(app, nil)))
	wantStatus(t, status, http.StatusOK, tokens)
	before := server.Store.Writes()

	server.Swap(func(c *catalog.Content) { c.Registration.Blocked = []string{app.ID} })
	update := map[string]any{"client_id": app.ID, "redirect_uris": []string{authservertest.AppRedirect}, "token_endpoint_auth_method": "none", "blocked": false}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		status, got := manage(t, server, method, client, text(client, "registration_access_token"), update)
		wantError(t, status, got, http.StatusUnauthorized, oauth.InvalidToken)
	}
	wantErrorPage(t, authservertest.NewBrowser(t).Get(server.Begin(app, nil)))
	status, got := server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	wantError(t, status, got, http.StatusUnauthorized, oauth.InvalidClient)
	status, got = push(t, server, authservertest.Parameters(app, nil))
	wantError(t, status, got, http.StatusUnauthorized, oauth.InvalidClient)

	server.Swap(func(c *catalog.Content) { c.Registration.Dynamic = false })
	status, got = manage(t, server, http.MethodPut, client, text(client, "registration_access_token"), update)
	wantError(t, status, got, http.StatusForbidden, oauth.AccessDenied)
	wantUnchanged(t, server, before)
}

func TestARegistrationThatIsNeverUsedIsForgottenAndOneThatIsUsedIsNot(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) { c.Registration.UnusedLifetime = 24 * time.Hour }))
	used, unused := server.Register(t, nil), server.Register(t, nil)
	status, tokens := server.Redeem(t, used, server.SignIn(t, server.Begin(used, nil)))
	wantStatus(t, status, http.StatusOK, tokens)
	server.Advance(23 * time.Hour)
	status, tokens = server.Token(t, authservertest.Refresh(used, text(tokens, "refresh_token")))
	wantStatus(t, status, http.StatusOK, tokens)
	server.Advance(2 * time.Hour)
	wantErrorPage(t, authservertest.NewBrowser(t).Get(server.Begin(unused, nil)))
	status, tokens = server.Token(t, authservertest.Refresh(used, text(tokens, "refresh_token")))
	wantStatus(t, status, http.StatusOK, tokens)
}

// However many register, at whatever replica, the rows are bounded.
func TestAttack24_RegistrationFlood(t *testing.T) {
	limited := func(c *catalog.Content) { c.Registration.MaxClients = 30 }
	first := authservertest.New(t, authservertest.WithContent(limited))
	second := authservertest.New(t, authservertest.WithContent(limited), authservertest.WithStore(first.Store.Store))
	body := asJSON(t, map[string]any{"redirect_uris": []string{authservertest.AppRedirect}, "token_endpoint_auth_method": "none"})
	created, refused := 0, 0
	for i := range 80 {
		server := []*authservertest.Server{first, second}[i%2]
		status, got := server.Call(t, http.MethodPost, server.ResourceIssuer()+"/client_register", "application/json", body)
		switch status {
		case http.StatusCreated:
			created++
		case http.StatusServiceUnavailable:
			refused++
		default:
			t.Fatalf("got %d %v", status, got)
		}
	}
	if created != 30 || refused != 50 {
		t.Errorf("created %d and refused %d, want 30 and 50", created, refused)
	}
	// And one address has its limit over both together.
	limits := 0
	for i := range 40 {
		server := []*authservertest.Server{first, second}[i%2]
		status, _ := server.Call(t, http.MethodPost, server.ResourceIssuer()+"/client_register", "application/json", body)
		if status == http.StatusTooManyRequests {
			limits++
		}
	}
	if limits < 15 {
		t.Errorf("%d of 40 more were limited; both replicas together allow 100", limits)
	}
}

func TestAResourceMayTakeNoClientsByThemselves(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	server.Swap(func(c *catalog.Content) { c.Resources[0].Registration = &catalog.Registration{} })
	status, got := server.Call(t, http.MethodPost, server.ResourceIssuer()+"/client_register", "application/json", `{"redirect_uris":["https://app.example/"]}`)
	wantError(t, status, got, http.StatusForbidden, oauth.AccessDenied)
	page := authservertest.NewBrowser(t).Get(server.Begin(app, nil))
	wantErrorRedirect(t, server, page, "invalid_target")
	_, metadata := server.Call(t, http.MethodGet, server.ResourceIssuer()+"/.well-known/oauth-authorization-server", "", "")
	if metadata["registration_endpoint"] != nil || metadata["client_id_metadata_document_supported"] != false {
		t.Errorf("the metadata offers registration: %v", metadata)
	}
	status, tokens := basic(t, server, server.ResourceIssuer()+"/oauth/token", authservertest.AgentID, authservertest.AgentSecret,
		url.Values{"grant_type": {"client_credentials"}})
	wantStatus(t, status, http.StatusOK, tokens)
}
