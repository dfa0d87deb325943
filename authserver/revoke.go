package authserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// revocationSlack is for the clocks of those who validate tokens.
const revocationSlack = 2 * time.Minute

// revoke is the revocation endpoint (RFC 7009). Either token of a grant ends the
// whole grant. A token that is not this client's, or nobody's, is answered like
// one that has been revoked: there is nothing more that the client could do.
func (s *Server) revoke(w http.ResponseWriter, r *request) {
	form, err := readForm(w, r.Request)
	if err == nil {
		err = onlyOnce(form)
	}
	var cl *client.Client
	if err == nil {
		cl, err = r.issuer.clients.Authenticate(r.Context(), r.Request, form, r.issuer.assertionAudiences("/oauth/revoke"))
	}
	if err == nil {
		err = s.revokeToken(r, cl, form.Get("token"))
	}
	if err != nil {
		s.writeError(w, r.Request, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// revokeToken looks at the token itself; token_type_hint could only mislead.
func (s *Server) revokeToken(r *request, cl *client.Client, token string) error {
	if token == "" {
		return oauth.Errorf(oauth.InvalidRequest, "token is missing")
	}
	ring := s.opts.Keys()
	if refresh, ok := readRefreshToken(ring, token, cl.ID); ok {
		return s.revokeGrant(r, cl, refresh.grantID)
	}
	claims := r.issuer.ownToken(r.Context(), ring, token, s)
	switch {
	case claims == nil || claims.ClientID != cl.ID:
		return nil
	case claims.GrantID != "":
		return s.revokeGrant(r, cl, claims.GrantID)
	}
	if err := s.opts.Store.RevokeToken(r.Context(), claims.ID, claims.Expiry.Add(revocationSlack)); err != nil {
		return fmt.Errorf("revoke a token: %w", err)
	}
	s.feed.wake()
	s.record(r.Request, audit.Event{
		Type: eventTokenRevoked, Decision: audit.Allowed, Reason: "client_request", Subject: claims.Subject, Client: cl.ID,
	})
	return nil
}

func (s *Server) revokeGrant(r *request, cl *client.Client, id string) error {
	if err := s.opts.Store.RevokeGrant(r.Context(), id, s.opts.Now()); err != nil {
		return fmt.Errorf("revoke a grant: %w", err)
	}
	s.feed.wake()
	s.record(r.Request, audit.Event{
		Type: eventGrantRevoked, Decision: audit.Allowed, Reason: "client_request", Grant: id, Client: cl.ID,
	})
	return nil
}

// ownToken is what a living access token of this server says, nil for any other
// text.
func (i issuer) ownToken(ctx context.Context, ring *keyring.Ring, token string, s *Server) *accesstoken.Claims {
	for _, id := range unverifiedAudience(token) {
		resource := i.Resource(oauth.ResourceID(id))
		if resource == nil {
			continue
		}
		verifier := accesstoken.Verifier{
			Issuers:   []string{i.Issuer(), oauth.ResourceIssuer(i.Issuer(), resource.ID)},
			Audiences: resource.Audience(), Keys: ringKeys{ring}, Now: s.opts.Now,
		}
		claims, err := verifier.Verify(ctx, token)
		if err == nil {
			return claims
		}
	}
	return nil
}

// unverifiedAudience says for which resource to verify a token, and no more.
func unverifiedAudience(token string) []string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > accesstoken.MaxTokenLength {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var claims struct {
		Audience []string `json:"aud"`
	}
	if json.Unmarshal(payload, &claims) != nil || len(claims.Audience) > 2 {
		return nil // ours have two
	}
	return claims.Audience
}

// ringKeys is the ring as a source of public keys.
type ringKeys struct{ ring *keyring.Ring }

var _ accesstoken.KeySource = ringKeys{}

// Key implements accesstoken.KeySource.
func (k ringKeys) Key(_ context.Context, kid string) (jose.JSONWebKey, error) {
	set := k.ring.JWKS()
	found := set.Key(kid)
	if len(found) != 1 {
		return jose.JSONWebKey{}, accesstoken.ErrUnknownKey
	}
	return found[0], nil
}
