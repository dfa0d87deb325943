package authserver

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/identity"
	"github.com/mcpauth/mcpauth/authserver/page"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
)

// Reasons of audit events about sign-in.
const (
	reasonCredentials = "invalid_credentials"
	reasonNotAdmitted = "not_admitted"
	reasonLimited     = "rate_limited"
	reasonUpstream    = "upstream_failed"
)

// wrongPassword tells nothing about which of the two it was.
const wrongPassword = "The username or the password is wrong."

// maxUsernameLength bounds what is looked up and counted, in bytes.
const maxUsernameLength = 256

// signin is the page on which people say who they are, or where they sign in.
func (s *Server) signin(w http.ResponseWriter, r *request) {
	if r.Method == http.MethodGet {
		s.showSignIn(w, r)
		return
	}
	form, g, err := s.submitted(w, r, stepSignIn)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	p, ok := r.issuer.chosenProvider(form)
	if !ok {
		s.failPage(w, r, oauth.Errorf(oauth.InvalidRequest, "the form names no way to sign in that this server has"))
		return
	}
	g.Provider, g.User = p.Name, nil
	if p.password != nil {
		user, refusal := s.checkPassword(r, g, p, form)
		if refusal != nil {
			s.refuseSignIn(w, r, g, form, refusal)
			return
		}
		g.User = &user
	}
	s.signedInAt(w, r, g)
}

// signedInAt goes on from the sign-in page: to consent, or, where no client has
// asked, to the provider or the account page.
func (s *Server) signedInAt(w http.ResponseWriter, r *request, g *stage) {
	if g.User != nil {
		if err := s.remember(w, r, *g.User); err != nil {
			s.failPage(w, r, err)
			return
		}
	}
	switch {
	case !g.toAccount():
		s.goOn(w, r, stepConsent, "/oauth/consent", g.journey)
	case g.User == nil:
		s.sendUpstream(w, r, g)
	default:
		seeOther(w, r.issuer.url(accountPath))
	}
}

func (s *Server) showSignIn(w http.ResponseWriter, r *request) {
	params, err := parseParameters(r.URL.RawQuery)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	g, err := s.resume(r, stepSignIn, params.Get("request"))
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.render(w, r, s.pages.SignIn(w, http.StatusOK, s.signInPage(g, params.Get("request"))))
}

// ownForm reads a form of our own pages. Browsers that say where a form was sent
// from are believed when it was elsewhere.
func (s *Server) ownForm(w http.ResponseWriter, r *request) (url.Values, error) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return nil, errJourney
	}
	form, err := readForm(w, r.Request)
	if err != nil {
		return nil, err
	}
	return form, onlyOnce(form)
}

// submitted reads a form of a journey. The sealed request in it proves that it was
// made for this browser.
func (s *Server) submitted(w http.ResponseWriter, r *request, step string) (url.Values, *stage, error) {
	form, err := s.ownForm(w, r)
	if err != nil {
		return nil, nil, err
	}
	g, err := s.resume(r, step, form.Get("request"))
	return form, g, err
}

// chosenProvider is the one that the form names, or, for a user name and a
// password alone, the only one that could check them.
func (v *view) chosenProvider(form url.Values) (provider, bool) {
	if name := form.Get("provider"); name != "" {
		p, ok := v.providers[name]
		return p, ok
	}
	var only []provider
	for _, p := range v.providers {
		if p.password != nil {
			only = append(only, p)
		}
	}
	if len(only) != 1 {
		return provider{}, false
	}
	return only[0], true
}

// refusal is why a password did not let somebody in.
type refusal struct {
	reason, message string
	status          int
}

// checkPassword signs in on our own page. Only failures count against the
// limits of a user name; the bound on an address counts every attempt.
func (s *Server) checkPassword(r *request, g *stage, p provider, form url.Values) (store.User, *refusal) {
	username := strings.TrimSpace(form.Get("username"))
	address := s.limitKey(r.Request)
	key := p.Name + "\n" + strings.ToLower(username) + "\n" + address
	if len(username) > maxUsernameLength {
		return store.User{}, &refusal{reasonCredentials, wrongPassword, http.StatusUnprocessableEntity}
	}
	allowed, err := s.takeAll(r.Context(), take{s.limits.signInAddresses, address}, take{s.limits.signIns, key})
	if err != nil {
		return store.User{}, s.passwordRefusal(r, err)
	}
	if !allowed {
		s.auditSignIn(r, g, audit.Denied, reasonLimited, store.User{})
		return store.User{}, &refusal{reasonLimited, "Too many attempts. Wait a minute, then try again.", http.StatusTooManyRequests}
	}
	assertion, err := p.password.Authenticate(r.Context(), username, form.Get("password"))
	if err != nil {
		s.auditSignIn(r, g, audit.Denied, reasonCredentials, store.User{Subject: p.listed(username)})
		return store.User{}, s.passwordRefusal(r, err)
	}
	user, err := identity.Admit(p.IdentityProvider, assertion)
	if err != nil {
		s.auditSignIn(r, g, audit.Denied, reasonNotAdmitted, store.User{Subject: assertion.Subject})
		return store.User{}, &refusal{reasonNotAdmitted, sentence(identity.ErrNotAdmitted.Error()), http.StatusForbidden}
	}
	if err := s.refill(r.Context(), s.limits.signIns, key); err != nil {
		return store.User{}, s.passwordRefusal(r, err)
	}
	s.auditSignIn(r, g, audit.Allowed, "", user)
	return user, nil
}

func (s *Server) passwordRefusal(r *request, err error) *refusal {
	if errors.Is(err, identity.ErrCredentials) {
		return &refusal{reasonCredentials, wrongPassword, http.StatusUnprocessableEntity}
	}
	s.opts.Logger.ErrorContext(r.Context(), "a password could not be checked", "error", err)
	return &refusal{reasonUpstream, "Your password could not be checked. Try again in a moment.", http.StatusServiceUnavailable}
}

// listed is the user name if an operator wrote it down. What somebody else typed
// into the field may be a password, and stays out of logs.
func (p provider) listed(username string) string {
	if p.Static == nil {
		return ""
	}
	for _, user := range p.Static.Users {
		if user.Username == username {
			return username
		}
	}
	return ""
}

func (s *Server) refuseSignIn(w http.ResponseWriter, r *request, g *stage, form url.Values, why *refusal) {
	p := s.signInPage(g, form.Get("request"))
	p.Error, p.Username = why.message, form.Get("username")
	if why.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "60")
	}
	s.render(w, r, s.pages.SignIn(w, why.status, p))
}

func (s *Server) signInPage(g *stage, sealed string) page.SignIn {
	p := page.SignIn{
		Site: g.issuer.pageSite(), Client: clientOnPage(g), Resource: resourceOnPage(g),
		Action: g.issuer.url("/oauth/signin"), Request: sealed, Username: g.Wish.Hint,
	}
	if g.Wish.Login || g.Wish.MaxAge != nil {
		p.Notice = "The app asks you to sign in again."
	}
	for _, declared := range g.issuer.Providers() {
		shown := page.Provider{Name: declared.Name, Label: declared.DisplayName}
		if g.issuer.providers[declared.Name].password != nil {
			p.Password = append(p.Password, shown)
		} else {
			p.Upstream = append(p.Upstream, shown)
		}
	}
	return p
}

// clientOnPage is how pages name the client; nil where none has asked.
func clientOnPage(g *stage) *page.Client {
	if g.client == nil {
		return nil
	}
	shown := pageClient(g.client)
	return &shown
}

func pageClient(c *client.Client) page.Client {
	shown := page.Client{Name: c.Name, Host: c.Host, URI: c.URI}
	switch c.Origin {
	case client.Declared:
		shown.Origin = page.Declared
	case client.Document:
		shown.Origin = page.Document
	}
	return shown
}

func resourceOnPage(g *stage) *page.Resource {
	if len(g.resources) == 0 {
		return nil
	}
	return &page.Resource{Name: g.resources[0].DisplayName, URL: g.resources[0].URL}
}

// sentence makes one out of an error's text, for people.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
