package jwks

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
)

// unnamed reads the set of the keys as assertions do.
func unnamed(t *testing.T, keys ...jose.JSONWebKey) *Set {
	t.Helper()
	set, err := ParseWithUnnamed(encode(t, jose.JSONWebKeySet{Keys: keys}))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func ecKey(t *testing.T, curve elliptic.Curve) *ecdsa.PublicKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func TestCandidatesFitTheAlgorithmAndTheID(t *testing.T) {
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := unnamed(t,
		jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "rsa"},
		jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "ps", Algorithm: "PS256"},
		jose.JSONWebKey{Key: ecKey(t, elliptic.P256()), KeyID: "p256"},
		jose.JSONWebKey{Key: ecKey(t, elliptic.P384())},
		jose.JSONWebKey{Key: ecKey(t, elliptic.P521()), KeyID: "p521"},
		jose.JSONWebKey{Key: ed},
	)
	for _, test := range []struct {
		kid, algorithm string
		want           []string
	}{
		{"rsa", "RS256", []string{"rsa"}}, {"", "RS256", []string{"rsa"}}, {"", "PS256", []string{"rsa", "ps"}}, {"ps", "RS256", nil},
		{"rsa", "ES256", nil}, {"p256", "ES256", []string{"p256"}}, {"p256", "ES384", nil}, {"", "ES256", []string{"p256"}},
		{"", "ES384", []string{""}}, {"", "ES512", []string{"p521"}}, {"", "EdDSA", []string{""}}, {"other", "RS256", nil},
		{"", "HS256", nil}, {"rsa", "HS256", nil}, {"", "none", nil}, {"", "", nil}, {"p256", "", nil},
	} {
		found, err := set.Candidates(t.Context(), test.kid, test.algorithm)
		var got []string
		for _, key := range found {
			got = append(got, key.KeyID)
		}
		if !slices.Equal(got, test.want) || errors.Is(err, accesstoken.ErrUnknownKey) != (test.want == nil) {
			t.Errorf("%q, %s: got %q, %v, want %q", test.kid, test.algorithm, got, err, test.want)
		}
	}
}

func TestAKeyWithoutIDIsNoAccessTokenKey(t *testing.T) {
	set := unnamed(t, jose.JSONWebKey{Key: rsaKey().Public()})
	if _, err := set.Key(t.Context(), ""); !errors.Is(err, accesstoken.ErrUnknownKey) || set.Len() != 1 {
		t.Errorf("got %v of %d keys", err, set.Len())
	}
}

func TestASignatureIsTriedWithFewKeys(t *testing.T) {
	var keys []jose.JSONWebKey
	for range 100 {
		keys = append(keys, jose.JSONWebKey{Key: rsaKey().Public()})
	}
	if found, err := unnamed(t, keys...).Candidates(t.Context(), "", "RS256"); err != nil || len(found) != maxCandidates {
		t.Errorf("got %d keys, %v", len(found), err)
	}
}

func TestAKeyThatWouldCostTooMuchIsPassedOver(t *testing.T) {
	huge := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 100_000), E: 65537}
	if _, err := ParseWithUnnamed(encode(t, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: huge, KeyID: "k"}}})); err == nil {
		t.Error("an RSA key of 100,000 bits was accepted")
	}
}

func lazily(i *issuer) *Remote {
	return remote(i, func(o *Options) {
		o.Unnamed, o.MinRefresh, o.MaxRefresh, o.MaxStale = true, time.Minute, time.Hour, 24*time.Hour
	})
}

func candidates(t *testing.T, r *Remote, kid string, want error) {
	t.Helper()
	if found, err := r.Candidates(t.Context(), kid, "RS256"); !errors.Is(err, want) || (err == nil) != (len(found) > 0) {
		t.Errorf("Candidates(%q): %d keys, %v, want %v", kid, len(found), err, want)
	}
}

func TestARemoteRefreshesItselfWhenItIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		header := http.Header{"Cache-Control": {"max-age=600"}}
		body := document(t, "one")
		i := &issuer{answer: func() (int, http.Header, []byte) { return http.StatusOK, header, body }}
		r := lazily(i)
		for range 10 {
			candidates(t, r, "one", nil)
			candidates(t, r, "", nil)
		}
		if got := i.fetches.Load(); got != 1 {
			t.Errorf("%d fetches, want 1", got)
		}
		body = document(t, "two")
		time.Sleep(10*time.Minute - time.Second)
		candidates(t, r, "one", nil)
		time.Sleep(time.Second)
		candidates(t, r, "one", accesstoken.ErrUnknownKey) // it was taken back
		candidates(t, r, "two", nil)
	})
}

func TestLastGoodKeysServeForABoundedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{answer: publishes(document(t, "one"))}
		r := lazily(i)
		candidates(t, r, "one", nil)
		i.answer = isAway
		time.Sleep(24 * time.Hour)
		candidates(t, r, "one", nil)
		candidates(t, r, "two", accesstoken.ErrKeysUnavailable)
		time.Sleep(time.Minute)
		candidates(t, r, "one", accesstoken.ErrKeysUnavailable)
		i.answer = publishes(document(t, "one"))
		time.Sleep(time.Minute)
		candidates(t, r, "one", nil)
	})
}

func TestAttack26_RandomKeyIDsOfAssertionsCauseBoundedFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{answer: publishes(document(t, "one")), delay: 100 * time.Millisecond}
		r := lazily(i)
		candidates(t, r, "one", nil)
		var group sync.WaitGroup
		for n := range 1000 {
			group.Go(func() {
				candidates(t, r, fmt.Sprintf("random-%d-%s", n, strings.Repeat("k", n)), accesstoken.ErrUnknownKey)
			})
		}
		group.Wait()
		if got := i.fetches.Load(); got > DefaultRefetchBurst {
			t.Errorf("%d fetches", got)
		}
	})
}

func TestWrittenKeysNeedNoFetch(t *testing.T) {
	r := NewRemote(Options{Unnamed: true})
	if err := r.Bootstrap(encode(t, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: rsaKey().Public()}}})); err != nil {
		t.Fatal(err)
	}
	candidates(t, r, "", nil)
	candidates(t, r, "one", accesstoken.ErrUnknownKey)
}
