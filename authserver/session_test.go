package authserver_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
)

// webApp is a client whose answers go to a host of its own, so that consent to it
// is remembered.
func webApp(t *testing.T, server *authservertest.Server) authservertest.App {
	t.Helper()
	return server.Register(t, map[string]any{"redirect_uris": []string{"https://app.example/callback"}})
}

func TestWhoHasSignedInIsAskedForConsentAlone(t *testing.T) {
	server := authservertest.New(t)
	browser := authservertest.NewBrowser(t)
	server.SignInWith(browser, server.Begin(server.Register(t, nil), nil), authservertest.Username)
	page := browser.Get(server.Begin(server.Register(t, nil), nil)).Follow(server.Issuer)
	if page.Has("password") || !page.Has("decision") || !strings.Contains(page.Body, "alice@example.com") {
		t.Errorf("got %d without consent for alice: %s", page.Status, page.Body)
	}
}

func TestASessionDoesNotAnswerForARequestThatWantsMore(t *testing.T) {
	for _, test := range []struct {
		name    string
		wish    url.Values
		content func(*catalog.Content)
		after   time.Duration
		asked   bool
	}{
		{name: "nothing special"},
		{name: "prompt=login", wish: changed("prompt", "login"), asked: true},
		{name: "prompt=select_account", wish: changed("prompt", "select_account"), asked: true},
		{name: "prompt=consent", wish: changed("prompt", "consent")},
		{name: "an unknown prompt", wish: changed("prompt", "create")},
		{name: "max_age that is kept", wish: changed("max_age", "600"), after: 5 * time.Minute},
		{name: "max_age that has passed", wish: changed("max_age", "600"), after: 11 * time.Minute, asked: true},
		{name: "max_age of nothing", wish: changed("max_age", "0"), after: time.Second, asked: true},
		{name: "another authentication class", wish: changed("acr_values", "urn:example:mfa"), asked: true},
		{name: "the end of the session", after: 13 * time.Hour, asked: true},
		{name: "no sessions at all", content: func(c *catalog.Content) { c.SessionLifetime = 0 }, asked: true},
		{name: "a user who was removed", content: func(c *catalog.Content) { c.Providers[0].Static.Users = c.Providers[0].Static.Users[1:] }, asked: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := authservertest.New(t)
			browser := authservertest.NewBrowser(t)
			server.SignInWith(browser, server.Begin(server.Register(t, nil), nil), authservertest.Username)
			if test.content != nil {
				server.Swap(test.content)
			}
			server.Advance(test.after)
			page := browser.Get(server.Begin(server.Register(t, nil), test.wish)).Follow(server.Issuer)
			if page.Has("password") != test.asked {
				t.Errorf("asked to sign in: got %v, want %v: %d %s", page.Has("password"), test.asked, page.Status, page.Body)
			}
		})
	}
}

func TestALoginHintIsFilledIn(t *testing.T) {
	server := authservertest.New(t)
	page := authservertest.NewBrowser(t).Get(server.Begin(server.Register(t, nil), changed("login_hint", "alice"))).Follow(server.Issuer)
	if !strings.Contains(page.Body, `value="alice"`) {
		t.Errorf("the page does not hold the hint: %s", page.Body)
	}
}

func TestPromptNoneAnswersWithoutAPage(t *testing.T) {
	server := authservertest.New(t)
	app, browser := webApp(t, server), authservertest.NewBrowser(t)
	silent := func() url.Values {
		page := browser.Get(server.Begin(app, changed("prompt", "none")))
		if page.Location != nil && strings.HasPrefix(page.Location.String(), app.Redirect) {
			return page.Location.Query()
		}
		return linkBack(t, page, app.Redirect)
	}
	if got := silent().Get("error"); got != "login_required" {
		t.Errorf("nobody signed in: got %q", got)
	}
	server.SignInWith(browser, server.Begin(server.Register(t, nil), nil), authservertest.Username)
	if got := silent().Get("error"); got != "consent_required" {
		t.Errorf("no consent yet: got %q", got)
	}
	server.SignInWith(browser, server.Begin(app, nil), authservertest.Username)
	answer := silent()
	if !answer.Has("code") || answer.Get("iss") != server.ResourceIssuer() {
		t.Fatalf("all there: got %v", answer)
	}
	status, tokens := server.Redeem(t, app, answer)
	wantStatus(t, status, http.StatusOK, tokens)
}

func TestConsentIsRememberedForTheSameAppHostAndScopesAlone(t *testing.T) {
	for _, test := range []struct {
		name     string
		first    url.Values
		second   url.Values
		redirect []string
		asked    bool
	}{
		{name: "the same again"},
		{name: "less than before", second: changed("scope", "todo:read")},
		{name: "more than before", first: changed("scope", "todo:read"), second: changed("scope", "todo:read todo:write"), asked: true},
		{name: "prompt=consent", second: changed("prompt", "consent"), asked: true},
		{name: "another redirect host of the app", redirect: []string{"https://app.example/cb", "https://other.example/cb"},
			first: changed("redirect_uri", "https://app.example/cb"), second: changed("redirect_uri", "https://other.example/cb"), asked: true},
		{name: "another path of the same host", redirect: []string{"https://app.example/a", "https://app.example/b"},
			first: changed("redirect_uri", "https://app.example/a"), second: changed("redirect_uri", "https://app.example/b")},
		{name: "a loopback redirect", redirect: []string{"http://127.0.0.1:5000/cb"}, asked: true},
		{name: "a scheme of the app's own", redirect: []string{"cursor://callback"}, asked: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := authservertest.New(t)
			redirects := test.redirect
			if redirects == nil {
				redirects = []string{"https://app.example/callback"}
			}
			app, browser := server.Register(t, map[string]any{"redirect_uris": redirects}), authservertest.NewBrowser(t)
			server.SignInWith(browser, server.Begin(app, test.first), authservertest.Username)
			page := browser.Get(server.Begin(app, test.second)).Follow(server.Issuer)
			if page.Has("decision") != test.asked {
				t.Errorf("asked: got %v, want %v: %d %v", page.Has("decision"), test.asked, page.Status, page.Location)
			}
			if !test.asked && !page.Location.Query().Has("code") {
				t.Errorf("got %v, want a code", page.Location)
			}
		})
	}
}

func TestRememberedConsentIsOfOneUserAndEndsAfterAYear(t *testing.T) {
	server := authservertest.New(t)
	app, browser := webApp(t, server), authservertest.NewBrowser(t)
	server.SignInWith(browser, server.Begin(app, nil), authservertest.Username)
	other := server.ConsentPage(authservertest.NewBrowser(t), server.Begin(app, nil), authservertest.OtherUsername)
	if !other.Has("decision") {
		t.Error("another user is not asked")
	}
	server.Advance(366 * 24 * time.Hour)
	if page := server.ConsentPage(browser, server.Begin(app, nil), authservertest.Username); !page.Has("decision") {
		t.Error("after a year nobody is asked")
	}
}

// Everybody can claim a client id that is a public document: with a loopback
// redirect no consent to it is remembered (GHSA-6x8h-498w-gv8c).
func TestAttack03_RememberedConsentOfASharedClientID(t *testing.T) {
	const id = "https://shared.example/client.json"
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) {
		c.Registration.Documents = map[string]string{id: `{"client_id":"` + id + `","client_name":"Shared",
			"redirect_uris":["http://127.0.0.1/cb","http://localhost/cb"],"grant_types":["authorization_code","refresh_token"]}`}
	}))
	browser := authservertest.NewBrowser(t)
	for _, redirect := range []string{"http://127.0.0.1:4000/cb", "http://127.0.0.1:4001/cb", "http://localhost:4000/cb"} {
		app := authservertest.App{ID: id, Redirect: redirect}
		page := server.ConsentPage(browser, server.Begin(app, nil), authservertest.Username)
		if !page.Has("decision") || !strings.Contains(page.Body, "shared.example") {
			t.Fatalf("%s: nobody is asked: %d %v", redirect, page.Status, page.Location)
		}
		before := server.Store.Writes()
		page.Submit("decision", changed("decision", "approve"))
		if got := server.Store.Writes(); got.Consents != before.Consents {
			t.Errorf("%s: the consent is remembered", redirect)
		}
	}
}

func TestApprovalIsTheirsWhoSignedInAndNobodyElses(t *testing.T) {
	server := authservertest.New(t)
	app, browser := server.Register(t, nil), authservertest.NewBrowser(t)
	consent := server.ConsentPage(browser, server.Begin(app, nil), authservertest.Username)
	account := browser.Get(server.Issuer + "/account").Follow(server.Issuer)
	account.Submit("signout", changed("signout", "1"))
	before := server.Store.Writes()
	wantErrorPage(t, consent.Submit("decision", changed("decision", "approve")))

	// Somebody else signs in with the same browser: the consent page of before is not theirs.
	server.ConsentPage(browser, server.Begin(app, nil), authservertest.OtherUsername)
	wantErrorPage(t, consent.Submit("decision", changed("decision", "approve")))
	if got := server.Store.Writes().Codes; got != before.Codes {
		t.Error("a code was issued")
	}
}

func TestASessionCookieThatSomebodyPlantedIsWorthNothing(t *testing.T) {
	server := authservertest.New(t)
	browser := authservertest.NewBrowser(t)
	issuer, err := url.Parse(server.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	planted := strings.Repeat("A", 43)
	browser.Client.Jar.SetCookies(issuer, []*http.Cookie{{Name: "mcpauth-session", Value: planted, Path: "/"}})
	server.SignInWith(browser, server.Begin(server.Register(t, nil), nil), authservertest.Username)
	for _, cookie := range browser.Client.Jar.Cookies(issuer) {
		if cookie.Name == "mcpauth-session" && cookie.Value == planted {
			t.Error("the planted session has become the user's")
		}
	}
}

// linkBack is what a page's link would tell the client.
func linkBack(t *testing.T, page *authservertest.Page, redirect string) url.Values {
	t.Helper()
	_, rest, ok := strings.Cut(page.Body, `href="`+redirect)
	target, _, closed := strings.Cut(rest, `"`)
	if page.Status != http.StatusBadRequest || !ok || !closed {
		t.Fatalf("got %d, Location %v, want a page with a link to the client: %s", page.Status, page.Location, page.Body)
	}
	parsed, err := url.Parse(redirect + html.UnescapeString(target))
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Query()
}

func TestWithoutSessionsApprovalIsTheirsTooWhoSignedIn(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) { c.SessionLifetime = 0 }))
	app, browser := server.Register(t, nil), authservertest.NewBrowser(t)
	consent := server.ConsentPage(browser, server.Begin(app, nil), authservertest.Username)
	browser.Get(server.Issuer+"/account").Follow(server.Issuer).Submit("signout", changed("signout", "yes"))
	wantErrorPage(t, consent.Submit("decision", changed("decision", "approve")))
	if end := server.ConsentPage(browser, server.Begin(app, nil), authservertest.Username).Submit("decision", changed("decision", "approve")); !end.Location.Query().Has("code") {
		t.Errorf("signed in again: got %v", end.Location)
	}
}

func TestMaxAgeIsNotKeptByATimeThatNobodyStated(t *testing.T) {
	u := newUpstream(t)
	server := authservertest.New(t, authservertest.WithContent(u.alone))
	app, browser := server.Register(t, nil), authservertest.NewBrowser(t)
	consent := browser.Get(server.Begin(app, nil)).Follow(server.Issuer)
	through(browser, consent.Submit("decision", changed("decision", "approve")))
	again := browser.Get(server.Begin(app, changed("max_age", "600"))).Follow(server.Issuer)
	if strings.Contains(again.Body, "carol@corp.example") {
		t.Error("the session answers for a time that the provider did not state")
	}
}

// An answer is for the user whom the client named, and nobody else (OpenID Connect
// Core §3.1.2.2).
func TestAnIDTokenHintIsForItsUserAlone(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) { c.Resources[0].OpenID = true }))
	app := webApp(t, server)
	alice, bob := authservertest.NewBrowser(t), authservertest.NewBrowser(t)
	openID := changed("scope", "openid todo:read")
	status, tokens := server.Redeem(t, app, server.SignInWith(alice, server.Begin(app, openID), authservertest.Username))
	wantStatus(t, status, http.StatusOK, tokens)
	server.SignInWith(bob, server.Begin(app, openID), authservertest.OtherUsername)
	silent := with(url.Values{"prompt": {"none"}, "id_token_hint": {text(tokens, "id_token")}}, openID)
	server.Advance(2 * time.Hour) // an expired one still names somebody
	if page := alice.Get(server.Begin(app, silent)); page.Location == nil || !page.Location.Query().Has("code") {
		t.Errorf("alice: got %d %v", page.Status, page.Location)
	}
	if got := linkBack(t, bob.Get(server.Begin(app, silent)), app.Redirect); got.Get("error") != "login_required" {
		t.Errorf("bob: got %v", got)
	}
	for _, hint := range []string{"x", text(tokens, "access_token"), text(tokens, "id_token") + "x"} {
		if got := linkBack(t, alice.Get(server.Begin(app, changed("id_token_hint", hint))), app.Redirect); got.Get("error") != "invalid_request" {
			t.Errorf("a hint that is none: got %v", got)
		}
	}
}
