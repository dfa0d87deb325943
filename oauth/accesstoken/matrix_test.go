package accesstoken

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func TestTokensThatMustBeAccepted(t *testing.T) {
	for name, deviate := range map[string]func(*token){
		"a plain one":                                    nil,
		"typ in full (RFC 9068 §4)":                      withHeader("typ", "application/at+jwt"),
		"typ in another case (RFC 7515 §4.1.9)":          withHeader("typ", "AT+JWT"),
		"aud as one string (RFC 7519 §4.1.3)":            withClaim("aud", "apps-todo"),
		"aud with others beside ours":                    withClaim("aud", []string{"https://other.example", "apps-todo"}),
		"the root issuer":                                withClaim("iss", "https://auth.example.com"),
		"expired within the skew":                        withClaim("exp", now.Add(-29*time.Second).Unix()),
		"issued within the skew of a clock that is fast": withClaim("iat", now.Add(30*time.Second).Unix()),
		"nbf in the past":                                withClaim("nbf", now.Add(-time.Second).Unix()),
		"no scope at all":                                without(claimsOf, "scope"),
		"claims that we do not know":                     withClaim("whatever", map[string]any{"a": 1}),
		"bound to a key (RFC 9449 §6.1)":                 withClaim("cnf", map[string]any{"jkt": thumbprint}),
		"bound to a key, with more of it":                withClaim("cnf", map[string]any{"jkt": thumbprint, "kid": "k"}),
	} {
		t.Run(name, func(t *testing.T) {
			v, _ := newVerifier()
			if _, err := v.Verify(t.Context(), valid(t, deviate)); err != nil {
				t.Error(err)
			}
		})
	}
}

// One row a deviation; each is signed by the issuer's own key unless the row is
// about that.
func TestAttacks25And27_SecurityMatrix(t *testing.T) {
	ours, strangers := rings()
	strangersKey := strangers.JWKS().Keys[0]
	tests := []struct {
		name    string
		clause  string
		deviate func(*token)
		want    error
	}{
		{"alg none", "RFC 8725 §3.1", unsigned("none"), ErrMalformed},
		{"alg None", "RFC 8725 §3.1", unsigned("None"), ErrMalformed},
		{"alg NONE", "RFC 8725 §3.1", unsigned("NONE"), ErrMalformed},
		{"alg nOnE", "RFC 8725 §3.1", unsigned("nOnE"), ErrMalformed},
		{"alg empty", "RFC 8725 §3.1", unsigned(""), ErrMalformed},
		{"no alg", "RFC 7515 §4.1.1", without(headerOf, "alg"), ErrMalformed},
		{"HS256 with the public key's DER", "RFC 8725 §2.1", hmacWith(derOf(t, ours)), ErrMalformed},
		{"HS256 with the public key's modulus", "RFC 8725 §2.1", hmacWith(publicOf(ours).N.Bytes()), ErrMalformed},
		{"ES256 with an RSA key", "RFC 8725 §3.1", withHeader("alg", "ES256"), ErrSignature},
		{"EdDSA with an RSA key", "RFC 8725 §3.1", withHeader("alg", "EdDSA"), ErrSignature},
		{"ES384, which was not agreed", "RFC 8725 §3.2", withHeader("alg", "ES384"), ErrMalformed},
		{"RS512, which was not agreed", "RFC 8725 §3.2", withHeader("alg", "RS512"), ErrMalformed},
		{"PS256, which was not agreed", "RFC 8725 §3.2", withHeader("alg", "PS256"), ErrMalformed},

		{"a jwk header with the stranger's key", "RFC 8725 §3.10", func(tok *token) {
			tok.header["jwk"], tok.signer = strangersKey, signedBy(t, strangers)
		}, ErrMalformed},
		{"a jwk header with our own key", "RFC 8725 §3.10", withHeader("jwk", ours.JWKS().Keys[0]), ErrMalformed},
		{"a jku header", "RFC 8725 §3.10", withHeader("jku", "https://evil.example/keys"), ErrMalformed},
		{"an x5u header", "RFC 8725 §3.10", withHeader("x5u", "https://evil.example/cert"), ErrMalformed},
		{"an x5c header", "RFC 8725 §3.10", withHeader("x5c", []string{certificate(t)}), ErrMalformed},
		{"an empty x5c header", "RFC 8725 §3.10", withHeader("x5c", []string{}), ErrMalformed},
		{"an x5t header", "RFC 8725 §3.10", withHeader("x5t", "AAAA"), ErrMalformed},
		{"an x5t#S256 header", "RFC 8725 §3.10", withHeader("x5t#S256", "AAAA"), ErrMalformed},
		{"a crit header", "RFC 7515 §4.1.11", func(tok *token) {
			tok.header["crit"], tok.header["exp"] = []string{"exp"}, 1
		}, ErrMalformed},
		{"an unencoded payload", "RFC 7797 §3", withHeader("b64", false), ErrMalformed},

		{"no typ", "RFC 9068 §4", without(headerOf, "typ"), ErrType},
		{"typ JWT", "RFC 9068 §4", withHeader("typ", "JWT"), ErrType},
		{"typ of a logout token", "RFC 9068 §4", withHeader("typ", "logout+jwt"), ErrType},
		{"typ of an ID-JAG", "RFC 9068 §4", withHeader("typ", "oauth-id-jag+jwt"), ErrType},
		{"typ that is no string", "RFC 7515 §4.1.9", withHeader("typ", []string{"at+jwt"}), ErrType},

		{"a foreign kid", "RFC 7515 §4.1.4", withHeader("kid", strangersKey.KeyID), ErrUnknownKey},
		{"no kid", "RFC 7515 §4.1.4", without(headerOf, "kid"), ErrUnknownKey},
		{"a kid of 5,000 bytes", "RFC 7515 §4.1.4", withHeader("kid", strings.Repeat("k", 5000)), ErrUnknownKey},
		{"a kid that is a path", "RFC 8725 §3.10", withHeader("kid", "../../etc/passwd"), ErrUnknownKey},
		{"a kid that is no string", "RFC 7515 §4.1.4", withHeader("kid", 1), ErrMalformed},

		{"signed by a stranger under our kid", "RFC 7515 §5.2", func(tok *token) { tok.signer = signedBy(t, strangers) }, ErrSignature},
		{"no signature", "RFC 7515 §5.2", func(tok *token) { tok.signer = nil }, ErrSignature},
		{"a changed header", "RFC 7515 §5.2", afterSigning(t, withHeader("extra", "x")), ErrSignature},
		{"a changed payload", "RFC 7515 §5.2", afterSigning(t, withClaim("sub", "people|root")), ErrSignature},
		{"a changed signature", "RFC 7515 §5.2", changed(2), ErrSignature},

		{"an empty issuer", "RFC 9068 §4", withClaim("iss", ""), ErrMalformed},
		{"another issuer", "RFC 9068 §4", withClaim("iss", "https://evil.example"), ErrIssuer},
		{"our issuer with a slash", "RFC 9068 §4", withClaim("iss", issuerURL+"/"), ErrIssuer},
		{"our issuer in another case", "RFC 9068 §4", withClaim("iss", strings.ToUpper(issuerURL)), ErrIssuer},
		{"the issuer of another resource", "RFC 9068 §4", withClaim("iss", "https://auth.example.com/resources/other"), ErrIssuer},
		{"another audience", "RFC 9068 §4", withClaim("aud", []string{"https://mcp.example.com/other"}), ErrAudience},
		{"our audience with a slash", "RFC 8707 §2", withClaim("aud", resourceURL+"/"), ErrAudience},
		{"a prefix of our audience", "RFC 9068 §4", withClaim("aud", "https://mcp.example.com"), ErrAudience},
		{"no audience", "RFC 9068 §2.2", without(claimsOf, "aud"), ErrMalformed},
		{"an empty list of audiences", "RFC 9068 §2.2", withClaim("aud", []string{}), ErrMalformed},
		{"an audience that is an object", "RFC 7519 §4.1.3", withClaim("aud", map[string]any{resourceURL: true}), ErrMalformed},

		{"expired", "RFC 9068 §4", withClaim("exp", now.Add(-30*time.Second).Unix()), ErrExpired},
		{"expired since 1970", "RFC 9068 §4", withClaim("exp", -1), ErrExpired},
		{"no expiry", "RFC 9068 §2.2", without(claimsOf, "exp"), ErrMalformed},
		{"an expiry of null", "RFC 9068 §2.2", withClaim("exp", nil), ErrMalformed},
		{"an expiry as text", "RFC 7519 §2", withClaim("exp", "9999999999"), ErrMalformed},
		{"an expiry beyond numbers", "RFC 7519 §2", withClaim("exp", 1e300), ErrMalformed},
		{"nbf in the future", "RFC 7519 §4.1.5", withClaim("nbf", now.Add(31*time.Second).Unix()), ErrNotYet},
		{"issued in the future", "RFC 7519 §4.1.6", withClaim("iat", now.Add(31*time.Second).Unix()), ErrNotYet},
		{"no iat", "RFC 9068 §2.2", without(claimsOf, "iat"), ErrMalformed},
		{"no iss", "RFC 9068 §2.2", without(claimsOf, "iss"), ErrMalformed},
		{"no sub", "RFC 9068 §2.2", without(claimsOf, "sub"), ErrMalformed},
		{"no client_id", "RFC 9068 §2.2", without(claimsOf, "client_id"), ErrMalformed},
		{"no jti", "RFC 9068 §2.2", without(claimsOf, "jti"), ErrMalformed},
		{"a scope with a line break", "RFC 6749 §3.3", withClaim("scope", "a\nb"), ErrMalformed},
		{"a scope that is an array", "RFC 9068 §2.2.3", withClaim("scope", []string{"a"}), ErrMalformed},
		{"bound to nothing", "RFC 7800 §3.1", withClaim("cnf", map[string]any{}), ErrMalformed},
		{"bound to a certificate", "RFC 8705 §3.1", withClaim("cnf", map[string]any{"x5t#S256": thumbprint}), ErrMalformed},
		{"bound to an empty thumbprint", "RFC 9449 §6.1", withClaim("cnf", map[string]any{"jkt": ""}), ErrMalformed},
		{"a binding that is a string", "RFC 7800 §3.1", withClaim("cnf", thumbprint), ErrMalformed},
		{"a thumbprint that is no string", "RFC 9449 §6.1", withClaim("cnf", map[string]any{"jkt": 1}), ErrMalformed},
		{"an auth_time as text", "RFC 9068 §2.2.1", withClaim("auth_time", "now"), ErrMalformed},

		{"an ID token of the same issuer", "RFC 9068 §5", func(tok *token) {
			tok.header["typ"] = "JWT"
			tok.claims = map[string]any{
				"iss": issuerURL, "sub": "people|alice", "aud": "agent", "nonce": "n",
				"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
			}
		}, ErrType},
		{"an ID token with the type of an access token", "RFC 9068 §5", func(tok *token) {
			delete(tok.claims, "client_id")
			tok.claims["aud"] = "agent"
		}, ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, keys := newVerifier()
			raw := valid(t, tt.deviate)
			claims, err := v.Verify(t.Context(), raw)
			if !errors.Is(err, tt.want) || !errors.Is(err, ErrInvalid) || claims != nil {
				t.Fatalf("%s: got %v, %v; want %v", tt.clause, claims, err, tt.want)
			}
			if strings.Contains(err.Error(), "alice") || strings.Contains(err.Error(), "evil") {
				t.Errorf("the error quotes the token: %v", err)
			}
			if errors.Is(tt.want, ErrMalformed) && keys.lookups > 1 || errors.Is(tt.want, ErrType) && keys.lookups > 0 {
				t.Errorf("it cost %d key look-ups", keys.lookups)
			}
		})
	}
}

func TestTextThatIsNoCompactJWSIsMalformedAndCostsNoLookUp(t *testing.T) {
	good := valid(t, nil)
	parts := strings.Split(good, ".")
	for name, raw := range map[string]string{
		"nothing": "", "a word": "token", "dots": "..", "two parts": parts[0] + "." + parts[1], "four parts": good + ".x",
		"padding": parts[0] + "=." + parts[1] + "." + parts[2], "a space before it": " " + good,
		"a line break within it": good[:5] + "\n" + good[5:], "a line break behind it": good + "\n", "Bearer before it": "Bearer " + good,
		"JSON serialisation":       `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"a header that is no JSON": base64.RawURLEncoding.EncodeToString([]byte("no")) + "." + parts[1] + "." + parts[2],
		"no header":                "." + parts[1] + "." + parts[2],
		"an endless one":           strings.Repeat("a", MaxTokenLength+1),
		"an endless one with dots": strings.Repeat(".", MaxTokenLength),
	} {
		v, keys := newVerifier()
		if claims, err := v.Verify(t.Context(), raw); !errors.Is(err, ErrMalformed) || claims != nil {
			t.Errorf("%s: got %v, %v", name, claims, err)
		}
		if keys.lookups != 0 {
			t.Errorf("%s: it cost %d key look-ups", name, keys.lookups)
		}
	}
}

func TestAVerifierThatNamesNobodyAcceptsNothing(t *testing.T) {
	v, _ := newVerifier()
	v.Issuers = nil
	if _, err := v.Verify(t.Context(), valid(t, nil)); !errors.Is(err, ErrIssuer) {
		t.Errorf("without issuers: %v", err)
	}
	v, _ = newVerifier()
	v.Audiences = nil
	if _, err := v.Verify(t.Context(), valid(t, nil)); !errors.Is(err, ErrAudience) {
		t.Errorf("without audiences: %v", err)
	}
}

func TestAttack26_AKeyIDThatNobodyCouldPublishCostsNoLookUp(t *testing.T) {
	for _, kid := range []string{"", strings.Repeat("k", maxKeyIDLength+1), strings.Repeat("k", 5000)} {
		v, keys := newVerifier()
		if _, err := v.Verify(t.Context(), valid(t, withHeader("kid", kid))); !errors.Is(err, ErrUnknownKey) || keys.lookups != 0 {
			t.Errorf("a kid of %d bytes: got %v after %d look-ups", len(kid), err, keys.lookups)
		}
	}
}

func TestAKeyForAnotherAlgorithmVerifiesNothing(t *testing.T) {
	v, keys := newVerifier()
	keys.set.Keys[0].Algorithm = "PS256"
	if _, err := v.Verify(t.Context(), valid(t, nil)); !errors.Is(err, ErrSignature) {
		t.Errorf("got %v", err)
	}
}

func TestKeysThatCannotBeFetchedAreNotTheTokensFault(t *testing.T) {
	v, _ := newVerifier()
	v.Keys = unavailable{}
	if _, err := v.Verify(t.Context(), valid(t, nil)); !errors.Is(err, ErrKeysUnavailable) || errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

type unavailable struct{}

func (unavailable) Key(context.Context, string) (jose.JSONWebKey, error) {
	return jose.JSONWebKey{}, ErrKeysUnavailable
}

func FuzzVerify(f *testing.F) {
	ours, _ := rings()
	good, err := Sign(validClaims(), ours.Active())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, raw string) {
		v, _ := newVerifier()
		claims, err := v.Verify(t.Context(), raw)
		switch {
		case err == nil && !cmp.Equal(claims, validClaims()):
			t.Errorf("%q was accepted and says %+v, which nobody signed", raw, claims)
		case err != nil && (claims != nil || !errors.Is(err, ErrInvalid)):
			t.Errorf("%q: got %v, %v", raw, claims, err)
		}
	})
}
