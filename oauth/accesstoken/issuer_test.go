package accesstoken_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/jwks"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

const (
	issuer   = "https://auth.example.com/resources/apps-todo"
	resource = "https://mcp.example.com/public/mcp"
)

var start = time.Date(2031, time.May, 4, 10, 20, 30, 0, time.UTC)

// rings are those of an issuer for each algorithm; making keys is slow.
var rings = sync.OnceValue(func() map[keyring.Algorithm]*keyring.Ring {
	made := map[keyring.Algorithm]*keyring.Ring{}
	for _, alg := range []keyring.Algorithm{keyring.RS256, keyring.ES256, keyring.EdDSA} {
		ring, err := keyring.New(alg, start)
		if err != nil {
			panic(err)
		}
		made[alg] = ring
	}
	return made
})

// sign makes a token of alice's that is good for a quarter of an hour from start on,
// changed as the test wishes.
func sign(t testing.TB, ring *keyring.Ring, change ...func(*accesstoken.Claims)) string {
	t.Helper()
	claims := &accesstoken.Claims{
		Issuer: issuer, Subject: "people|alice", Audience: []string{resource, "apps-todo"}, ClientID: "agent",
		Scope: oauth.NewScopeSet("todo:read", "todo:write"), IssuedAt: start, Expiry: start.Add(15 * time.Minute),
		ID: "token-1", GrantID: "grant-1", Email: "alice@example.com", Organization: "example",
	}
	for _, c := range change {
		c(claims)
	}
	raw, err := accesstoken.Sign(claims, ring.Active())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// follow is a key source that knows the ring's keys.
func follow(t testing.TB, ring *keyring.Ring) *jwks.Remote {
	t.Helper()
	keys := jwks.NewRemote(jwks.Options{})
	publish(t, keys, ring)
	return keys
}

// publish replaces what the key source knows.
func publish(t testing.TB, keys *jwks.Remote, ring *keyring.Ring) {
	t.Helper()
	data, err := json.Marshal(ring.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Bootstrap(data); err != nil {
		t.Fatal(err)
	}
}

// verifierOf accepts the ring's tokens as if it were start.
func verifierOf(t testing.TB, ring *keyring.Ring) *accesstoken.Verifier {
	t.Helper()
	return &accesstoken.Verifier{
		Issuers: []string{issuer}, Audiences: []string{resource, "apps-todo"},
		Keys: follow(t, ring), Now: func() time.Time { return start },
	}
}
