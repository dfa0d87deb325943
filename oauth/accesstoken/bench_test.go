package accesstoken_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/oauth/revocation"
)

// measured is a verifier as a server has it: the keys of a jwks.Remote, and a set of
// revocations that is not empty.
func measured(b *testing.B, alg keyring.Algorithm, cacheSize int) *accesstoken.Verifier {
	b.Helper()
	revoked := &revocation.Set{}
	revoked.Add([]revocation.Revocation{{ID: "grant-9", Expires: start.AddDate(0, 0, 1)}}, start)
	v := verifierOf(b, rings()[alg])
	v.CacheSize, v.Revocations, v.Fresh = cacheSize, revoked, func() error { return nil }
	return v
}

func BenchmarkVerifyWarm(b *testing.B) { verifyEach(b, 1) }
func BenchmarkVerifyCold(b *testing.B) { verifyEach(b, 0) }

func verifyEach(b *testing.B, cacheSize int) {
	for _, alg := range []keyring.Algorithm{keyring.RS256, keyring.ES256, keyring.EdDSA} {
		b.Run(string(alg), func(b *testing.B) {
			v, raw := measured(b, alg, cacheSize), sign(b, rings()[alg])
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The issuer's keys were fetched again since the token was verified.
func BenchmarkVerifyWarmAfterARefresh(b *testing.B) {
	v, raw := measured(b, keyring.RS256, 1), sign(b, rings()[keyring.RS256])
	if _, err := v.Verify(b.Context(), raw); err != nil {
		b.Fatal(err)
	}
	v.Keys = follow(b, rings()[keyring.RS256])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateWarm(b *testing.B) {
	g := &accesstoken.Guard{Verifier: measured(b, keyring.RS256, 1), Resource: resource}
	r := httptest.NewRequest(http.MethodPost, resource, nil)
	r.Header.Set("Authorization", "Bearer "+sign(b, rings()[keyring.RS256]))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Authenticate(r); err != nil {
			b.Fatal(err)
		}
	}
}
