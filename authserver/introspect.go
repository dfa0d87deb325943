package authserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
)

// introspection is the answer of RFC 7662 §2.2. For a token that is not active
// only that is said.
type introspection struct {
	Active       bool          `json:"active"`
	Scope        string        `json:"scope,omitempty"`
	ClientID     string        `json:"client_id,omitempty"`
	TokenType    string        `json:"token_type,omitempty"`
	Expiry       int64         `json:"exp,omitempty"`
	IssuedAt     int64         `json:"iat,omitempty"`
	Subject      string        `json:"sub,omitempty"`
	Audience     []string      `json:"aud,omitempty"`
	Issuer       string        `json:"iss,omitempty"`
	ID           string        `json:"jti,omitempty"`
	GrantID      string        `json:"grant_id,omitempty"`
	Organization string        `json:"org,omitempty"`
	Confirmation *confirmation `json:"cnf,omitempty"`
}

// confirmation names the key that a token is bound to (RFC 7800 §3.1).
type confirmation struct {
	Thumbprint string `json:"jkt"`
}

// introspect is the introspection endpoint (RFC 7662). It answers clients that
// authenticate: about their own tokens, and declared ones about the tokens of the
// resources that they may reach.
func (s *Server) introspect(w http.ResponseWriter, r *request) {
	answer, err := s.introspected(w, r)
	if err != nil {
		s.writeError(w, r.Request, err)
		return
	}
	s.writeJSON(w, r.Request, http.StatusOK, answer)
}

func (s *Server) introspected(w http.ResponseWriter, r *request) (introspection, error) {
	form, err := readForm(w, r.Request)
	if err == nil {
		err = onlyOnce(form)
	}
	if err != nil {
		return introspection{}, err
	}
	caller, err := r.issuer.clients.Authenticate(r.Context(), r.Request, form, r.issuer.assertionAudiences("/oauth/introspect"))
	if err != nil {
		return introspection{}, err
	}
	if !caller.Confidential() {
		return introspection{}, oauth.Errorf(oauth.InvalidClient, "introspection is for clients that authenticate")
	}
	token := form.Get("token")
	if token == "" {
		return introspection{}, oauth.Errorf(oauth.InvalidRequest, "token is missing")
	}
	ring := s.opts.Keys()
	if refresh, ok := readRefreshToken(ring, token, caller.ID); ok {
		return s.introspectRefresh(r.Context(), r.issuer, caller, refresh)
	}
	claims := r.issuer.ownToken(r.Context(), ring, token, s)
	if claims == nil || !mayIntrospect(r.issuer, caller, claims) {
		return introspection{}, nil
	}
	return s.introspectAccess(r.Context(), claims)
}

// mayIntrospect lets nobody learn of tokens that they could not have met.
func mayIntrospect(i issuer, caller *client.Client, claims *accesstoken.Claims) bool {
	if claims.ClientID == caller.ID {
		return true
	}
	for _, name := range claims.Audience {
		if resource := i.Resource(oauth.ResourceID(name)); resource != nil && caller.Declared() && caller.MayReach(resource) {
			return true
		}
	}
	return false
}

func (s *Server) introspectAccess(ctx context.Context, claims *accesstoken.Claims) (introspection, error) {
	for _, id := range []string{claims.ID, claims.GrantID} {
		if id == "" {
			continue
		}
		revoked, err := s.opts.Store.Revoked(ctx, id)
		if err != nil {
			return introspection{}, fmt.Errorf("look up a revocation: %w", err)
		}
		if revoked {
			return introspection{}, nil
		}
	}
	answer := introspection{
		Active: true, Scope: claims.Scope.String(), ClientID: claims.ClientID, TokenType: tokenTypeBearer,
		Expiry: claims.Expiry.Unix(), IssuedAt: claims.IssuedAt.Unix(), Subject: claims.Subject, Audience: claims.Audience,
		Issuer: claims.Issuer, ID: claims.ID, GrantID: claims.GrantID, Organization: claims.Organization,
	}
	if claims.KeyThumbprint != "" {
		answer.TokenType, answer.Confirmation = tokenTypeDPoP, &confirmation{Thumbprint: claims.KeyThumbprint}
	}
	return answer, nil
}

// introspectRefresh speaks of the newest refresh token of the caller's own grant
// alone: an older one is good for nothing but its grace window.
func (s *Server) introspectRefresh(ctx context.Context, i issuer, caller *client.Client, token refreshToken) (introspection, error) {
	granted, err := s.opts.Store.Grant(ctx, token.grantID, s.opts.Now())
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrRevoked) {
		return introspection{}, nil
	}
	if err != nil {
		return introspection{}, fmt.Errorf("look up a grant: %w", err)
	}
	if granted.ClientID != caller.ID || !granted.Refreshable || token.generation != granted.Generation {
		return introspection{}, nil
	}
	if _, err := i.currentUser(granted.User); err != nil {
		return introspection{}, nil //nolint:nilerr // who may not sign in any more has no active token
	}
	expires := granted.IdleExpires
	if granted.MaxExpires.Before(expires) {
		expires = granted.MaxExpires
	}
	return introspection{
		Active: true, Scope: granted.Scope.String(), ClientID: granted.ClientID, Expiry: expires.Unix(),
		IssuedAt: granted.Created.Unix(), Subject: granted.User.Subject, Issuer: granted.Issuer, GrantID: granted.ID,
	}, nil
}
