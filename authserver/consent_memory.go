package authserver

import (
	"errors"
	"fmt"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
)

// consentLifetime is how long an approval is remembered.
const consentLifetime = 365 * 24 * time.Hour

// remembers reports whether an approval of this journey is remembered. Where the
// answer stays on the user's own machine it is not: any program there could begin
// the same journey in the client's name and would be let in without a question.
func (g *stage) remembers() bool {
	return g.issuer.SessionLifetime() > 0 && oauth.IsWebRedirect(g.RedirectURI)
}

// consentedBefore reports whether the user has approved all of this before, for
// this client and with the answer going to this host. Only then is nobody asked.
func (s *Server) consentedBefore(r *request, g *stage) (bool, error) {
	if g.Consents || !g.remembers() {
		return false, nil
	}
	scope := grantableScope(g.resources, g.Scope, g.grantee(g.User))
	for _, resource := range g.resources {
		before, err := s.consentTo(r, g, g.User.Subject, resource.ID)
		if err != nil {
			return false, err
		}
		if before == nil || !before.Scope.ContainsAll(scope.Intersect(offeredScopes(resource))) {
			return false, nil
		}
	}
	return true, nil
}

// whyAsked reports whether the user has approved something of this before, and why
// that was not enough.
func (s *Server) whyAsked(r *request, g *stage) (bool, string, error) {
	if g.User == nil || !g.remembers() {
		return false, "", nil
	}
	for _, resource := range g.resources {
		before, err := s.consentTo(r, g, g.User.Subject, resource.ID)
		switch {
		case err != nil:
			return false, "", err
		case before == nil:
			continue
		case g.Consents:
			return true, "the app wants you to confirm it", nil
		}
		return true, "the app asks for more than before", nil
	}
	return false, "", nil
}

// rememberConsent adds what was approved to what was before.
func (s *Server) rememberConsent(r *request, g *stage, user store.User) error {
	if !g.remembers() {
		return nil
	}
	scope, now := grantableScope(g.resources, g.Scope, g.grantee(&user)), s.opts.Now()
	for _, resource := range g.resources {
		before, err := s.consentTo(r, g, user.Subject, resource.ID)
		if err != nil {
			return err
		}
		approved := scope.Intersect(offeredScopes(resource))
		if before != nil {
			approved = before.Scope.Union(approved)
		}
		err = s.opts.Store.SaveConsent(r.Context(), store.Consent{
			Subject: user.Subject, ClientID: g.ClientID, Resource: resource.ID, RedirectHost: oauth.RedirectHost(g.RedirectURI),
			Scope: approved, Given: now, Expires: now.Add(consentLifetime),
		})
		if err != nil {
			return fmt.Errorf("remember a consent: %w", err)
		}
	}
	return nil
}

func (s *Server) consentTo(r *request, g *stage, subject string, id oauth.ResourceID) (*store.Consent, error) {
	found, err := s.opts.Store.Consent(r.Context(), subject, g.ClientID, id, oauth.RedirectHost(g.RedirectURI), s.opts.Now())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up a consent: %w", err)
	}
	return &found, nil
}
