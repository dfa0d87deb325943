package authserver

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver/page"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// codeLifetime is how long a client may take to redeem a code.
const codeLifetime = 2 * time.Minute

// consent is the page on which a person lets a client in.
func (s *Server) consent(w http.ResponseWriter, r *request) {
	if r.Method == http.MethodGet {
		s.showConsent(w, r)
		return
	}
	form, g, err := s.submitted(w, r, stepConsent)
	if err == nil {
		err = s.stillTheirs(r, g)
	}
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	switch form.Get("decision") {
	case page.Approve:
		s.approve(w, r, g)
	case page.Deny:
		s.auditConsent(r, g, audit.Denied)
		s.redirectError(w, r, g.destination(), oauth.Errorf(oauth.AccessDenied, "the user denied the request"))
	default:
		s.failPage(w, r, oauth.Errorf(oauth.InvalidRequest, "the form says neither yes nor no"))
	}
}

// stillTheirs refuses a journey whose user has signed out since.
func (s *Server) stillTheirs(r *request, g *stage) error {
	same, err := s.stillSignedIn(r, g)
	if err == nil && !same {
		return fmt.Errorf("%w: its user has signed out", errJourney)
	}
	return err
}

func (s *Server) showConsent(w http.ResponseWriter, r *request) {
	params, err := parseParameters(r.URL.RawQuery)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	g, err := s.resume(r, stepConsent, params.Get("request"))
	if err == nil {
		err = s.stillTheirs(r, g)
	}
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	p, err := s.consentPage(r, g, params.Get("request"))
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.render(w, r, s.pages.Consent(w, p))
}

// approve goes on to where the user still has to sign in, or ends with a code.
func (s *Server) approve(w http.ResponseWriter, r *request, g *stage) {
	s.auditConsent(r, g, audit.Allowed)
	if g.User == nil {
		s.sendUpstream(w, r, g)
		return
	}
	s.approved(w, r, g, *g.User)
}

// approved ends an approved journey whose user is known, and remembers the
// approval.
func (s *Server) approved(w http.ResponseWriter, r *request, g *stage, user store.User) {
	if err := s.rememberConsent(r, g, user); err != nil {
		s.redirectError(w, r, g.destination(), err)
		return
	}
	s.finish(w, r, g, user)
}

// finish issues the code.
func (s *Server) finish(w http.ResponseWriter, r *request, g *stage, user store.User) {
	scope := grantableScope(g.resources, g.Scope, g.grantee(&user))
	if refusesAll(g.resources, scope) {
		s.redirectError(w, r, g.destination(), oauth.Errorf(oauth.AccessDenied, "this account may not be granted any of the requested scopes"))
		return
	}
	if err := s.throttle(w, r, take{s.limits.codes, user.Subject}); err != nil {
		s.redirectError(w, r, g.destination(), err)
		return
	}
	code := "mcpcode_" + credential.Random(32)
	if err := s.opts.Store.CreateCode(r.Context(), s.newCode(g, user, scope, code)); err != nil {
		s.redirectError(w, r, g.destination(), err)
		return
	}
	seeOther(w, response(g.destination(), url.Values{"code": {code}}))
}

// grantee is whoever the journey's scopes would be granted to.
func (g *stage) grantee(user *store.User) catalog.Grantee {
	return grantee(user, g.ClientID, oauth.GrantAuthorizationCode)
}

func (s *Server) newCode(g *stage, user store.User, scope oauth.ScopeSet, code string) store.Code {
	now := s.opts.Now()
	grant := store.Grant{
		ID: credential.Random(16), ClientID: g.ClientID, User: user,
		Resources: resourceIDs(g.resources), Issuer: g.issuer.String(), Scope: scope, Created: now,
		Refreshable: g.client.MayUse(oauth.GrantRefreshToken), Generation: 1,
	}
	// What the resources say of lifetimes holds for all together: the shortest. A
	// grant without refresh tokens lives as long as its access tokens can.
	token, idle, longest := lifetimes(g.resources)
	grant.IdleExpires = now.Add(codeLifetime + token)
	grant.MaxExpires = grant.IdleExpires
	if grant.Refreshable {
		grant.IdleExpires, grant.MaxExpires = now.Add(idle), now.Add(longest)
	}
	return store.Code{
		Hash: credential.HashOf(code), RedirectURI: g.RedirectURI, RedirectURISent: g.RedirectURISent,
		Challenge: g.Challenge, KeyThumbprint: g.KeyThumbprint, Nonce: g.Nonce,
		Expires: now.Add(codeLifetime), Grant: grant,
	}
}

func lifetimes(resources []*catalog.Resource) (token, idle, longest time.Duration) {
	token, idle, longest = resources[0].AccessTokenLifetime, resources[0].RefreshTokenIdle, resources[0].RefreshTokenMax
	for _, resource := range resources[1:] {
		token = max(token, resource.AccessTokenLifetime)
		idle, longest = min(idle, resource.RefreshTokenIdle), min(longest, resource.RefreshTokenMax)
	}
	return token, idle, longest
}

func (s *Server) consentPage(r *request, g *stage, sealed string) (page.Consent, error) {
	p := page.Consent{
		Site: g.issuer.pageSite(), Client: *clientOnPage(g),
		Action: g.issuer.url("/oauth/consent"), Request: sealed,
		RedirectHost: oauth.RedirectHost(g.RedirectURI), Loopback: oauth.IsLoopbackRedirect(g.RedirectURI),
		Native:    !strings.HasPrefix(g.RedirectURI, "https://"),
		Remembers: g.remembers(), AccountURL: g.issuer.url(accountPath),
	}
	scope := g.Scope
	if g.User != nil {
		scope = grantableScope(g.resources, g.Scope, g.grantee(g.User))
		p.Refused = refusesAll(g.resources, scope)
		p.Account = accountName(g.User)
	} else {
		p.Upstream = g.issuer.providers[g.Provider].DisplayName
	}
	for _, resource := range g.resources {
		p.Resources = append(p.Resources, page.ResourceScopes{
			Resource: page.Resource{Name: resource.DisplayName, URL: resource.URL}, Scopes: scopesOnPage(resource, scope),
		})
	}
	var err error
	if p.Remembered, p.WhyAsked, err = s.whyAsked(r, g); err != nil {
		return p, err
	}
	return p, s.offerSwitch(g, &p)
}

// scopesOnPage are the resource's of a set of scopes, in words.
func scopesOnPage(resource *catalog.Resource, scope oauth.ScopeSet) []page.Scope {
	var shown []page.Scope
	for _, name := range scope.Names() {
		if s := resource.Scope(name); s != nil {
			shown = append(shown, page.Scope{Name: s.Name, Description: s.Description})
		} else if identityScopes(resource).Has(name) {
			shown = append(shown, page.Scope{Name: name, Description: identityScopeWords[name]})
		}
	}
	return shown
}

// identityScopeWords is what consent says of the scopes that no Scope describes.
var identityScopeWords = map[string]string{
	oauth.ScopeOpenID: "Know which account you signed in with",
	oauth.ScopeEmail:  "Know your e-mail address",
}

// offerSwitch links back to the choice of account, where there is one.
func (s *Server) offerSwitch(g *stage, p *page.Consent) error {
	if g.User == nil && len(g.issuer.Providers()) == 1 {
		return nil
	}
	back := g.journey
	back.User, back.Provider = nil, ""
	sealed, err := s.seal(stepSignIn, back)
	p.SwitchURL = g.issuer.url("/oauth/signin") + "?request=" + url.QueryEscape(sealed)
	return err
}

func accountName(user *store.User) string {
	if user.Email != "" {
		return user.Email
	}
	_, name, ok := strings.Cut(user.Subject, "|")
	if !ok {
		return user.Subject
	}
	return name
}
