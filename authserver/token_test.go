package authserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/oauth"
)

func TestAFailedClientAuthenticationNeverBurnsTheCode(t *testing.T) {
	server := authservertest.New(t)
	app := authservertest.App{ID: authservertest.AgentID, Redirect: authservertest.AgentRedirect}
	answer := server.SignIn(t, server.Begin(app, nil))
	exchange := authservertest.Exchange(app, answer.Get("code"), nil)
	target := server.ResourceIssuer() + "/oauth/token"
	before := server.Store.Writes()
	for _, secret := range []string{"", "wrong"} {
		status, got := basic(t, server, target, app.ID, secret, exchange)
		wantError(t, status, got, http.StatusUnauthorized, oauth.InvalidClient)
	}
	status, got := server.Token(t, exchange)
	wantError(t, status, got, http.StatusUnauthorized, oauth.InvalidClient)
	wantUnchanged(t, server, before)
	status, got = basic(t, server, target, app.ID, authservertest.AgentSecret, exchange)
	wantStatus(t, status, http.StatusOK, got)
}

func TestAPublicClientMayProbeWithAnEmptyBasicSecret(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	answer := server.SignIn(t, server.Begin(app, nil))
	exchange := authservertest.Exchange(app, answer.Get("code"), changed("client_id"))
	status, got := basic(t, server, server.ResourceIssuer()+"/oauth/token", app.ID, "", exchange)
	wantStatus(t, status, http.StatusOK, got)
}

func TestOnlyBasicRefusalsCarryABasicChallenge(t *testing.T) {
	server := authservertest.New(t)
	for _, withBasic := range []bool{true, false} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.Issuer+"/oauth/token",
			strings.NewReader("grant_type=authorization_code&client_id=mcpc_gone"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", form)
		if withBasic {
			request.SetBasicAuth("mcpc_gone", "secret")
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("status: got %d, want 401", response.StatusCode)
		}
		if got := strings.HasPrefix(response.Header.Get("WWW-Authenticate"), "Basic "); got != withBasic {
			t.Errorf("with Basic %v: challenge: got %q", withBasic, response.Header.Get("WWW-Authenticate"))
		}
	}
}

func TestACodeWorksAtTheIssuerWhereItBeganAlone(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	answer := server.SignIn(t, server.Begin(app, nil))
	before := server.Store.Writes()
	exchange := authservertest.Exchange(app, answer.Get("code"), nil)
	status, got := server.Call(t, http.MethodPost, server.Issuer+"/oauth/token", form, exchange.Encode())
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	wantUnchanged(t, server, before)
	status, tokens := server.Token(t, exchange)
	wantStatus(t, status, http.StatusOK, tokens)

	status, got = server.Call(t, http.MethodPost, server.Issuer+"/oauth/token", form, authservertest.Refresh(app, text(tokens, "refresh_token")).Encode())
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
}

func TestGrantTypesAreThoseOfTheServerAndOfTheClient(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, map[string]any{"grant_types": []string{"authorization_code"}})
	for _, test := range []struct {
		grantType string
		code      oauth.ErrorCode
	}{
		{"", oauth.InvalidRequest},
		{"password", oauth.UnsupportedGrantType},
		{"implicit", oauth.UnsupportedGrantType},
		{"refresh_token", oauth.UnauthorizedClient},
		{"client_credentials", oauth.UnauthorizedClient},
	} {
		status, got := server.Token(t, url.Values{"client_id": {app.ID}, "grant_type": {test.grantType}})
		wantError(t, status, got, http.StatusBadRequest, test.code)
	}
}

func TestEveryTokenAndItsRefusalAreAudited(t *testing.T) {
	server := authservertest.New(t)
	app, _ := signedIn(t, server)
	server.Token(t, authservertest.Exchange(app, "guess", nil))
	issued, refused := server.Events.Of("token.issued"), server.Events.Of("token.refused")
	if len(issued) != 1 || len(refused) != 1 {
		t.Fatalf("events: got %d issued, %d refused, want one of each", len(issued), len(refused))
	}
	for field, want := range map[string]string{
		"subject": "people|alice", "client": app.ID, "grant_type": "authorization_code", "decision": "allowed",
		"resource": authservertest.ResourceURL, "scope_held": "todo:read todo:write", "remote_addr": "127.0.0.1",
	} {
		if got := issued[0].Fields[field]; got != want {
			t.Errorf("token.issued: %s: got %q, want %q", field, got, want)
		}
	}
	if got := refused[0].Fields; got["reason"] != "invalid_grant" || got["decision"] != "denied" || got["client"] != app.ID {
		t.Errorf("token.refused: got %v", got)
	}
	for _, kind := range []string{"client.registered", "signin.succeeded", "consent.approved"} {
		if len(server.Events.Of(kind)) != 1 {
			t.Errorf("%s: got %d events, want one", kind, len(server.Events.Of(kind)))
		}
	}
}

func TestNoEventHoldsASecret(t *testing.T) {
	server := authservertest.New(t)
	app, tokens := signedIn(t, server)
	_, rotated := server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	agentToken(t, server, nil)
	secrets := []string{text(tokens, "access_token"), text(tokens, "refresh_token"), text(rotated, "refresh_token"),
		authservertest.Password, authservertest.AgentSecret, authservertest.Verifier, "mcpcode_"}
	for _, event := range server.Events.All() {
		for name, value := range event.Fields {
			for _, secret := range secrets {
				if strings.Contains(value, secret) {
					t.Errorf("%s: %s holds a secret", event.Type, name)
				}
			}
		}
	}
}
