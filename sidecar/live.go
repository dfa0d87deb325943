package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/jwks"
	"github.com/mcpauth/mcpauth/policy"
)

// Live is the policy in force and the keys that belong to it; both change while
// requests pass. It is safe for concurrent use.
type Live struct {
	// Transport fetches the keys; nil means the default of jwks.Options.
	Transport http.RoundTripper
	// Logger is told of keys that cannot be had; nil means silence.
	Logger *slog.Logger

	mu      sync.Mutex // held by Apply alone
	current atomic.Pointer[configuration]
}

// configuration is one policy with the keys from the source that it names.
type configuration struct {
	policy *policy.Policy
	keys   *jwks.Remote
	stop   context.CancelFunc
}

// Apply puts a policy in force, for requests that come from now on. The keys that
// are known stay while the policy names the same source; they are refreshed
// until ctx ends or a later policy names another one. A policy that cannot be
// served is an error and changes nothing.
func (l *Live) Apply(ctx context.Context, p *policy.Policy) error {
	if err := Check(p); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	next := &configuration{policy: p}
	old := l.current.Load()
	replaced := old == nil || old.policy.JWKSURL != p.JWKSURL
	if replaced {
		next.keys = jwks.NewRemote(jwks.Options{URL: p.JWKSURL, Transport: l.Transport, Logger: l.Logger})
	} else {
		next.keys, next.stop = old.keys, old.stop
	}
	if len(p.JWKS) > 0 {
		if err := next.keys.Bootstrap(p.JWKS); err != nil {
			return fmt.Errorf("the policy's copy of the keys: %w", err)
		}
	}
	if replaced {
		var running context.Context
		running, next.stop = context.WithCancel(ctx)
		go next.keys.Run(running)
	}
	l.current.Store(next)
	if replaced && old != nil {
		old.stop()
	}
	return nil
}

// Policy is the policy in force, nil before the first Apply.
func (l *Live) Policy() *policy.Policy {
	if c := l.current.Load(); c != nil {
		return c.policy
	}
	return nil
}

// Key finds a key of the source that the policy names; Live is an
// accesstoken.KeySource.
func (l *Live) Key(ctx context.Context, kid string) (jose.JSONWebKey, error) {
	c := l.current.Load()
	if c == nil {
		return jose.JSONWebKey{}, accesstoken.ErrKeysUnavailable
	}
	return c.keys.Key(ctx, kid)
}

// Keys is the number of keys known.
func (l *Live) Keys() int {
	if c := l.current.Load(); c != nil {
		return c.keys.Len()
	}
	return 0
}

// Ready says what is missing before requests can be judged, or nil. A copy of the
// keys in the policy is enough.
func (l *Live) Ready() error {
	switch {
	case l.Policy() == nil:
		return errors.New("no policy is loaded")
	case l.Keys() == 0:
		return errors.New("no keys are known: the authorization server has not been reached yet")
	}
	return nil
}
