package authserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
)

func TestAWrongPasswordShowsThePageAgain(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	signin := authservertest.NewBrowser(t).Get(server.Begin(app, nil)).Follow(server.Issuer)
	var bodies []string
	for _, who := range []string{authservertest.Username, "nobody"} {
		page := signin.Submit("password", url.Values{"username": {who}, "password": {"wrong"}})
		if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, "username or the password is wrong") {
			t.Errorf("%s: got %d: %s", who, page.Status, page.Body)
		}
		bodies = append(bodies, strings.ReplaceAll(page.Body, who, "WHO"))
	}
	if bodies[0] != bodies[1] {
		t.Error("the page tells whether a user exists")
	}
	// The page that came back works.
	again := signin.Submit("password", url.Values{"username": {authservertest.Username}, "password": {"wrong"}})
	consent := again.Submit("password", url.Values{"username": {authservertest.Username}, "password": {authservertest.Password}}).Follow(server.Issuer)
	if !strings.Contains(consent.Body, "alice@example.com") {
		t.Errorf("got %d: %s", consent.Status, consent.Body)
	}
	failed := server.Events.Of("signin.failed")
	if len(failed) != 3 || failed[0].Fields["subject"] != "alice" || failed[1].Fields["subject"] != "" {
		t.Errorf("events: got %v, want a name only where an operator wrote it down", failed)
	}
}

func TestGuessingAPasswordIsSlowedDown(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	signin := authservertest.NewBrowser(t).Get(server.Begin(app, nil)).Follow(server.Issuer)
	attempt := func(who, password string) *authservertest.Page {
		return signin.Submit("password", url.Values{"username": {who}, "password": {password}})
	}
	for range 8 {
		if got := attempt("alice", "wrong").Status; got != http.StatusUnprocessableEntity {
			t.Fatalf("status: got %d", got)
		}
	}
	limited := attempt(" ALICE ", authservertest.Password)
	if limited.Status != http.StatusTooManyRequests || limited.Header.Get("Retry-After") == "" || !strings.Contains(limited.Body, "Too many attempts") {
		t.Errorf("the ninth: got %d: %s", limited.Status, limited.Body)
	}
	if got := attempt(authservertest.OtherUsername, authservertest.Password).Status; got != http.StatusSeeOther {
		t.Errorf("another user: got %d, want to be let in", got)
	}
	server.Advance(time.Minute)
	if got := attempt("alice", authservertest.Password).Status; got != http.StatusSeeOther {
		t.Errorf("after a minute: got %d, want to be let in", got)
	}
}

func TestSigningInOftenIsNoAttack(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	signin := authservertest.NewBrowser(t).Get(server.Begin(app, nil)).Follow(server.Issuer)
	for i := range 30 {
		page := signin.Submit("password", url.Values{"username": {"alice"}, "password": {authservertest.Password}})
		if page.Status != http.StatusSeeOther {
			t.Fatalf("sign-in %d: got %d", i, page.Status)
		}
	}
}

func TestWithoutAProviderNobodyIsAskedToSignIn(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) { c.Providers = nil }))
	app := server.Register(t, nil)
	wantErrorRedirect(t, server, authservertest.NewBrowser(t).Get(server.Begin(app, nil)), "temporarily_unavailable")
}

func TestTheConsentPageSaysWhoAsksForWhatAndWhereItLeads(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	browser := authservertest.NewBrowser(t)
	consent := server.ConsentPage(browser, server.Begin(app, nil), authservertest.Username)
	for _, want := range []string{
		"Sample App", "its name is not verified", "Todo", authservertest.ResourceURL, "Read your tasks", "Create and delete tasks",
		"127.0.0.1:33418", "this computer", "alice@example.com", "Example Platform",
	} {
		if !strings.Contains(consent.Body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	agent := authservertest.App{ID: authservertest.AgentID, Redirect: authservertest.AgentRedirect}
	if declared := server.ConsentPage(browser, server.Begin(agent, nil), authservertest.Username); strings.Contains(declared.Body, "not verified") {
		t.Error("a declared client is called unverified")
	}
}

func TestTheBrowserCookieIsForThisHostAlone(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		server := authservertest.New(t)
		app := server.Register(t, nil)
		server.Swap(func(c *catalog.Content) { c.Issuer = strings.Replace(c.Issuer, "http", scheme, 1) })
		page := authservertest.NewBrowser(t).Get(server.Begin(app, nil))
		cookie, err := http.ParseSetCookie(page.Header.Get("Set-Cookie"))
		if err != nil {
			t.Fatal(err)
		}
		secure := scheme == "https"
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" ||
			cookie.Secure != secure || strings.HasPrefix(cookie.Name, "__Host-") != secure {
			t.Errorf("%s: cookie: got %s", scheme, page.Header.Get("Set-Cookie"))
		}
	}
}
