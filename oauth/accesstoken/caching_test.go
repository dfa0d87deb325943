package accesstoken_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/jwks"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/oauth/revocation"
)

// switchable is a key source that a test exchanges for another one.
type switchable struct {
	atomic.Pointer[accesstoken.KeySource]
}

func (s *switchable) to(keys accesstoken.KeySource) { s.Store(&keys) }

func (s *switchable) Key(ctx context.Context, kid string) (jose.JSONWebKey, error) {
	return (*s.Load()).Key(ctx, kid)
}

// unreachable is an issuer whose keys nobody knows.
type unreachable struct{}

func (unreachable) Key(context.Context, string) (jose.JSONWebKey, error) {
	return jose.JSONWebKey{}, accesstoken.ErrKeysUnavailable
}

// setOf publishes the ring's keys, changed as the test wishes.
func setOf(t testing.TB, ring *keyring.Ring, change func(*jose.JSONWebKey)) *jwks.Set {
	t.Helper()
	document := ring.JWKS()
	change(&document.Keys[0])
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwks.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// caching is a verifier that remembers, and what a test changes around it.
type caching struct {
	*accesstoken.Verifier
	ring    *keyring.Ring
	keys    *switchable
	at      time.Time
	revoked *revocation.Set
	stale   error
}

func newCaching(t testing.TB, alg keyring.Algorithm) *caching {
	t.Helper()
	c := &caching{ring: rings()[alg], keys: &switchable{}, at: start, revoked: &revocation.Set{}}
	c.Verifier = verifierOf(t, c.ring)
	c.keys.to(c.Keys)
	c.CacheSize, c.Keys, c.Revocations = 1, c.keys, c.revoked
	c.Now, c.Fresh = func() time.Time { return c.at }, func() error { return c.stale }
	return c
}

// want verifies the token and compares the error; nil wants a valid one.
func (c *caching) want(t *testing.T, raw string, want error) *accesstoken.Claims {
	t.Helper()
	claims, err := c.Verify(t.Context(), raw)
	if !errors.Is(err, want) || (err == nil) != (claims != nil) {
		t.Fatalf("got %v, %v; want %v", claims, err, want)
	}
	return claims
}

func revoking(id string) func(*caching) {
	return func(c *caching) {
		c.revoked.Add([]revocation.Revocation{{ID: id, Expires: start.AddDate(0, 0, 1)}}, start)
	}
}
