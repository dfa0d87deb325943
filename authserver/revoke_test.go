package authserver_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/oauth"
)

func revoke(t *testing.T, server *authservertest.Server, values url.Values) (int, map[string]any) {
	t.Helper()
	return server.Call(t, http.MethodPost, server.ResourceIssuer()+"/oauth/revoke", form, values.Encode())
}

func TestEitherTokenEndsTheWholeGrant(t *testing.T) {
	for _, token := range []string{"refresh_token", "access_token"} {
		server := authservertest.New(t)
		app, tokens := signedIn(t, server)
		status, got := revoke(t, server, url.Values{"client_id": {app.ID}, "token": {text(tokens, token)}, "token_type_hint": {"nonsense"}})
		wantStatus(t, status, http.StatusOK, got)
		if revocations := server.Store.Writes().Revocations; revocations != 1 {
			t.Errorf("%s: revocations: got %d, want 1", token, revocations)
		}
		status, got = server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
		wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
		if events := server.Events.Of("grant.revoked"); len(events) != 1 || events[0].Fields["client"] != app.ID {
			t.Errorf("%s: events: got %v", token, events)
		}
	}
}

func TestRevokingWhatIsNobodysOrAnothersChangesNothing(t *testing.T) {
	server := authservertest.New(t)
	app, tokens := signedIn(t, server)
	other := server.Register(t, nil)
	before := server.Store.Writes()
	for _, token := range []string{"unknown", "a.b.c", "mcprt_x.1.y", text(tokens, "refresh_token"), text(tokens, "access_token"), text(tokens, "access_token") + "x"} {
		status, got := revoke(t, server, url.Values{"client_id": {other.ID}, "token": {token}})
		wantStatus(t, status, http.StatusOK, got)
	}
	wantUnchanged(t, server, before)
	status, got := server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	wantStatus(t, status, http.StatusOK, got)
}

func TestRevocationWantsItsClientAndAToken(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	status, got := revoke(t, server, url.Values{"token": {"x"}})
	wantError(t, status, got, http.StatusUnauthorized, oauth.InvalidClient)
	status, got = revoke(t, server, url.Values{"client_id": {authservertest.AgentID}, "token": {"x"}})
	wantError(t, status, got, http.StatusUnauthorized, oauth.InvalidClient)
	status, got = revoke(t, server, url.Values{"client_id": {app.ID}})
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidRequest)
}
