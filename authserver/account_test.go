package authserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/oauth"
)

// accountPage signs in, where that is needed, and opens the page.
func accountPage(t *testing.T, server *authservertest.Server, browser *authservertest.Browser, username string) *authservertest.Page {
	t.Helper()
	page := browser.Get(server.Issuer + "/account").Follow(server.Issuer)
	if page.Has("password") {
		page = page.Submit("password", url.Values{"username": {username}, "password": {authservertest.Password}}).Follow(server.Issuer)
	}
	if !page.Has("signout") {
		t.Fatalf("got %d without the account page: %s", page.Status, page.Body)
	}
	return page
}

func TestPeopleSeeTheAppsThatTheyLetIn(t *testing.T) {
	server := authservertest.New(t)
	browser := authservertest.NewBrowser(t)
	empty := accountPage(t, server, browser, authservertest.Username)
	if empty.Has("disconnect") || !strings.Contains(empty.Body, "alice@example.com") {
		t.Errorf("before: %s", empty.Body)
	}
	status, tokens := server.Redeem(t, server.Register(t, nil), server.SignInWith(browser, server.Begin(server.Register(t, map[string]any{"client_name": "First App"}), nil), authservertest.Username))
	if status != http.StatusBadRequest {
		t.Fatalf("a code of another client: got %d %v", status, tokens)
	}
	app := server.Register(t, map[string]any{"client_name": "Second App"})
	status, tokens = server.Redeem(t, app, server.SignInWith(browser, server.Begin(app, nil), authservertest.Username))
	wantStatus(t, status, http.StatusOK, tokens)

	page := accountPage(t, server, browser, authservertest.Username)
	for _, want := range []string{"Second App", "Todo", authservertest.ResourceURL, "Read your tasks", "Create and delete tasks"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page.Body, "First App") {
		t.Error("an app whose code was never redeemed is listed")
	}
	if other := accountPage(t, server, authservertest.NewBrowser(t), authservertest.OtherUsername); strings.Contains(other.Body, "Second App") {
		t.Error("another user sees it")
	}
}

func TestDisconnectingEndsEverythingThatTheAppHas(t *testing.T) {
	server := authservertest.New(t)
	app, browser := webApp(t, server), authservertest.NewBrowser(t)
	status, tokens := server.Redeem(t, app, server.SignInWith(browser, server.Begin(app, nil), authservertest.Username))
	wantStatus(t, status, http.StatusOK, tokens)
	kept := server.Register(t, nil)
	status, others := server.Redeem(t, kept, server.SignInWith(browser, server.Begin(kept, nil), authservertest.Username))
	wantStatus(t, status, http.StatusOK, others)

	after := accountPage(t, server, browser, authservertest.Username).Submit("disconnect", changed("disconnect", app.ID))
	if after.Status != http.StatusOK || !strings.Contains(after.Body, `role="status"`) {
		t.Fatalf("got %d: %s", after.Status, after.Body)
	}
	status, got := server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	if page := browser.Get(server.Begin(app, nil)).Follow(server.Issuer); !page.Has("decision") {
		t.Error("the consent is still remembered")
	}
	status, got = server.Token(t, authservertest.Refresh(kept, text(others, "refresh_token")))
	wantStatus(t, status, http.StatusOK, got)
	if events := server.Events.Of("app.disconnected"); len(events) != 1 || events[0].Fields["client"] != app.ID {
		t.Errorf("events: got %v", events)
	}
}

func TestSigningOutEndsTheSession(t *testing.T) {
	server := authservertest.New(t)
	browser := authservertest.NewBrowser(t)
	page := accountPage(t, server, browser, authservertest.Username)
	out := page.Submit("signout", changed("signout", "1"))
	if out.Status != http.StatusOK || !strings.Contains(out.Body, "signed out") {
		t.Fatalf("got %d: %s", out.Status, out.Body)
	}
	if again := browser.Get(server.Issuer + "/account").Follow(server.Issuer); !again.Has("password") {
		t.Errorf("got %d, want to be asked to sign in", again.Status)
	}
}

// A form on another site, of another session or made up disconnects nothing.
func TestAttack04_CrossSiteRequestForgeryOnTheAccountPage(t *testing.T) {
	server := authservertest.New(t)
	app, victim := server.Register(t, nil), authservertest.NewBrowser(t)
	status, tokens := server.Redeem(t, app, server.SignInWith(victim, server.Begin(app, nil), authservertest.Username))
	wantStatus(t, status, http.StatusOK, tokens)
	attackers := accountPage(t, server, authservertest.NewBrowser(t), authservertest.OtherUsername)
	request := hidden(t, attackers, "request")
	before := server.Store.Writes()
	for _, form := range []url.Values{
		{"disconnect": {app.ID}},
		{"disconnect": {app.ID}, "request": {request}},
		{"disconnect": {app.ID}, "request": {"x"}},
		{"signout": {"1"}, "request": {request}},
	} {
		wantErrorPage(t, victim.Post(server.Issuer+"/account", form))
	}
	// Nor does a user end another's grant by naming the client.
	attackers.Submit("signout", url.Values{"disconnect": {app.ID}})
	wantUnchanged(t, server, before)
	status, got := server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	wantStatus(t, status, http.StatusOK, got)
}

func TestTheAccountPageOfAnUpstreamUserGoesUpstream(t *testing.T) {
	u := newUpstream(t)
	server := authservertest.New(t, authservertest.WithContent(u.alone))
	browser := authservertest.NewBrowser(t)
	page := browser.Get(server.Issuer + "/account").Follow(server.Issuer)
	page = page.Submit("provider", url.Values{"provider": {"corp"}})
	for page.Location != nil {
		page = browser.Get(page.Location.String())
	}
	if !page.Has("signout") || !strings.Contains(page.Body, "carol@corp.example") {
		t.Errorf("got %d: %s", page.Status, page.Body)
	}
}

// hidden is the value of a page's hidden input.
func hidden(t *testing.T, page *authservertest.Page, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page.Body, `name="`+name+`" value="`)
	value, _, closed := strings.Cut(rest, `"`)
	if !ok || !closed {
		t.Fatalf("the page has no input %s: %s", name, page.Body)
	}
	return value
}

func TestACodeOfADisconnectedAppIsWorthNothing(t *testing.T) {
	server := authservertest.New(t)
	app, browser := server.Register(t, nil), authservertest.NewBrowser(t)
	status, tokens := server.Redeem(t, app, server.SignInWith(browser, server.Begin(app, nil), authservertest.Username))
	wantStatus(t, status, http.StatusOK, tokens)
	pending := server.SignInWith(browser, server.Begin(app, nil), authservertest.Username)
	accountPage(t, server, browser, authservertest.Username).Submit("disconnect", changed("disconnect", app.ID))
	status, got := server.Redeem(t, app, pending)
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
}
