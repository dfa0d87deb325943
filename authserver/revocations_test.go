package authserver_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/revocation"
)

// revocations reads the feed once and returns the ids in it.
func revocations(t *testing.T, server *authservertest.Server, query string) map[string]bool {
	t.Helper()
	status, answer := server.Call(t, http.MethodGet, server.Issuer+"/revocations?"+query, "", "")
	wantStatus(t, status, http.StatusOK, answer)
	ids := make(map[string]bool)
	for _, one := range answer["revocations"].([]any) {
		ids[text(one.(map[string]any), "id")] = true
	}
	return ids
}

func cursor(t *testing.T, server *authservertest.Server) string {
	t.Helper()
	_, answer := server.Call(t, http.MethodGet, server.Issuer+"/revocations", "", "")
	return text(answer, "next")
}

func revokeToken(t *testing.T, server *authservertest.Server, app authservertest.App, token string) {
	t.Helper()
	form := url.Values{"client_id": {app.ID}, "token": {token}}
	status, got := server.Call(t, http.MethodPost, server.ResourceIssuer()+"/oauth/revoke", "application/x-www-form-urlencoded", form.Encode())
	wantStatus(t, status, http.StatusOK, got)
}

func TestTheFeedTellsOfRevokedGrantsAndGoesOnFromACursor(t *testing.T) {
	server := authservertest.New(t)
	first, firstTokens := signedIn(t, server)
	second, secondTokens := signedIn(t, server)
	revokeToken(t, server, first, text(firstTokens, "refresh_token"))
	firstID, secondID := verify(t, server, firstTokens).GrantID, verify(t, server, secondTokens).GrantID
	if feed := revocations(t, server, ""); !feed[firstID] || len(feed) != 1 {
		t.Fatalf("got %v, want the first grant alone", feed)
	}
	at := cursor(t, server)
	if feed := revocations(t, server, "after="+at); len(feed) != 0 {
		t.Errorf("behind the cursor: got %v", feed)
	}
	revokeToken(t, server, second, text(secondTokens, "access_token"))
	if feed := revocations(t, server, "after="+at); !feed[secondID] || len(feed) != 1 {
		t.Errorf("behind the cursor: got %v, want the second grant alone", feed)
	}
	server.Advance(2 * time.Hour)
	if feed := revocations(t, server, ""); len(feed) != 0 {
		t.Errorf("after every token has expired: got %v", feed)
	}
}

func TestAClientsOwnTokenIsRevokedByItself(t *testing.T) {
	server := authservertest.New(t)
	token := url.Values{"grant_type": {"client_credentials"}}
	_, tokens := basic(t, server, server.ResourceIssuer()+"/oauth/token", authservertest.AgentID, authservertest.AgentSecret, token)
	claims := verify(t, server, tokens)
	status, got := basic(t, server, server.ResourceIssuer()+"/oauth/revoke", authservertest.AgentID, authservertest.AgentSecret,
		changed("token", text(tokens, "access_token")))
	wantStatus(t, status, http.StatusOK, got)
	if feed := revocations(t, server, ""); !feed[claims.ID] {
		t.Errorf("got %v, want the token's own id", feed)
	}
}

func TestWaitingForTheFeedEndsWithARevocationAtEitherReplica(t *testing.T) {
	first := authservertest.New(t)
	second := authservertest.New(t, authservertest.WithStore(first.Store.Store))
	for name, at := range map[string]*authservertest.Server{"the same replica": first, "the other one": second} {
		t.Run(name, func(t *testing.T) {
			app, tokens := signedIn(t, first)
			after := cursor(t, at)
			told := make(chan map[string]bool, 1)
			go func() { told <- revocations(t, at, "wait=30&after="+after) }()
			revokeToken(t, first, app, text(tokens, "refresh_token"))
			if feed := <-told; !feed[verify(t, first, tokens).GrantID] {
				t.Errorf("got %v", feed)
			}
		})
	}
}

func TestWaitingForTheFeedEndsWhenTheServerStops(t *testing.T) {
	server := authservertest.New(t)
	after := cursor(t, server)
	answered := make(chan map[string]bool, 1)
	go func() { answered <- revocations(t, server, "wait=30&after="+after) }()
	server.Handler.EndWaits()
	server.Handler.EndWaits() // which may happen twice
	select {
	case feed := <-answered:
		if len(feed) != 0 {
			t.Errorf("got %v, want nothing", feed)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("waited 20 s in vain for the feed to answer")
	}
}

func TestTheFeedRefusesWhatIsNoCursor(t *testing.T) {
	server := authservertest.New(t)
	for _, query := range []string{"after=x", "after=-1", "wait=soon", "wait=-1", "after=99999999999999999999"} {
		status, got := server.Call(t, http.MethodGet, server.Issuer+"/revocations?"+query, "", "")
		wantError(t, status, got, http.StatusBadRequest, oauth.InvalidRequest)
	}
}

func TestTheFeedTellsAFollowerFromTheFutureToBeginAnew(t *testing.T) {
	server := authservertest.New(t)
	app, tokens := signedIn(t, server)
	revokeToken(t, server, app, text(tokens, "refresh_token"))
	status, got := server.Call(t, http.MethodGet, server.Issuer+"/revocations?after=7", "", "")
	wantError(t, status, got, http.StatusGone, oauth.InvalidRequest)
}

func TestAFollowerKeepsASetUpToDate(t *testing.T) {
	server := authservertest.New(t)
	app, tokens := signedIn(t, server)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	set, told := &revocation.Set{}, make(chan struct{}, 1)
	follower := &revocation.Follower{URL: server.Issuer + "/revocations", Set: set, OnRevoked: func([]revocation.Revocation) { told <- struct{}{} }}
	go follower.Run(ctx)
	revokeToken(t, server, app, text(tokens, "refresh_token"))
	select {
	case <-told:
	case <-time.After(30 * time.Second):
		t.Fatal("the follower was not told within 30 s")
	}
	if !set.Contains(verify(t, server, tokens).GrantID) {
		t.Error("the set lacks the grant")
	}
}

// Nothing could revoke a token behind the end of its grant, and so there is none.
func TestATokenEndsWithItsGrant(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) {
		r := c.Resources[0]
		r.RefreshTokenIdle, r.RefreshTokenMax, r.AccessTokenLifetime = time.Hour, time.Hour, time.Hour
	}))
	app, tokens := signedIn(t, server)
	ends := verify(t, server, tokens).Expiry
	server.Advance(50 * time.Minute)
	status, tokens := server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	wantStatus(t, status, http.StatusOK, tokens)
	got := verify(t, server, tokens)
	if got.Expiry.Sub(ends).Abs() > 2*time.Second || tokens["expires_in"].(float64) > 601 {
		t.Errorf("expiry %v, expires_in %v, want the grant's end %v", got.Expiry, tokens["expires_in"], ends)
	}
}
