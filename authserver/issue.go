package authserver

import (
	"time"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// tokenResponse is the answer of RFC 6749 §5.1. Scope and lifetime are always
// stated, because deployed clients take a missing scope for none.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	Scope        string `json:"scope"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
}

// Types of access tokens (RFC 6750, RFC 9449 §5).
const (
	tokenTypeBearer = "Bearer"
	tokenTypeDPoP   = "DPoP"
)

// sign makes the tokens of a request that has passed every phase.
func (s *Server) sign(t *tokenRequest, granted store.Grant) (*tokenResponse, error) {
	ring := s.opts.Keys()
	claims := s.claims(t, granted)
	signed, err := accesstoken.Sign(claims, ring.Active())
	if err != nil {
		return nil, err
	}
	response := &tokenResponse{
		AccessToken: signed, TokenType: tokenTypeBearer, Scope: t.scope.String(),
		ExpiresIn: int64(claims.Expiry.Sub(t.now).Seconds()),
	}
	if t.key != nil {
		response.TokenType = tokenTypeDPoP
	}
	// A client may have lost the grant type since, and a grant cannot gain it.
	if granted.Refreshable && t.client.MayUse(oauth.GrantRefreshToken) {
		response.RefreshToken = makeRefreshToken(ring, granted, t.refreshKey())
	}
	if t.scope.Has(oauth.ScopeOpenID) {
		if response.IDToken, err = signIDToken(t, claims, ring.Active()); err != nil {
			return nil, err
		}
	}
	s.record(t.Request, audit.Event{
		Type: eventTokenIssued, Decision: audit.Allowed, GrantType: t.grantType,
		Subject: claims.Subject, Email: claims.Email, Organization: claims.Organization,
		Client: claims.ClientID, Grant: claims.GrantID, Resource: t.resource.URL, ScopeHeld: claims.Scope.String(),
	})
	return response, nil
}

func (s *Server) claims(t *tokenRequest, granted store.Grant) *accesstoken.Claims {
	claims := &accesstoken.Claims{
		Issuer: t.issuer.String(), Subject: t.proved.Subject, Audience: t.resource.Audience(),
		ClientID: t.client.ID, Scope: t.scope,
		IssuedAt: t.now, Expiry: t.expiry(granted),
		ID: credential.Random(16), GrantID: granted.ID, KeyThumbprint: t.thumbprint(),
	}
	if user := t.proved.User; user != nil {
		claims.Email, claims.Organization = user.Email, user.Organization
		claims.AuthTime, claims.ACR = user.AuthTime, user.ACR
	}
	return claims
}

// expiry is when the token ends: no later than its grant, behind whose end nothing
// could revoke it.
func (t *tokenRequest) expiry(granted store.Grant) time.Time {
	expiry := t.now.Add(t.resource.AccessTokenLifetime)
	if granted.ID != "" && granted.MaxExpires.Before(expiry) {
		return granted.MaxExpires
	}
	return expiry
}

// refreshKey is what the refresh token is bound to: the key of a public client,
// since one that authenticates proves itself anyway (RFC 9449 §5).
func (t *tokenRequest) refreshKey() string {
	switch {
	case t.client.Confidential():
		return ""
	case t.proved.KeyThumbprint != "":
		return t.proved.KeyThumbprint // what it was bound to it stays bound to
	}
	return t.thumbprint()
}
