package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/jwks"
	"github.com/mcpauth/mcpauth/oauth/revocation"
	"github.com/mcpauth/mcpauth/policy"
)

// Live is the policy in force, the keys that belong to it and the revocations; they
// change while requests pass. It is safe for concurrent use.
type Live struct {
	// Transport fetches the keys and the revocations; nil means that of net/http.
	Transport http.RoundTripper
	// Logger is told of what cannot be had; nil means silence.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	mu      sync.Mutex // held by Apply alone
	current atomic.Pointer[configuration]
}

// configuration is one policy with what comes from the sources that it names.
type configuration struct {
	policy *policy.Policy
	keys   *jwks.Remote
	stop   context.CancelFunc

	// revoked is empty, and feed is nil, where the policy names no feed.
	revoked  *revocation.Set
	feed     *revocation.Follower
	unfollow context.CancelFunc
	// followed is since when the feed is.
	followed time.Time
}

// Apply puts a policy in force, for requests that come from now on. Keys and
// revocations that are known stay while the policy names the same sources; these are
// followed until ctx ends or a later policy names others. A policy that cannot be
// served is an error and changes nothing.
func (l *Live) Apply(ctx context.Context, p *policy.Policy) error {
	if err := Check(p); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.current.Load()
	if old == nil {
		old = &configuration{policy: &policy.Policy{}, stop: func() {}, unfollow: func() {}}
	}
	next := &configuration{policy: p}
	fetch, err := l.takeKeys(next, old)
	if err != nil {
		return err
	}
	follow := l.takeRevocations(next, old)
	if fetch {
		var running context.Context
		running, next.stop = context.WithCancel(ctx)
		go next.keys.Run(running)
	}
	if follow {
		var running context.Context
		running, next.unfollow = context.WithCancel(ctx)
		go next.feed.Run(running)
	}
	l.current.Store(next)
	if fetch {
		old.stop()
	}
	if follow || next.feed == nil {
		old.unfollow()
	}
	return nil
}

// takeKeys gives next its keys, those of old where they come from the same source, and
// reports whether they still have to be fetched.
func (l *Live) takeKeys(next, old *configuration) (fetch bool, err error) {
	next.keys, next.stop = old.keys, old.stop
	if fetch = next.keys == nil || old.policy.JWKSURL != next.policy.JWKSURL; fetch {
		next.keys = jwks.NewRemote(jwks.Options{URL: next.policy.JWKSURL, Transport: l.Transport, Logger: l.Logger})
	}
	if len(next.policy.JWKS) > 0 {
		if err := next.keys.Bootstrap(next.policy.JWKS); err != nil {
			return false, fmt.Errorf("the policy's copy of the keys: %w", err)
		}
	}
	return fetch, nil
}

// takeRevocations gives next what was revoked, as takeKeys does. What is revoked stays
// so also where another feed is followed from now on.
func (l *Live) takeRevocations(next, old *configuration) (follow bool) {
	next.revoked, next.feed, next.unfollow, next.followed = old.revoked, old.feed, old.unfollow, old.followed
	if next.revoked == nil {
		next.revoked = &revocation.Set{}
	}
	url := next.policy.RevocationsURL
	switch {
	case url == "":
		next.feed, next.unfollow = nil, func() {}
		return false
	case next.feed != nil && next.feed.URL == url:
		return false
	}
	next.feed = &revocation.Follower{
		URL: url, Client: &http.Client{Transport: l.Transport}, Set: next.revoked, Logger: l.Logger, Now: l.Now,
	}
	next.followed = l.now()
	return true
}

func (l *Live) now() time.Time {
	if l.Now == nil {
		return time.Now()
	}
	return l.Now()
}

// Contains reports whether one of the ids of a grant or a token was revoked; Live is an
// accesstoken.Revocations.
func (l *Live) Contains(ids ...string) bool {
	c := l.current.Load()
	return c != nil && c.revoked.Contains(ids...)
}

// Fresh says that the feed of revocations has been silent for longer than the policy
// wants to serve without it, or nil. Where that is ever, one that was never heard is silent
// too: nobody knows what was revoked before.
func (l *Live) Fresh() error {
	c := l.current.Load()
	if c == nil || c.feed == nil || c.policy.FailClosedAfter == 0 {
		return nil
	}
	if c.feed.LastContact().IsZero() {
		return errors.New("the authorization server has not been heard yet")
	}
	silence := l.now().Sub(c.feed.LastContact())
	if silence <= time.Duration(c.policy.FailClosedAfter)*time.Second {
		return nil
	}
	return fmt.Errorf("the authorization server has not been heard for %s", silence.Round(time.Second))
}

// Revocations is how many revocations are remembered, when the feed was last heard, and
// how many were forgotten before their time. The time is zero where it never was.
func (l *Live) Revocations() (known int, heard time.Time, dropped int64) {
	c := l.current.Load()
	if c == nil {
		return 0, time.Time{}, 0
	}
	if c.feed != nil {
		heard = c.feed.LastContact()
	}
	return c.revoked.Len(), heard, c.revoked.Dropped()
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

// feedPatience is for how long a sidecar that has just begun waits to hear what was
// revoked before. It does not wait longer, so that it starts while the authorization
// server is away.
const feedPatience = 5 * time.Second

// Ready says what is missing before requests can be judged, or nil. A copy of the
// keys in the policy is enough.
func (l *Live) Ready() error {
	c := l.current.Load()
	switch {
	case c == nil:
		return errors.New("no policy is loaded")
	case c.keys.Len() == 0:
		return errors.New("no keys are known: the authorization server has not been reached yet")
	case c.feed != nil && c.feed.LastContact().IsZero() && l.now().Sub(c.followed) < feedPatience:
		return errors.New("what was revoked is not known yet")
	}
	return nil
}
