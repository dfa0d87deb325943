package authserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/oauth"
)

// A code or a refresh token is worth nothing in another client's hands (Zitadel
// GHSA-xqxv-4jc2-x56x), and trying costs its owner nothing.
func TestAttack13_CredentialOfAnotherClient(t *testing.T) {
	server := authservertest.New(t)
	owner, thief := server.Register(t, nil), server.Register(t, nil)
	answer := server.SignIn(t, server.Begin(owner, nil))
	before := server.Store.Writes()
	status, got := server.Token(t, authservertest.Exchange(thief, answer.Get("code"), nil))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	wantUnchanged(t, server, before)
	status, tokens := server.Redeem(t, owner, answer)
	wantStatus(t, status, http.StatusOK, tokens)

	// Nor does a replay by the thief end what the owner has.
	before = server.Store.Writes()
	status, got = server.Token(t, authservertest.Exchange(thief, answer.Get("code"), nil))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	refresh := text(tokens, "refresh_token")
	status, got = server.Token(t, authservertest.Refresh(thief, refresh))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	wantUnchanged(t, server, before)
	status, got = server.Token(t, authservertest.Refresh(owner, refresh))
	wantStatus(t, status, http.StatusOK, got)
}

// PKCE cannot be left out, weakened or guessed, by public or confidential
// clients (Gitea CVE-2026-26247).
func TestAttack14_ProofKeyLeftOutOrWeakened(t *testing.T) {
	server := authservertest.New(t)
	public := server.Register(t, nil)
	agent := authservertest.App{ID: authservertest.AgentID, Redirect: authservertest.AgentRedirect}
	before := server.Store.Writes()
	for _, app := range []authservertest.App{public, agent} {
		for _, weak := range []url.Values{
			changed("code_challenge"), changed("code_challenge", ""), changed("code_challenge_method"), changed("code_challenge_method", "plain"),
			changed("code_challenge_method", "s256"), changed("code_challenge_method", "S256 "), changed("code_challenge", authservertest.Verifier+"x"),
			changed("code_challenge", authservertest.Challenge+"="), changed("code_challenge", strings.Repeat("a", 200)),
			{"code_challenge": {}, "code_challenge_method": {}},
		} {
			page := authservertest.NewBrowser(t).Get(server.Begin(app, weak))
			if page.Location == nil || page.Location.Query().Get("error") != "invalid_request" {
				t.Errorf("%v: got %d %v", weak, page.Status, page.Location)
			}
		}
	}
	wantUnchanged(t, server, before)

	answer := server.SignIn(t, server.Begin(public, nil))
	before = server.Store.Writes()
	for _, verifier := range [][]string{nil, {""}, {authservertest.Challenge}, {authservertest.Verifier[:42]}, {strings.Repeat("a", 43)}, {strings.Repeat("a", 129)}} {
		status, got := server.Token(t, authservertest.Exchange(public, answer.Get("code"), changed("code_verifier", verifier...)))
		if status != http.StatusBadRequest || got["access_token"] != nil {
			t.Errorf("verifier %v: got %d %v", verifier, status, got)
		}
	}
	for _, redirect := range [][]string{nil, {authservertest.AppRedirect + "x"}, {"http://127.0.0.1:1/callback"}} {
		status, got := server.Token(t, authservertest.Exchange(public, answer.Get("code"), changed("redirect_uri", redirect...)))
		wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	}
	wantUnchanged(t, server, before)
	status, got := server.Redeem(t, public, answer)
	wantStatus(t, status, http.StatusOK, got)
}

// together makes n calls at once and returns the answers.
func together(n int, call func() (int, map[string]any)) []map[string]any {
	var group sync.WaitGroup
	start := make(chan struct{})
	answers := make([]map[string]any, n)
	for i := range n {
		group.Go(func() {
			<-start
			_, answers[i] = call()
		})
	}
	close(start)
	group.Wait()
	return answers
}

// One of a hundred redeems the code; that there were others ends the grant.
func TestAttack15_CodeRedeemedHundredTimes(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	answer := server.SignIn(t, server.Begin(app, nil))
	var won []map[string]any
	for _, got := range together(100, func() (int, map[string]any) { return server.Redeem(t, app, answer) }) {
		if got["access_token"] != nil {
			won = append(won, got)
		} else if got["error"] != "invalid_grant" {
			t.Errorf("got %v, want invalid_grant", got)
		}
	}
	if len(won) != 1 || server.Store.Writes().Redemptions != 1 {
		t.Fatalf("successes: got %d, redemptions %d, want one", len(won), server.Store.Writes().Redemptions)
	}
	status, got := server.Token(t, authservertest.Refresh(app, text(won[0], "refresh_token")))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
}

// A refresh token used a hundred times at once leaves one family alive.
func TestAttack15_RefreshTokenUsedHundredTimes(t *testing.T) {
	server := authservertest.New(t)
	app, tokens := signedIn(t, server)
	successors := make(map[string]bool)
	for _, got := range together(100, func() (int, map[string]any) {
		return server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	}) {
		successors[text(got, "refresh_token")] = true
	}
	if len(successors) != 1 || successors[""] || server.Store.Writes().Rotations != 1 {
		t.Fatalf("successors: got %d, rotations %d, want one", len(successors), server.Store.Writes().Rotations)
	}
	for successor := range successors {
		status, got := server.Token(t, authservertest.Refresh(app, successor))
		wantStatus(t, status, http.StatusOK, got)
	}
}

// A replay with everything that proves its owner ends the grant even after the
// code would have expired.
func TestAttack15_LateReplayOfACode(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	answer := server.SignIn(t, server.Begin(app, nil))
	status, tokens := server.Redeem(t, app, answer)
	wantStatus(t, status, http.StatusOK, tokens)
	server.Advance(10 * time.Minute)
	status, got := server.Redeem(t, app, answer)
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	status, got = server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
}

// Scope and audience never widen, whatever names them (FastMCP CVE-2025-69196).
func TestAttack17_WiderScopeOrAudience(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(secondResource))
	status, registered := server.Call(t, http.MethodPost, server.Issuer+"/client_register", "application/json", asJSON(t, map[string]any{
		"redirect_uris": []string{authservertest.AppRedirect}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"},
	}))
	wantStatus(t, status, http.StatusCreated, registered)
	app := authservertest.App{ID: text(registered, "client_id"), Redirect: authservertest.AppRedirect}
	const other = "http://127.0.0.1:9402/mcp"

	// At the resource's issuer, another resource cannot be named.
	page := authservertest.NewBrowser(t).Get(server.Begin(app, changed("resource", other)))
	wantErrorRedirect(t, server, page, "invalid_target")

	answer := server.SignIn(t, server.Issuer+"/oauth/authorize?"+authservertest.Parameters(app, changed("scope", "todo:read")).Encode())
	token := func(values url.Values) (int, map[string]any) {
		return server.Call(t, http.MethodPost, server.Issuer+"/oauth/token", form, values.Encode())
	}
	before := server.Store.Writes()
	for _, named := range []string{other, "https://unknown.example/mcp", server.Issuer} {
		status, got := token(authservertest.Exchange(app, answer.Get("code"), changed("resource", named)))
		wantError(t, status, got, http.StatusBadRequest, oauth.InvalidTarget)
	}
	wantUnchanged(t, server, before)
	status, tokens := token(authservertest.Exchange(app, answer.Get("code"), changed("scope", "todo:read")))
	wantStatus(t, status, http.StatusOK, tokens)

	before = server.Store.Writes()
	for _, wider := range []url.Values{{"resource": {other}}, {"scope": {"todo:read todo:write"}}, {"scope": {"todo:write"}}} {
		refresh := authservertest.Refresh(app, text(tokens, "refresh_token"))
		for name, value := range wider {
			refresh[name] = value
		}
		if status, got := token(refresh); status != http.StatusBadRequest || got["access_token"] != nil {
			t.Errorf("%v: got %d %v", wider, status, got)
		}
	}
	wantUnchanged(t, server, before)
	status, tokens = token(authservertest.Refresh(app, text(tokens, "refresh_token")))
	wantStatus(t, status, http.StatusOK, tokens)
	if tokens["scope"] != "todo:read" {
		t.Errorf("scope: got %q", tokens["scope"])
	}
}
