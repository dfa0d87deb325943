package authserver

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver/page"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// codeLifetime is how long a client may take to redeem a code.
const codeLifetime = 2 * time.Minute

// consent is the page on which a person lets a client in. It is shown every
// time: this server remembers no approval.
func (s *Server) consent(w http.ResponseWriter, r *request) {
	if r.Method == http.MethodGet {
		s.showConsent(w, r)
		return
	}
	form, g, err := s.submitted(w, r, stepConsent)
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

func (s *Server) showConsent(w http.ResponseWriter, r *request) {
	params, err := parseParameters(r.URL.RawQuery)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	g, err := s.resume(r, stepConsent, params.Get("request"))
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	p, err := s.consentPage(g, params.Get("request"))
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
	s.finish(w, r, g, *g.User)
}

// finish issues the code for an approved journey whose user is known.
func (s *Server) finish(w http.ResponseWriter, r *request, g *stage, user store.User) {
	scope := grantableScope(g.resource, g.Scope, user.Groups)
	if refusesAll(g.resource, scope) {
		s.redirectError(w, r, g.destination(), oauth.Errorf(oauth.AccessDenied, "this account may not be granted any of the requested scopes"))
		return
	}
	code := "mcpcode_" + credential.Random(32)
	if err := s.opts.Store.CreateCode(r.Context(), s.newCode(g, user, scope, code)); err != nil {
		s.redirectError(w, r, g.destination(), err)
		return
	}
	s.respond(w, g.destination(), url.Values{"code": {code}})
}

func (s *Server) newCode(g *stage, user store.User, scope oauth.ScopeSet, code string) store.Code {
	now := s.opts.Now()
	grant := store.Grant{
		ID: credential.Random(16), ClientID: g.ClientID, User: user,
		Resource: g.resource.ID, Issuer: g.issuer.String(), Scope: scope, Created: now,
		Refreshable: g.client.MayUse(oauth.GrantRefreshToken), Generation: 1,
	}
	// A grant without refresh tokens lives as long as its one access token can.
	grant.IdleExpires = now.Add(codeLifetime + g.resource.AccessTokenLifetime)
	grant.MaxExpires = grant.IdleExpires
	if grant.Refreshable {
		grant.IdleExpires = now.Add(g.resource.RefreshTokenIdle)
		grant.MaxExpires = now.Add(g.resource.RefreshTokenMax)
	}
	return store.Code{
		Hash: credential.HashOf(code), RedirectURI: g.RedirectURI, RedirectURISent: g.RedirectURISent,
		Challenge: g.Challenge, Expires: now.Add(codeLifetime), Grant: grant,
	}
}

func (s *Server) consentPage(g *stage, sealed string) (page.Consent, error) {
	p := page.Consent{
		Site: g.issuer.site(), Client: clientOnPage(g), Resource: resourceOnPage(g),
		Action: g.issuer.url("/oauth/consent"), Request: sealed,
		RedirectHost: oauth.RedirectHost(g.RedirectURI), Loopback: oauth.IsLoopbackRedirect(g.RedirectURI),
		Native: !strings.HasPrefix(g.RedirectURI, "https://"),
	}
	scope := g.Scope
	if g.User != nil {
		scope = grantableScope(g.resource, g.Scope, g.User.Groups)
		p.Refused = refusesAll(g.resource, scope)
		p.Account = accountName(g.User)
	} else {
		p.Upstream = g.issuer.providers[g.Provider].DisplayName
	}
	for _, name := range scope.Names() {
		if s := g.resource.Scope(name); s != nil {
			p.Scopes = append(p.Scopes, page.Scope{Name: s.Name, Description: s.Description})
		}
	}
	return p, s.offerSwitch(g, &p)
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
