package accesstoken

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

var now = time.Date(2031, time.May, 4, 10, 20, 30, 0, time.UTC)

// rings are the issuer's and a stranger's; making keys is slow.
var rings = sync.OnceValues(func() (ours, strangers *keyring.Ring) {
	made := [2]*keyring.Ring{}
	for i := range made {
		ring, err := keyring.New(keyring.RS256, now)
		if err != nil {
			panic(err)
		}
		made[i] = ring
	}
	return made[0], made[1]
})

// published is a KeySource over a JWKS that counts its look-ups.
type published struct {
	set     jose.JSONWebKeySet
	lookups int
}

func (p *published) Key(_ context.Context, kid string) (jose.JSONWebKey, error) {
	p.lookups++
	for _, key := range p.set.Keys {
		if key.KeyID == kid {
			return key, nil
		}
	}
	return jose.JSONWebKey{}, ErrUnknownKey
}

const (
	issuerURL   = "https://auth.example.com/resources/apps-todo"
	resourceURL = "https://mcp.example.com/todo"
	thumbprint  = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" // RFC 9449 §6.1
)

func newVerifier() (*Verifier, *published) {
	ours, _ := rings()
	keys := &published{set: ours.JWKS()}
	return &Verifier{
		Issuers: []string{issuerURL, "https://auth.example.com"}, Audiences: []string{resourceURL, "apps-todo"},
		Keys: keys, Now: func() time.Time { return now },
	}, keys
}

func validClaims() *Claims {
	return &Claims{
		Issuer: issuerURL, Subject: "people|alice", Audience: []string{resourceURL, "apps-todo"}, ClientID: "agent",
		Scope: oauth.NewScopeSet("todo:read", "todo:write"), IssuedAt: now, Expiry: now.Add(15 * time.Minute),
		ID: "jti-1", GrantID: "grant-1", Email: "alice@example.com", Organization: "example",
		AuthTime: now.Add(-time.Minute), ACR: "urn:mace:incommon:iap:silver", KeyThumbprint: thumbprint,
	}
}

func TestAVerifierReadsWhatTheServerSigned(t *testing.T) {
	ours, _ := rings()
	raw, err := Sign(validClaims(), ours.Active())
	if err != nil {
		t.Fatal(err)
	}
	v, _ := newVerifier()
	got, err := v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(validClaims(), got); diff != "" {
		t.Errorf("the claims (-want +got):\n%s", diff)
	}
}

// Libraries in the field read "scope" or "scopes", and "aud" as an array.
func TestATokenOnTheWireIsAsRFC9068AndTheLibrariesWantIt(t *testing.T) {
	ours, _ := rings()
	claims := validClaims()
	claims.GrantID, claims.Email, claims.Organization = "", "", ""
	claims.AuthTime, claims.ACR, claims.KeyThumbprint = time.Time{}, "", ""
	raw, err := Sign(claims, ours.Active())
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(raw, ".")
	want := []map[string]any{
		{"alg": "RS256", "typ": "at+jwt", "kid": ours.Active().KeyID()},
		{
			"iss": issuerURL, "sub": "people|alice", "aud": []any{resourceURL, "apps-todo"}, "client_id": "agent",
			"scope": "todo:read todo:write", "scopes": []any{"todo:read", "todo:write"},
			"iat": float64(now.Unix()), "exp": float64(now.Add(15 * time.Minute).Unix()), "jti": "jti-1",
		},
	}
	for i := range want {
		data, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[i], got); diff != "" {
			t.Errorf("part %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestATokenWithoutScopesHasAnEmptyArrayAndNotNull(t *testing.T) {
	ours, _ := rings()
	claims := validClaims()
	claims.Scope = oauth.ScopeSet{}
	raw, err := Sign(claims, ours.Active())
	if err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil || !strings.Contains(string(payload), `"scopes":[]`) {
		t.Errorf("got %s, %v", payload, err)
	}
}

func TestABoundTokenOnTheWireIsAsRFC9449WantsIt(t *testing.T) {
	ours, _ := rings()
	raw, err := Sign(validClaims(), ours.Active())
	if err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(payload, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"cnf":       map[string]any{"jkt": thumbprint},
		"auth_time": float64(now.Add(-time.Minute).Unix()),
		"acr":       "urn:mace:incommon:iap:silver",
	}
	for name := range want {
		if diff := cmp.Diff(want[name], got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// nobody signs nothing, so that a benchmark sees what the claims cost.
type nobody struct{}

func (nobody) SignCompact(string, []byte) (string, error) { return "", nil }

func BenchmarkSign(b *testing.B) {
	ours, _ := rings()
	b.Run("claims alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Sign(validClaims(), nobody{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("RS256", func(b *testing.B) {
		for b.Loop() {
			if _, err := Sign(validClaims(), ours.Active()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
