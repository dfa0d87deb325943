package journey

import (
	"context"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// tokens is the client's token source: x/oauth2's own, which can be told that
// its access token has expired. It is safe for concurrent use.
type tokens struct {
	ctx    context.Context // carries the HTTP client for refreshing
	config *oauth2.Config

	mu      sync.Mutex
	source  oauth2.TokenSource
	current *oauth2.Token
}

// newTokens has the signature of the SDK's NewTokenSource hook.
func newTokens(ctx context.Context, config *oauth2.Config, token *oauth2.Token) *tokens {
	return &tokens{ctx: ctx, config: config, source: config.TokenSource(ctx, token), current: token}
}

// Token implements oauth2.TokenSource.
func (t *tokens) Token() (*oauth2.Token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	token, err := t.source.Token()
	if err == nil {
		t.current = token
	}
	return token, err
}

// held is the token last received.
func (t *tokens) held() oauth2.Token {
	t.mu.Lock()
	defer t.mu.Unlock()
	return *t.current
}

// expire makes the next use of the access token refresh first.
func (t *tokens) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	expired := *t.current
	expired.Expiry = time.Unix(1, 0)
	t.source = t.config.TokenSource(t.ctx, &expired)
}

// scopes are those that the token endpoint said were granted.
func scopes(token oauth2.Token) string {
	scope, _ := token.Extra("scope").(string)
	return scope
}
