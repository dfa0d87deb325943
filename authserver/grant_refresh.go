package authserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// refreshGrace is how long after a rotation the refresh token before it is
// answered with the same successor: processes that share one token, and clients
// that lost an answer, stay signed in.
const refreshGrace = 30 * time.Second

// refreshGrant rotates refresh tokens (OAuth 2.1 §4.3).
type refreshGrant struct{ *Server }

func errRefreshToken() *oauth.Error {
	return oauth.Errorf(oauth.InvalidGrant, "the refresh token is unknown, expired, revoked, or not this client's")
}

func (g refreshGrant) prove(ctx context.Context, t *tokenRequest) (proof, error) {
	raw := t.form.Get("refresh_token")
	if raw == "" {
		return proof{}, oauth.Errorf(oauth.InvalidRequest, "refresh_token is missing")
	}
	token, ok := readRefreshToken(g.opts.Keys(), raw, t.client.ID)
	if !ok {
		return proof{}, errRefreshToken()
	}
	granted, err := g.opts.Store.Grant(ctx, token.grantID, t.now)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrRevoked) {
		return proof{}, errRefreshToken().WithCause(err)
	}
	if err != nil {
		return proof{}, fmt.Errorf("look up a grant: %w", err)
	}
	if granted.ClientID != t.client.ID || !granted.Refreshable {
		return proof{}, errRefreshToken()
	}
	user, err := t.issuer.currentUser(granted.User)
	if err != nil {
		return proof{}, err
	}
	return proof{
		Subject: user.Subject, User: &user, Resources: granted.Resources,
		Issuer: granted.Issuer, Scope: &granted.Scope, GrantID: granted.ID, KeyThumbprint: token.thumbprint,
	}, nil
}

// spend rotates. A token from before the grace window is in two hands, and
// nobody can tell which is the thief's: the family ends (OAuth 2.1 §4.3.1).
func (g refreshGrant) spend(ctx context.Context, t *tokenRequest) (store.Grant, error) {
	token, _ := readRefreshToken(g.opts.Keys(), t.form.Get("refresh_token"), t.client.ID)
	rotated, err := g.opts.Store.RotateRefresh(ctx, store.Rotation{
		GrantID: token.grantID, Generation: token.generation, Now: t.now,
		Grace: refreshGrace, IdleExpires: t.now.Add(t.idle()),
	})
	switch {
	case errors.Is(err, store.ErrReused):
		return store.Grant{}, g.revokeReused(ctx, t, errRefreshToken().WithCause(err))
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrRevoked):
		return store.Grant{}, errRefreshToken().WithCause(err)
	case err != nil:
		return store.Grant{}, fmt.Errorf("rotate a refresh token: %w", err)
	}
	return rotated, nil
}

// idle is how long the next refresh token lives unused: the shortest time of the
// resources that were granted on and are still served.
func (t *tokenRequest) idle() time.Duration {
	resources := []*catalog.Resource{t.resource}
	for _, id := range t.proved.Resources {
		if resource := t.issuer.Resource(id); resource != nil {
			resources = append(resources, resource)
		}
	}
	_, idle, _ := lifetimes(resources)
	return idle
}
