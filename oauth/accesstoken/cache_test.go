package accesstoken_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/jwks"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

func TestAVerifiedTokenIsRememberedAndItsClaimsAreShared(t *testing.T) {
	c := newCaching(t, keyring.RS256)
	raw := sign(t, c.ring)
	first := c.want(t, raw, nil)
	if again := c.want(t, raw, nil); again != first {
		t.Error("the token was read again")
	}
	if first.Subject != "people|alice" || first.GrantID != "grant-1" {
		t.Errorf("the claims are %+v", first)
	}
	forgetful := verifierOf(t, c.ring)
	one, err := forgetful.Verify(t.Context(), raw)
	other, err2 := forgetful.Verify(t.Context(), raw)
	if err != nil || err2 != nil || one == other {
		t.Errorf("without a cache: %v, %v, shared %t", err, err2, one == other)
	}
}

func TestARefreshOfTheKeysKeepsTokensInMemory(t *testing.T) {
	for _, alg := range []keyring.Algorithm{keyring.RS256, keyring.ES256, keyring.EdDSA} {
		t.Run(string(alg), func(t *testing.T) {
			c := newCaching(t, alg)
			raw := sign(t, c.ring)
			first := c.want(t, raw, nil)
			for range 3 {
				c.keys.to(follow(t, c.ring)) // equal keys, other objects
				if again := c.want(t, raw, nil); again != first {
					t.Error("the token was read again")
				}
			}
		})
	}
}

// What was true when the token was verified may have ended since.
func TestARememberedTokenIsRefusedOnceItIsNotGoodAnyMore(t *testing.T) {
	strangers, err := keyring.New(keyring.RS256, start)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		clause string
		change func(*caching)
		want   error
	}{
		{"its key was withdrawn", "RFC 7517 §5", func(c *caching) { c.keys.to(follow(t, strangers)) }, accesstoken.ErrUnknownKey},
		{"its key was replaced under the same kid", "RFC 7515 §4.1.4", func(c *caching) {
			c.keys.to(setOf(t, strangers, func(k *jose.JSONWebKey) { k.KeyID = c.ring.Active().KeyID() }))
		}, accesstoken.ErrSignature},
		{"its kid is now that of a key of another kind", "RFC 8725 §3.1", func(c *caching) {
			c.keys.to(setOf(t, rings()[keyring.ES256], func(k *jose.JSONWebKey) { k.KeyID, k.Algorithm = c.ring.Active().KeyID(), "" }))
		}, accesstoken.ErrSignature},
		{"its key is now published for another algorithm", "RFC 8725 §3.1", func(c *caching) {
			c.keys.to(setOf(t, c.ring, func(k *jose.JSONWebKey) { k.Algorithm = "PS256" }))
		}, accesstoken.ErrSignature},
		{"it has expired", "RFC 9068 §4", func(c *caching) { c.at = start.Add(15*time.Minute + 30*time.Second) }, accesstoken.ErrExpired},
		{"its grant was revoked", "RFC 7009 §2.1", revoking("grant-1"), accesstoken.ErrRevoked},
		{"it was revoked itself", "RFC 7009 §2.1", revoking("token-1"), accesstoken.ErrRevoked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCaching(t, keyring.RS256)
			raw, keys := sign(t, c.ring), c.Keys.(*switchable).Load()
			first := c.want(t, raw, nil)
			tt.change(c)
			for range 2 {
				c.want(t, raw, tt.want)
				if !errors.Is(tt.want, accesstoken.ErrInvalid) {
					t.Errorf("%s: %v does not wrap ErrInvalid", tt.clause, tt.want)
				}
			}
			// As if nothing had been: what was refused had left the memory.
			c.at = start
			c.keys.Store(keys)
			c.revoked.Add(nil, start.AddDate(0, 0, 2))
			if again := c.want(t, raw, nil); again == first {
				t.Error("the refused token stayed in memory")
			}
		})
	}
}

// What will pass does not cost the token its place.
func TestARememberedTokenOutlivesWhatIsNotItsFault(t *testing.T) {
	down := errors.New("no contact for 2 minutes")
	for _, tt := range []struct {
		name  string
		spoil func(*caching)
		want  error
		mend  func(*caching)
	}{
		{"the keys cannot be had", func(c *caching) { c.keys.to(unreachable{}) }, accesstoken.ErrKeysUnavailable,
			func(c *caching) { c.keys.to(follow(t, c.ring)) }},
		{"the revocations are stale", func(c *caching) { c.stale = down }, accesstoken.ErrRevocationsUnavailable,
			func(c *caching) { c.stale = nil }},
		{"the clock was set back", func(c *caching) { c.at = start.Add(-time.Hour) }, accesstoken.ErrNotYet,
			func(c *caching) { c.at = start }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCaching(t, keyring.RS256)
			raw := sign(t, c.ring)
			first := c.want(t, raw, nil)
			tt.spoil(c)
			c.want(t, raw, tt.want)
			c.want(t, sign(t, c.ring, func(cl *accesstoken.Claims) { cl.ID = "token-2" }), tt.want)
			tt.mend(c)
			if again := c.want(t, raw, nil); again != first {
				t.Error("the token was read again")
			}
		})
	}
}

func TestTokensThatAreNotValidPushNothingOutOfMemory(t *testing.T) {
	c := newCaching(t, keyring.RS256)
	good := sign(t, c.ring)
	first := c.want(t, good, nil)
	revoking("grant-2")(c)
	for i := range 20 {
		id := func(cl *accesstoken.Claims) { cl.ID = "other-" + strconv.Itoa(i) }
		c.want(t, good[:len(good)-4]+"AAAA", accesstoken.ErrSignature)
		c.want(t, sign(t, c.ring, id, func(cl *accesstoken.Claims) { cl.Expiry = start.Add(-time.Hour) }), accesstoken.ErrExpired)
		c.want(t, sign(t, c.ring, id, func(cl *accesstoken.Claims) { cl.IssuedAt = start.Add(time.Hour) }), accesstoken.ErrNotYet)
		c.want(t, sign(t, c.ring, id, func(cl *accesstoken.Claims) { cl.Audience = []string{"other"} }), accesstoken.ErrAudience)
		c.want(t, sign(t, c.ring, id, func(cl *accesstoken.Claims) { cl.Issuer = "https://evil.example" }), accesstoken.ErrIssuer)
		c.want(t, sign(t, c.ring, id, func(cl *accesstoken.Claims) { cl.GrantID = "grant-2" }), accesstoken.ErrRevoked)
		c.want(t, strings.Repeat("a", accesstoken.MaxTokenLength+1), accesstoken.ErrMalformed)
	}
	if again := c.want(t, good, nil); again != first {
		t.Error("the good token was pushed out")
	}
	c.want(t, sign(t, c.ring, func(cl *accesstoken.Claims) { cl.ID = "token-2" }), nil)
	if again := c.want(t, good, nil); again == first {
		t.Error("the memory holds more than its size")
	}
}

// A token that one resource remembers is nothing to another.
func TestAttack_TwoVerifiersDoNotShareWhatTheyRemember(t *testing.T) {
	c := newCaching(t, keyring.RS256)
	raw := sign(t, c.ring)
	c.want(t, raw, nil)
	for _, tt := range []struct {
		name   string
		change func(*accesstoken.Verifier)
		want   error
	}{
		{"another audience", func(v *accesstoken.Verifier) { v.Audiences = []string{"https://mcp.example.com/other"} }, accesstoken.ErrAudience},
		{"another issuer", func(v *accesstoken.Verifier) { v.Issuers = []string{"https://auth.example.com"} }, accesstoken.ErrIssuer},
		{"another algorithm", func(v *accesstoken.Verifier) { v.Algorithms = []jose.SignatureAlgorithm{jose.ES256} }, accesstoken.ErrMalformed},
	} {
		v := verifierOf(t, c.ring)
		v.CacheSize = 8
		tt.change(v)
		if claims, err := v.Verify(t.Context(), raw); !errors.Is(err, tt.want) || claims != nil {
			t.Errorf("%s: got %v, %v", tt.name, claims, err)
		}
	}
}

func TestAttack26_ARememberedTokenOfAWithdrawnKeyCausesNoMoreFetchesThanAnother(t *testing.T) {
	var fetches atomic.Int64
	var shown atomic.Pointer[keyring.Ring]
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		_, _ = w.Write(shown.Load().JWKSDocument())
	}))
	t.Cleanup(issuer.Close)
	ours, next := rings()[keyring.RS256], rings()[keyring.ES256]
	shown.Store(ours)

	const burst = 3
	c := newCaching(t, keyring.RS256)
	c.CacheSize = 8
	c.keys.to(jwks.NewRemote(jwks.Options{URL: issuer.URL, RefetchBurst: burst, Now: func() time.Time { return start }}))
	raw := sign(t, ours)
	c.want(t, raw, nil)
	shown.Store(next)
	c.want(t, sign(t, next), nil) // fetches the keys among which ours is no more
	for range 20 {
		c.want(t, raw, accesstoken.ErrUnknownKey)
	}
	if got := fetches.Load(); got > burst {
		t.Errorf("%d fetches; the rate limit allows %d", got, burst)
	}
}

func TestAVerifierThatRemembersReadsTheSameClaims(t *testing.T) {
	c := newCaching(t, keyring.RS256)
	raw := sign(t, c.ring)
	want, err := verifierOf(t, c.ring).Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if diff := cmp.Diff(want, c.want(t, raw, nil)); diff != "" {
			t.Errorf("the claims (-want +got):\n%s", diff)
		}
	}
}

// The copy of the text that is hashed is all; asking for revocation costs none.
func TestARememberedTokenCostsOneAllocation(t *testing.T) {
	g := newGuarded(t)
	revoking("grant-9")(g.caching)
	r := post(bearing(sign(t, g.ring)))
	got := testing.AllocsPerRun(100, func() {
		if _, err := g.Authenticate(r); err != nil {
			t.Fatal(err)
		}
	})
	if got > 1 {
		t.Errorf("%v allocations", got)
	}
}
