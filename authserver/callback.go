package authserver

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver/identity"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
)

// maxHopCookie is what browsers keep of one cookie, with room for its name and
// attributes.
const maxHopCookie = 3800

// sendUpstream leaves for the provider's own pages, after consent. What the
// answer has to fit stays with the browser in a cookie of its own, since the
// provider hands back no more than the state that it was given.
func (s *Server) sendUpstream(w http.ResponseWriter, r *request, g *stage) {
	p, ok := g.issuer.providers[g.Provider]
	if !ok || p.redirect == nil {
		s.failPage(w, r, fmt.Errorf("%w: its provider is gone", errJourney))
		return
	}
	upstream, login, err := p.redirect.Begin(r.Context(), g.issuer.url(callbackPath+p.Name), g.Wish)
	if err != nil {
		s.opts.Logger.WarnContext(r.Context(), "an identity provider could not be asked", "provider", p.Name, "error", err)
		s.endJourney(w, r, g, oauth.Errorf(oauth.TemporarilyUnavailable, "the identity provider cannot be reached; try again in a moment"))
		return
	}
	g.Login = &login
	sealed, err := s.seal(stepCallback, g.journey)
	if err == nil && len(sealed) > maxHopCookie {
		err = oauth.Errorf(oauth.InvalidRequest, "state and redirect_uri are too long together")
	}
	if err != nil {
		s.endJourney(w, r, g, err)
		return
	}
	http.SetCookie(w, s.hopCookie(r, p.Name, login.State, sealed, int(journeyLifetime.Seconds())))
	seeOther(w, upstream)
}

// hopCookie is named after the state, so that two tabs can be away at once. It
// is only sent to the callback that it is for.
func (s *Server) hopCookie(r *request, provider, state, value string, maxAge int) *http.Cookie {
	sum := sha256.Sum256([]byte(state))
	return &http.Cookie{
		Name: "mcpauth-hop-" + base64.RawURLEncoding.EncodeToString(sum[:9]), Value: value, MaxAge: maxAge,
		Path:   r.issuer.path + callbackPath + provider,
		Secure: strings.HasPrefix(r.issuer.Issuer(), "https://"), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// callback receives the answer of an upstream provider. It has to come back to
// the browser that consented.
func (s *Server) callback(w http.ResponseWriter, r *request) {
	g, p, answer, err := s.returned(w, r)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	user, err := s.finishUpstream(r, p, *g.Login, answer)
	if err != nil {
		reason := reasonUpstream
		if errors.Is(err, identity.ErrNotAdmitted) {
			reason = reasonNotAdmitted
		}
		s.opts.Logger.InfoContext(r.Context(), "an upstream sign-in was refused", "provider", p.Name, "error", err)
		s.auditSignIn(r, g, audit.Denied, reason, store.User{})
		s.endJourney(w, r, g, oauth.Errorf(oauth.AccessDenied, "%s", upstreamRefusal(err)))
		return
	}
	s.auditSignIn(r, g, audit.Allowed, "", user)
	if err := s.remember(w, r, user); err != nil {
		s.endJourney(w, r, g, err)
		return
	}
	if g.toAccount() {
		seeOther(w, r.issuer.url(accountPath))
		return
	}
	s.approved(w, r, g, user)
}

// endJourney tells the client, or on a page where no client has asked.
func (s *Server) endJourney(w http.ResponseWriter, r *request, g *stage, err error) {
	if g.toAccount() {
		s.failPage(w, r, err)
		return
	}
	s.redirectError(w, r, g.destination(), err)
}

func upstreamRefusal(err error) string {
	if errors.Is(err, identity.ErrNotAdmitted) {
		return identity.ErrNotAdmitted.Error()
	}
	return identity.ErrUpstream.Error()
}

// returned finds the journey that the answer belongs to, and forgets its cookie.
func (s *Server) returned(w http.ResponseWriter, r *request) (*stage, provider, url.Values, error) {
	answer, err := parseParameters(r.URL.RawQuery)
	if err == nil {
		err = onlyOnce(answer)
	}
	if err != nil {
		return nil, provider{}, nil, err
	}
	p, ok := r.issuer.providers[r.rest]
	if !ok || p.redirect == nil {
		return nil, provider{}, nil, oauth.Errorf(oauth.InvalidRequest, "there is no such identity provider").WithStatus(http.StatusNotFound)
	}
	gone := s.hopCookie(r, p.Name, answer.Get("state"), "", -1)
	kept, err := r.Cookie(gone.Name)
	if err != nil {
		return nil, provider{}, nil, fmt.Errorf("%w: this browser has not been sent upstream", errJourney)
	}
	http.SetCookie(w, gone)
	g, err := s.resume(r, stepCallback, kept.Value)
	if err == nil && (g.Provider != p.Name || g.Login == nil) {
		err = fmt.Errorf("%w: the answer is of another provider", errJourney)
	}
	return g, p, answer, err
}

func (s *Server) finishUpstream(r *request, p provider, login identity.Login, answer url.Values) (store.User, error) {
	assertion, err := p.redirect.Finish(r.Context(), r.issuer.url(callbackPath+p.Name), login, answer)
	if err != nil {
		return store.User{}, err
	}
	return identity.Admit(p.IdentityProvider, assertion)
}
