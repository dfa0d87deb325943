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

// corp is the upstream as a provider in the catalog.
func (u *upstream) corp() *catalog.IdentityProvider {
	return &catalog.IdentityProvider{
		Name: "corp", DisplayName: "Corp SSO", Organization: "corp",
		OIDC: &catalog.OIDCProvider{Issuer: u.URL, ClientID: "mcpauth", Scopes: []string{"email"}},
	}
}

func (u *upstream) alone(c *catalog.Content)  { c.Providers = []*catalog.IdentityProvider{u.corp()} }
func (u *upstream) beside(c *catalog.Content) { c.Providers = append(c.Providers, u.corp()) }

// through follows redirects over any host until the client's.
func through(b *authservertest.Browser, page *authservertest.Page) *authservertest.Page {
	for page.Location != nil && !strings.HasPrefix(page.Location.String(), authservertest.AppRedirect) {
		page = b.Get(page.Location.String())
	}
	return page
}

func TestAnUpstreamProviderIsAskedAfterConsentAlone(t *testing.T) {
	u := newUpstream(t)
	server := authservertest.New(t, authservertest.WithContent(u.alone))
	app := server.Register(t, nil)
	browser := authservertest.NewBrowser(t)
	consent := browser.Get(server.Begin(app, nil)).Follow(server.Issuer)
	if !strings.Contains(consent.Body, "Corp SSO") || !strings.Contains(consent.Body, `value="approve"`) {
		t.Fatalf("the first page is not consent: %s", consent.Body)
	}
	if u.times() != 0 {
		t.Fatal("the provider was asked before consent")
	}
	end := through(browser, consent.Submit("decision", changed("decision", "approve")))
	status, tokens := server.Redeem(t, app, end.Location.Query())
	wantStatus(t, status, http.StatusOK, tokens)
	claims := verify(t, server, tokens)
	if claims.Subject != "corp|carol-1" || claims.Email != "carol@corp.example" || claims.Organization != "corp" {
		t.Errorf("claims: got %+v", claims)
	}
	status, tokens = server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	wantStatus(t, status, http.StatusOK, tokens)
}

func TestWithSeveralProvidersTheFirstPageOffersTheChoice(t *testing.T) {
	u := newUpstream(t)
	server := authservertest.New(t, authservertest.WithContent(u.beside))
	app := server.Register(t, nil)
	browser := authservertest.NewBrowser(t)
	signin := browser.Get(server.Begin(app, nil)).Follow(server.Issuer)
	consent := signin.Submit("provider", url.Values{"provider": {"corp"}}).Follow(server.Issuer)
	if u.times() != 0 || !strings.Contains(consent.Body, "Corp SSO") {
		t.Fatalf("asked %d times; page: %s", u.times(), consent.Body)
	}
	end := through(browser, consent.Submit("decision", changed("decision", "approve")))
	if !end.Location.Query().Has("code") {
		t.Errorf("got %v", end.Location)
	}
	// And a password still works beside it.
	server.SignInWith(browser, server.Begin(app, nil), authservertest.Username)
}

// The answer of the upstream provider has to come back to the browser that
// consented (FastMCP CVE-2026-27124).
func TestAttack02_CallbackInAnotherBrowser(t *testing.T) {
	u := newUpstream(t)
	server := authservertest.New(t, authservertest.WithContent(u.alone))
	app := server.Register(t, nil)
	attacker, victim := authservertest.NewBrowser(t), authservertest.NewBrowser(t)
	victim.Get(server.Begin(app, nil))
	left := attacker.Get(server.Begin(app, nil)).Follow(server.Issuer).Submit("decision", changed("decision", "approve"))
	answer := victim.Get(left.Location.String()) // the victim signs in upstream
	before := server.Store.Writes()
	wantErrorPage(t, victim.Get(answer.Location.String()))

	// Nor with the attacker's hop cookie, which needs the attacker's browser too.
	callback, err := url.Parse(server.Issuer + "/oauth/callback/corp")
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range attacker.Client.Jar.Cookies(callback) {
		if strings.HasPrefix(cookie.Name, "mcpauth-hop-") {
			cookie.Path = "/"
			victim.Client.Jar.SetCookies(callback, []*http.Cookie{cookie})
		}
	}
	wantErrorPage(t, victim.Get(answer.Location.String()))
	wantUnchanged(t, server, before)
}

func TestAnUpstreamRefusalReachesTheClientAsAccessDenied(t *testing.T) {
	for _, test := range []struct {
		name   string
		spoil  func(u *upstream, c *catalog.Content)
		answer func(url.Values)
		reason string
	}{
		{"an error answer", func(*upstream, *catalog.Content) {}, func(v url.Values) { v.Set("error", "access_denied"); v.Del("code") }, "upstream_failed"},
		{"another state", func(*upstream, *catalog.Content) {}, nil, ""},
		{"another domain", func(_ *upstream, c *catalog.Content) {
			c.Providers[0].AllowedEmailDomains = []string{"other.example"}
		}, func(url.Values) {}, "not_admitted"},
		{"an unverified address", func(u *upstream, c *catalog.Content) {
			c.Providers[0].AllowedEmailDomains = []string{"corp.example"}
			u.claims["email_verified"] = false
		}, func(url.Values) {}, "not_admitted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := newUpstream(t)
			server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) { u.alone(c); test.spoil(u, c) }))
			app := server.Register(t, nil)
			browser := authservertest.NewBrowser(t)
			left := browser.Get(server.Begin(app, nil)).Follow(server.Issuer).Submit("decision", changed("decision", "approve"))
			answer := browser.Get(left.Location.String()).Location
			before := server.Store.Writes()
			query := answer.Query()
			if test.answer == nil {
				query.Set("state", "other")
				answer.RawQuery = query.Encode()
				wantErrorPage(t, browser.Get(answer.String()))
			} else {
				test.answer(query)
				answer.RawQuery = query.Encode()
				wantErrorRedirect(t, server, browser.Get(answer.String()), "access_denied")
				if events := server.Events.Of("signin.failed"); len(events) != 1 || events[0].Fields["reason"] != test.reason {
					t.Errorf("events: got %v, want reason %s", events, test.reason)
				}
			}
			wantUnchanged(t, server, before)
		})
	}
}

func TestAProviderThatIsDownIsTemporary(t *testing.T) {
	u := newUpstream(t)
	server := authservertest.New(t, authservertest.WithContent(u.alone))
	app := server.Register(t, nil)
	u.Close()
	browser := authservertest.NewBrowser(t)
	end := browser.Get(server.Begin(app, nil)).Follow(server.Issuer).Submit("decision", changed("decision", "approve"))
	wantErrorRedirect(t, server, end, "temporarily_unavailable")
}

func TestAnUpstreamProviderIsToldHowTheAppWantsItsUserToSignIn(t *testing.T) {
	u := newUpstream(t)
	server := authservertest.New(t, authservertest.WithContent(u.alone))
	app := server.Register(t, nil)
	for _, test := range []struct {
		name       string
		sent, want url.Values
	}{
		{"nothing special", nil, url.Values{}},
		{"everything", url.Values{"prompt": {"login"}, "login_hint": {"carol@corp.example"}, "acr_values": {"urn:example:mfa"}},
			url.Values{"prompt": {"login"}, "login_hint": {"carol@corp.example"}, "acr_values": {"urn:example:mfa"}}},
		{"another account", changed("prompt", "select_account"), changed("prompt", "select_account")},
		{"consent is ours", changed("prompt", "consent"), url.Values{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			browser := authservertest.NewBrowser(t)
			consent := browser.Get(server.Begin(app, test.sent)).Follow(server.Issuer)
			through(browser, consent.Submit("decision", changed("decision", "approve")))
			for _, name := range []string{"prompt", "login_hint", "acr_values", "max_age", "resource"} {
				if got := u.query.Get(name); got != test.want.Get(name) {
					t.Errorf("%s: got %q, want %q", name, got, test.want.Get(name))
				}
			}
		})
	}
}

func TestAnUpstreamProviderHasToKeepMaxAge(t *testing.T) {
	for name, test := range map[string]struct {
		authTime any
		error    string
	}{
		"kept":       {float64(time.Now().Add(-time.Minute).Unix()), ""},
		"not kept":   {float64(time.Now().Add(-time.Hour).Unix()), "access_denied"},
		"not stated": {nil, "access_denied"},
		"not a time": {"recently", "access_denied"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(t)
			if test.authTime != nil {
				u.claims["auth_time"] = test.authTime
			}
			server := authservertest.New(t, authservertest.WithContent(u.alone))
			app := server.Register(t, nil)
			browser := authservertest.NewBrowser(t)
			consent := browser.Get(server.Begin(app, changed("max_age", "600"))).Follow(server.Issuer)
			end := through(browser, consent.Submit("decision", changed("decision", "approve")))
			if u.query.Get("max_age") != "600" {
				t.Errorf("max_age: got %q", u.query.Get("max_age"))
			}
			if got := end.Location.Query().Get("error"); got != test.error {
				t.Errorf("error: got %q, want %q", got, test.error)
			}
		})
	}
}

func TestAnUpstreamUserStaysSignedIn(t *testing.T) {
	u := newUpstream(t)
	u.claims["acr"] = "urn:example:mfa"
	server := authservertest.New(t, authservertest.WithContent(u.alone))
	browser := authservertest.NewBrowser(t)
	first := server.Register(t, nil)
	consent := browser.Get(server.Begin(first, nil)).Follow(server.Issuer)
	through(browser, consent.Submit("decision", changed("decision", "approve")))
	second := server.Register(t, nil)
	consent = browser.Get(server.Begin(second, changed("acr_values", "urn:example:mfa"))).Follow(server.Issuer)
	if !strings.Contains(consent.Body, "carol@corp.example") {
		t.Fatalf("the consent page does not know carol: %s", consent.Body)
	}
	end := consent.Submit("decision", changed("decision", "approve"))
	status, tokens := server.Redeem(t, second, end.Location.Query())
	wantStatus(t, status, http.StatusOK, tokens)
	if claims := verify(t, server, tokens); u.times() != 1 || claims.ACR != "urn:example:mfa" {
		t.Errorf("the provider was asked %d times; acr %q", u.times(), claims.ACR)
	}
}
