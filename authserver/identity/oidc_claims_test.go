package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/catalog"
)

func TestIDTokensThatAreNotForThisSignInAreRefused(t *testing.T) {
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(name string, value any) func(*issuer) {
		return func(i *issuer) { i.claims = func(c map[string]any) { c[name] = value } }
	}
	tests := []struct {
		name   string
		change func(*issuer)
	}{
		{"a wrong nonce", claim("nonce", "another")},
		{"no nonce", claim("nonce", nil)},
		{"a wrong audience", claim("aud", "another-client")},
		{"another issuer", claim("iss", "https://evil.example")},
		{"expired", claim("exp", testNow.Add(-time.Second).Unix())},
		{"no expiry", claim("exp", nil)},
		{"not valid yet", claim("nbf", testNow.Add(time.Hour).Unix())},
		{"issued to another client", claim("azp", "another-client")},
		{"no subject", claim("sub", nil)},
		{"a subject that is no string", claim("sub", map[string]any{"id": "u-1"})},
		{"an endless subject", claim("sub", strings.Repeat("s", 300))},
		{"signed by a stranger under a known kid", func(i *issuer) { i.signWith.Key = stranger }},
		{"signed by a stranger under an unknown kid", func(i *issuer) { i.signWith.Key, i.kid = stranger, "key-2" }},
		{"signed with an algorithm that was not announced", func(i *issuer) { i.signWith.Algorithm = jose.RS512 }},
		{"HS256 with our client secret", func(i *issuer) {
			i.signWith = jose.SigningKey{Algorithm: jose.HS256, Key: []byte(strings.Repeat(clientSecret, 2))}
		}},
		{"no ID token", func(i *issuer) {
			i.answer = func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, map[string]any{"access_token": "a", "token_type": "Bearer"})
			}
		}},
		{"alg none", func(i *issuer) {
			i.answer = func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": "eyJhbGciOiJub25lIn0.e30."})
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newIssuer(t)
			tt.change(i)
			o := i.provider(nil)
			login, answer := i.begun(t, o)
			got, err := o.Finish(t.Context(), callback, login, answer)
			if !errors.Is(err, ErrUpstream) || got.Subject != "" {
				t.Errorf("got %+v, %v", got, err)
			}
			if i.exchanges.Load() == 0 {
				t.Error("the code was not even exchanged: this tests something else")
			}
		})
	}
}

func TestConfiguredClaimsAreRead(t *testing.T) {
	i := newIssuer(t)
	i.claims = func(c map[string]any) {
		c["oid"], c["mail"], c["https://corp.com/roles"] = "o-9", "ann@mail.corp.com", "one-role"
		c["email_verified"], c["auth_time"] = "true", testNow.Add(-time.Hour).Unix()
	}
	o := i.provider(func(p *catalog.OIDCProvider) {
		p.SubjectClaim, p.EmailClaim, p.GroupsClaim = "oid", "mail", "https://corp.com/roles"
	})
	login, answer := i.begun(t, o)
	got, err := o.Finish(t.Context(), callback, login, answer)
	if err != nil {
		t.Fatal(err)
	}
	want := Assertion{
		Provider: "corp", Subject: "o-9", Email: "ann@mail.corp.com", EmailVerified: true,
		Name: "Ann", Groups: []string{"one-role"}, AuthTime: testNow.Add(-time.Hour),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the assertion (-want +got):\n%s", diff)
	}
}

func TestClaimsOfUnexpectedShapesGiveNothing(t *testing.T) {
	many := make([]string, maxGroups+5)
	for n := range many {
		many[n] = "g"
	}
	tests := []struct {
		name, claim string
		value       any
		check       func(Assertion) bool
	}{
		{"email_verified absent", "email_verified", nil, func(a Assertion) bool { return !a.EmailVerified }},
		{"email_verified false", "email_verified", false, func(a Assertion) bool { return !a.EmailVerified }},
		{"email_verified 1", "email_verified", 1, func(a Assertion) bool { return !a.EmailVerified }},
		{"email_verified TRUE", "email_verified", "TRUE", func(a Assertion) bool { return !a.EmailVerified }},
		{"an e-mail in an array", "email", []string{"ann@corp.com"}, func(a Assertion) bool { return a.Email == "" }},
		{"an endless e-mail", "email", strings.Repeat("a", 300) + "@corp.com", func(a Assertion) bool { return a.Email == "" }},
		{"groups as an object", "groups", map[string]any{"staff": true}, func(a Assertion) bool { return len(a.Groups) == 0 }},
		{"groups absent", "groups", nil, func(a Assertion) bool { return len(a.Groups) == 0 }},
		{"groups of mixed kinds", "groups", []any{"a", 1, nil, "", strings.Repeat("g", 300), "b"},
			func(a Assertion) bool { return cmp.Equal(a.Groups, []string{"a", "b"}) }},
		{"too many groups", "groups", many, func(a Assertion) bool { return len(a.Groups) == maxGroups }},
		{"an auth_time in the future", "auth_time", testNow.Add(time.Hour).Unix(), func(a Assertion) bool { return a.AuthTime.Equal(testNow) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newIssuer(t)
			i.claims = func(c map[string]any) { c[tt.claim] = tt.value }
			o := i.provider(nil)
			login, answer := i.begun(t, o)
			got, err := o.Finish(t.Context(), callback, login, answer)
			if err != nil || !tt.check(got) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}
