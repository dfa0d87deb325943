package authserver

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// codeGrant redeems authorization codes (OAuth 2.1 §4.1.3).
type codeGrant struct{ *Server }

// errCode is the one answer to every wrong code, so that guessing tells nothing.
func errCode() *oauth.Error {
	return oauth.Errorf(oauth.InvalidGrant, "the code is unknown, expired, used, or not this client's")
}

func (g codeGrant) prove(ctx context.Context, t *tokenRequest) (proof, error) {
	raw := t.form.Get("code")
	if raw == "" {
		return proof{}, oauth.Errorf(oauth.InvalidRequest, "code is missing")
	}
	code, err := g.opts.Store.Code(ctx, credential.HashOf(raw))
	if errors.Is(err, store.ErrNotFound) {
		return proof{}, errCode()
	}
	if err != nil {
		return proof{}, fmt.Errorf("look up a code: %w", err)
	}
	if err := matchCode(code, t); err != nil {
		return proof{}, err
	}
	granted := code.Grant
	user, err := t.issuer.currentUser(granted.User)
	if err != nil {
		return proof{}, err
	}
	return proof{
		Subject: user.Subject, User: &user, Resources: granted.Resources,
		Issuer: granted.Issuer, Scope: &granted.Scope, GrantID: granted.ID,
		KeyThumbprint: code.KeyThumbprint, Nonce: code.Nonce,
	}, nil
}

// matchCode holds the request against what the code was issued for. A spent or
// expired code passes: whether it is one is for the store to say, at once with
// spending it.
func matchCode(code store.Code, t *tokenRequest) error {
	if subtle.ConstantTimeCompare([]byte(code.Grant.ClientID), []byte(t.client.ID)) != 1 {
		return errCode()
	}
	redirect := t.form.Get("redirect_uri")
	if code.RedirectURISent && redirect == "" {
		return oauth.Errorf(oauth.InvalidGrant, "redirect_uri is missing; repeat the one of the authorization request")
	}
	if redirect != "" && redirect != code.RedirectURI {
		return oauth.Errorf(oauth.InvalidGrant, "redirect_uri differs from the one of the authorization request")
	}
	verifier := t.form.Get("code_verifier")
	if verifier == "" {
		return oauth.Errorf(oauth.InvalidRequest, "code_verifier is missing")
	}
	if !oauth.VerifyCodeChallenge(code.Challenge, verifier) {
		return oauth.Errorf(oauth.InvalidGrant, "code_verifier does not fit the code_challenge")
	}
	return nil
}

// spend redeems the code. One that was redeemed before, presented with
// everything that proves its owner, means that somebody else had it first or has
// it now: what it became ends (OAuth 2.1 §4.1.3).
func (g codeGrant) spend(ctx context.Context, t *tokenRequest) (store.Grant, error) {
	granted, err := g.opts.Store.RedeemCode(ctx, credential.HashOf(t.form.Get("code")), t.now)
	switch {
	case errors.Is(err, store.ErrSpent):
		return store.Grant{}, g.revokeReused(ctx, t, errCode().WithCause(err))
	case errors.Is(err, store.ErrNotFound):
		return store.Grant{}, errCode().WithCause(err)
	case err != nil:
		return store.Grant{}, fmt.Errorf("redeem a code: %w", err)
	}
	return granted, nil
}

// revokeReused ends the grant whose credential came back and returns the answer.
func (s *Server) revokeReused(ctx context.Context, t *tokenRequest, answer *oauth.Error) error {
	if err := s.opts.Store.RevokeGrant(ctx, t.proved.GrantID, t.now); err != nil {
		return fmt.Errorf("revoke a grant whose credential was reused: %w", err)
	}
	s.feed.wake()
	s.record(t.Request, audit.Event{
		Type: eventGrantRevoked, Decision: audit.Denied, Reason: "reuse", Grant: t.proved.GrantID,
		Subject: t.proved.Subject, Client: t.client.ID, Resource: t.resource.URL,
	})
	return answer
}
