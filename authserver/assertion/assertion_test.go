package assertion

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func verified(t *testing.T, kind Kind, deviate func(*token)) *Assertion {
	t.Helper()
	a, err := Verify(t.Context(), valid(t, kind, deviate), keySet(t), expect(kind))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnAssertionSaysWhatItsClaimsSay(t *testing.T) {
	a := verified(t, IdentityGrant, func(tok *token) {
		tok.claims["aud"] = []string{us, "https://other.example"}
		tok.claims["email"], tok.claims["a.b"], tok.claims["one"] = "alice@example.com", "dotted", "x"
		tok.claims["groups"] = []any{"staff", 7, "", strings.Repeat("g", 257), "ops"}
		tok.claims["auth_time"], tok.claims["nested"] = now.Unix()-5, map[string]any{"email": "other"}
	})
	if a.Kind != IdentityGrant || a.Issuer != them || a.Subject != "alice" || a.ID != "jti-1" || !a.IssuedAt.Equal(now) || !a.Expires.Equal(now.Add(5*time.Minute)) {
		t.Errorf("got %+v", a)
	}
	if diff := cmp.Diff([]string{us, "https://other.example"}, a.Audience); diff != "" {
		t.Errorf("Audience (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{"email": "alice@example.com", "a.b": "dotted", "groups": "", "nested": "", "gone": "", "exp": ""} {
		if got := a.Text(name); got != want {
			t.Errorf("Text(%s) = %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string][]string{"groups": {"staff", "ops"}, "one": {"x"}, "gone": nil, "nested": nil, "exp": nil} {
		if got := a.Texts(name); !slices.Equal(got, want) {
			t.Errorf("Texts(%s) = %q, want %q", name, got, want)
		}
	}
	if at, ok := a.Time("auth_time"); !ok || !at.Equal(now.Add(-5*time.Second)) {
		t.Errorf("Time(auth_time) = %v, %v", at, ok)
	}
	if _, ok := a.Time("email"); ok {
		t.Error("a text is a time")
	}
}

func TestWhatCountsOnceHasAKeyOfItsOwn(t *testing.T) {
	a := verified(t, ClientAuthentication, nil)
	key, until := a.Once()
	if again, _ := verified(t, ClientAuthentication, withClaim("x", 1)).Once(); again != key {
		t.Error("the same jti has two keys")
	}
	for name, other := range map[string]*Assertion{
		"another jti":    verified(t, ClientAuthentication, withClaim("jti", "jti-2")),
		"another issuer": {Kind: ClientAuthentication, Issuer: them, ID: "jti-1"},
		"another kind":   {Kind: IdentityGrant, Issuer: client, ID: "jti-1"},
	} {
		if got, _ := other.Once(); got == key {
			t.Errorf("%s has the same key", name)
		}
	}
	if !until.After(a.Expires.Add(skew)) {
		t.Errorf("it is forgotten at %v, while it is accepted", until)
	}
}

func TestPeekSaysWhoIsMeant(t *testing.T) {
	issuer, subject, typ, err := Peek(valid(t, IdentityGrant, nil))
	if err != nil || issuer != them || subject != "alice" || typ != IdentityType {
		t.Errorf("got %q, %q, %q, %v", issuer, subject, typ, err)
	}
	issuer, subject, typ, err = Peek(valid(t, ClientAuthentication, func(tok *token) { tok.rawHeader, tok.rawClaims = `{"typ":1}`, `{"iss":{},"sub":null}` }))
	if err != nil || issuer != "" || subject != "" || typ != "" {
		t.Errorf("got %q, %q, %q, %v", issuer, subject, typ, err)
	}
	for _, raw := range []string{"", ".", "..", "a.b.c", "e30.e30", "e30.e30.e30.e30", "e30.W10.", strings.Repeat("x", MaxLength+1)} {
		if _, _, _, err := Peek(raw); err == nil {
			t.Errorf("Peek(%q) is something", raw)
		}
	}
}

func TestAlgorithmsAreNeverThoseOfSharedSecrets(t *testing.T) {
	for _, name := range Algorithms() {
		if name == "none" || strings.HasPrefix(name, "HS") || name == "" {
			t.Errorf("%q is accepted", name)
		}
	}
}
