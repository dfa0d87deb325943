package authserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
)

// An open registration must not be enough to get a code out of somebody who is
// merely sent to a link (obot GHSA-xwmw-prc4-v3cr).
func TestAttack01_OpenRegistrationWithoutConsent(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, map[string]any{"redirect_uris": []string{"https://attacker.example/cb"}})
	victim := authservertest.NewBrowser(t)
	for _, prompt := range []string{"", "none", "login", "consent", "select_account"} {
		before := server.Store.Writes()
		page := victim.Get(server.Begin(app, changed("prompt", prompt))).Follow(server.Issuer)
		if page.Location != nil && page.Location.Query().Has("code") {
			t.Errorf("prompt=%q: a code without consent", prompt)
		}
		wantUnchanged(t, server, before)
	}
	// Having signed in and consented to other apps changes nothing, one with the
	// same name and redirect host included.
	server.SignInWith(victim, server.Begin(server.Register(t, nil), nil), authservertest.Username)
	twin := server.Register(t, map[string]any{"redirect_uris": []string{"https://attacker.example/cb"}})
	server.SignInWith(victim, server.Begin(twin, nil), authservertest.Username)
	before := server.Store.Writes()
	page := victim.Get(server.Begin(app, nil)).Follow(server.Issuer)
	if page.Location != nil {
		t.Errorf("the request goes on to %s by itself", page.Location)
	}
	wantUnchanged(t, server, before)
}

// What one browser began, another cannot continue, at any step (FastMCP
// CVE-2026-27124).
func TestAttack02_ConsentInAnotherBrowser(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	attacker, victim := authservertest.NewBrowser(t), authservertest.NewBrowser(t)
	victim.Get(server.Begin(app, nil)) // so that the victim has a cookie of its own
	signin := attacker.Get(server.Begin(app, nil)).Follow(server.Issuer)
	consent := server.ConsentPage(attacker, server.Begin(app, nil), authservertest.Username)
	before := server.Store.Writes()
	for _, page := range []*authservertest.Page{signin, consent} {
		sealed := page.URL.Query().Get("request")
		wantErrorPage(t, victim.Get(page.URL.String()))
		path := server.Issuer + page.URL.Path
		values := url.Values{"request": {sealed}, "decision": {"approve"}, "username": {authservertest.Username}, "password": {authservertest.Password}}
		wantErrorPage(t, victim.Post(path, values))
		wantErrorPage(t, authservertest.NewBrowser(t).Post(path, values))
	}
	wantUnchanged(t, server, before)
}

// A form on another site must not approve, and two tabs at once must both work.
func TestAttack04_CrossSiteRequestForgeryOnConsent(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	victim := authservertest.NewBrowser(t)
	first := server.ConsentPage(victim, server.Begin(app, changed("state", "first")), authservertest.Username)
	second := server.ConsentPage(victim, server.Begin(app, changed("state", "second")), authservertest.Username)
	attackers := server.ConsentPage(authservertest.NewBrowser(t), server.Begin(app, nil), authservertest.Username)
	before := server.Store.Writes()

	wantErrorPage(t, victim.Post(server.Issuer+"/oauth/consent", changed("decision", "approve")))
	wantErrorPage(t, victim.Post(server.Issuer+"/oauth/consent",
		url.Values{"decision": {"approve"}, "request": {attackers.URL.Query().Get("request")}}))
	for _, site := range []string{"cross-site", "same-site"} {
		if status := postFrom(t, server, victim, site, first.URL.Query().Get("request")); status != http.StatusBadRequest {
			t.Errorf("Sec-Fetch-Site: %s: got %d, want 400", site, status)
		}
	}
	wantUnchanged(t, server, before)

	for want, page := range map[string]*authservertest.Page{"first": first, "second": second} {
		end := page.Submit("decision", changed("decision", "approve"))
		if got := end.Location.Query(); got.Get("state") != want || !got.Has("code") {
			t.Errorf("tab %s: got %v", want, got)
		}
	}
}

func postFrom(t *testing.T, server *authservertest.Server, browser *authservertest.Browser, site, sealed string) int {
	t.Helper()
	body := url.Values{"decision": {"approve"}, "request": {sealed}}.Encode()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.Issuer+"/oauth/consent", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", form)
	request.Header.Set("Sec-Fetch-Site", site)
	response, err := browser.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// Approval is bound to what was asked and to who was asked: what was sealed for
// one step, one request or one server is refused at another (Dex CVE-2022-39222).
func TestAttack05_ApprovalOfAnotherSession(t *testing.T) {
	server, other := authservertest.New(t), authservertest.New(t)
	app := server.Register(t, nil)
	browser := authservertest.NewBrowser(t)
	signin := browser.Get(server.Begin(app, nil)).Follow(server.Issuer)
	before := server.Store.Writes()

	// Sign-in skipped: its request at the consent page.
	sealed := signin.URL.Query().Get("request")
	wantErrorPage(t, browser.Post(server.Issuer+"/oauth/consent", url.Values{"decision": {"approve"}, "request": {sealed}}))
	// A user or a redirect added in passing is not looked at.
	end := browser.Post(server.Issuer+"/oauth/consent", url.Values{
		"decision": {"approve"}, "request": {sealed}, "user": {"alice"}, "redirect_uri": {"https://attacker.example/"},
	})
	wantErrorPage(t, end)
	// Another server's approval, and one that was changed.
	foreign := other.ConsentPage(browser, other.Begin(other.Register(t, nil), nil), authservertest.Username)
	for _, request := range []string{foreign.URL.Query().Get("request"), sealed + "x", sealed[:len(sealed)-2], strings.ToUpper(sealed)} {
		wantErrorPage(t, browser.Post(server.Issuer+"/oauth/consent", url.Values{"decision": {"approve"}, "request": {request}}))
	}
	wantUnchanged(t, server, before)
}

// Nothing that a stranger wrote becomes markup (Hydra CVE-2019-8400).
func TestAttack06_MarkupInNames(t *testing.T) {
	server := authservertest.New(t)
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	app := server.Register(t, map[string]any{"client_name": evil, "redirect_uris": []string{`https://x.example/cb?q="><script>alert(1)</script>`}})
	browser := authservertest.NewBrowser(t)
	signin := browser.Get(server.Begin(app, changed("state", evil))).Follow(server.Issuer)
	failed := signin.Submit("password", url.Values{"username": {evil}, "password": {evil}})
	if !strings.Contains(failed.Body, "&lt;script&gt;") || failed.Status != http.StatusUnprocessableEntity {
		t.Errorf("the failed sign-in: got %d", failed.Status)
	}
	consent := server.ConsentPage(browser, server.Begin(app, nil), authservertest.Username)
	unknown := browser.Get(server.Begin(authservertest.App{ID: evil, Redirect: evil}, changed(evil, evil)))
	wrongRedirect := browser.Get(server.Begin(app, changed("redirect_uri", evil)))
	for name, page := range map[string]*authservertest.Page{
		"sign-in": signin, "failed sign-in": failed, "consent": consent, "unknown client": unknown, "wrong redirect": wrongRedirect,
	} {
		if strings.Contains(page.Body, "<script") || strings.Contains(page.Body, "<img") {
			t.Errorf("%s: markup got through: %s", name, page.Body)
		}
		policy := page.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: Content-Security-Policy: got %q", name, policy)
		}
	}
}

// Before client and redirect URI are proven, an error stays on our own page
// (pocket-id GHSA-2wvm-8mvp-22qv).
func TestAttack07_ErrorToAnUnregisteredRedirect(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	before := server.Store.Writes()
	for _, broken := range []url.Values{
		changed("response_type", "token"), changed("code_challenge"), changed("prompt", "none"), changed("scope", "\""), changed("client_id", "gone"),
	} {
		broken["redirect_uri"] = []string{"https://attacker.example/cb"}
		for _, issuer := range []string{server.Issuer, server.ResourceIssuer()} {
			wantErrorPage(t, authservertest.NewBrowser(t).Get(issuer+"/oauth/authorize?"+authservertest.Parameters(app, broken).Encode()))
		}
	}
	wantUnchanged(t, server, before)
}

// Redirect look-alikes reach nobody: 8 several "@" (Keycloak CVE-2026-7504),
// 9 path tricks (CVE-2026-3872), 10 schemes that run (CVE-2026-9086), 11 loopback
// look-alikes (fosite GHSA-rfq3-w54c-f9q5), 12 suffixes.
func TestAttack08to12_RedirectLookAlikes(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, map[string]any{"redirect_uris": []string{"https://app.example/cb", "http://127.0.0.1/cb"}})
	before := server.Store.Writes()
	for _, evil := range []string{
		"https://app.example@evil.example/cb", "https://a@app.example@evil.example/cb", "https://app.example%40evil.example/cb",
		"https://app.example/cb/..;/x", "https://app.example/%2e%2e/cb", `https://app.example\cb`, `https://app.example/cb\..\x`,
		"JavaScript:alert(1)", "data:text/html,x", "java\nscript:alert(1)",
		"http://127.0.0.1.evil.example/cb", "http://localhost.evil.example/cb", "http://[::ffff:127.0.0.1]/cb", "http://localhost/cb", "http://127.0.0.2/cb",
		"https://app.example/cb#x", "https://app.example/cb?x=1", "https://app.example/cb/x", "https://app.example/cb%20", "https://APP.example/cb",
		"https://app.example:443/cb", "http://127.0.0.1:8080/cb/", "http://127.0.0.1:8080@evil.example/cb", "https://app.example.evil.example/cb",
	} {
		wantErrorPage(t, authservertest.NewBrowser(t).Get(server.Begin(app, changed("redirect_uri", evil))))
	}
	wantUnchanged(t, server, before)
}

// Whoever registers an address may not have this server send people there: they
// see a page first, and decide (RFC 9700 §4.11.2).
func TestAttack07_OpenRedirectorByRegistration(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, map[string]any{"redirect_uris": []string{"https://attacker.example/phish"}})
	for _, broken := range []url.Values{
		changed("response_type", "x"), changed("scope", `"`), changed("prompt", "none"), changed("resource", "https://other.example/"), changed("request", "x"),
	} {
		page := authservertest.NewBrowser(t).Get(server.Begin(app, broken))
		if page.Location != nil {
			t.Errorf("%v: sent to %s", broken, page.Location)
		}
		if got := linkBack(t, page, app.Redirect); got.Get("error") == "" || got.Get("iss") != server.ResourceIssuer() || got.Get("state") != "client-state" {
			t.Errorf("%v: the link tells %v", broken, got)
		}
	}
}
