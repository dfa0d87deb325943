package accesstoken_test

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

func TestRevocationHoldsAlsoWithoutACache(t *testing.T) {
	for _, id := range []string{"grant-1", "token-1"} {
		c := newCaching(t, keyring.RS256)
		c.CacheSize = 0
		raw := sign(t, c.ring)
		c.want(t, raw, nil)
		revoking(id)(c)
		c.want(t, raw, accesstoken.ErrRevoked)
	}
	c := newCaching(t, keyring.RS256)
	revoking("grant-1")(c)
	c.want(t, sign(t, c.ring, func(cl *accesstoken.Claims) { cl.GrantID = "" }), nil)
}

func TestStaleRevocationsAreNotTheTokensFaultAndSayWhy(t *testing.T) {
	c := newCaching(t, keyring.RS256)
	c.stale = errors.New("no contact for 2 minutes")
	raw := sign(t, c.ring)
	_, err := c.Verify(t.Context(), raw)
	if !errors.Is(err, accesstoken.ErrRevocationsUnavailable) || !errors.Is(err, c.stale) || errors.Is(err, accesstoken.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	// What is wrong anyhow is said first.
	c.want(t, raw+"x", accesstoken.ErrInvalid)
	revoking("grant-1")(c)
	c.want(t, raw, accesstoken.ErrRevoked)
}

// Keys rotate and grants are revoked while tokens are used: nobody ever gets claims of
// a token that was revoked before the call began.
func TestVerifyIsSafeWhileKeysRotateAndTokensAreRevoked(t *testing.T) {
	const tokens, callersAtOnce, rounds = 16, 4, 200
	c := newCaching(t, keyring.ES256)
	c.CacheSize = tokens / 2
	ours, strangers := follow(t, c.ring), follow(t, rings()[keyring.EdDSA])
	texts := make([]string, tokens)
	for i := range texts {
		texts[i] = sign(t, c.ring, func(cl *accesstoken.Claims) { cl.GrantID, cl.ID = "g"+strconv.Itoa(i), "t"+strconv.Itoa(i) })
	}
	var dead [tokens]atomic.Bool
	var callers sync.WaitGroup
	done := make(chan struct{})
	for range callersAtOnce {
		callers.Go(func() {
			for n := range rounds * tokens {
				i := n % tokens
				late := dead[i].Load()
				claims, err := c.Verify(t.Context(), texts[i])
				switch {
				case err == nil && (late || claims.ID != "t"+strconv.Itoa(i)):
					t.Errorf("token %d (revoked %t) gave %+v", i, late, claims)
				case err != nil && !errors.Is(err, accesstoken.ErrUnknownKey) && !errors.Is(err, accesstoken.ErrRevoked):
					t.Errorf("token %d: %v", i, err)
				}
			}
		})
	}
	var changes sync.WaitGroup
	changes.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			c.keys.to([]accesstoken.KeySource{ours, follow(t, c.ring), strangers}[i%3])
			if i%8 == 0 && i/8 < tokens/2 {
				revoking("g" + strconv.Itoa(i/8))(c)
				dead[i/8].Store(true)
			}
		}
	})
	callers.Wait()
	close(done)
	changes.Wait()
	c.keys.to(ours)
	for i := range texts {
		want := error(nil)
		if dead[i].Load() {
			want = accesstoken.ErrRevoked
		}
		c.want(t, texts[i], want)
	}
}
