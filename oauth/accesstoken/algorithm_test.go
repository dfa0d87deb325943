package accesstoken

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/oauth/keyring"
)

var algorithms = []keyring.Algorithm{keyring.RS256, keyring.ES256, keyring.EdDSA}

// ringsByAlgorithm has one for each.
var ringsByAlgorithm = sync.OnceValue(func() map[keyring.Algorithm]*keyring.Ring {
	made := map[keyring.Algorithm]*keyring.Ring{}
	for _, alg := range algorithms {
		ring, err := keyring.New(alg, now)
		if err != nil {
			panic(err)
		}
		made[alg] = ring
	}
	return made
})

func TestAVerifierReadsEveryAlgorithmOfTheRing(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			ring := ringsByAlgorithm()[alg]
			raw, err := Sign(validClaims(), ring.Active())
			if err != nil {
				t.Fatal(err)
			}
			v, keys := newVerifier()
			keys.set = ring.JWKS()
			got, err := v.Verify(t.Context(), raw)
			if diff := cmp.Diff(validClaims(), got); err != nil || diff != "" {
				t.Errorf("%v; the claims (-want +got):\n%s", err, diff)
			}
			v.Algorithms = []jose.SignatureAlgorithm{jose.PS256}
			if _, err := v.Verify(t.Context(), raw); !errors.Is(err, ErrMalformed) {
				t.Errorf("a verifier that did not agree to %s: %v", alg, err)
			}
		})
	}
}

// The head of a token names one algorithm, the key behind its kid is for another:
// refused whether or not the key set says what the key is for (RFC 8725 §3.1).
func TestAttack25_ATokenNeverChoosesWhatAKeyMeans(t *testing.T) {
	all := []string{"RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"}
	for _, published := range algorithms {
		ring := ringsByAlgorithm()[published]
		for _, head := range all {
			if head == string(published) {
				continue
			}
			for _, signed := range algorithms {
				for _, stated := range []string{string(published), ""} {
					v, keys := newVerifier()
					v.Algorithms = []jose.SignatureAlgorithm{"RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"}
					keys.set = ring.JWKS()
					keys.set.Keys[0].Algorithm = stated
					raw := valid(t, func(tok *token) {
						tok.header["alg"], tok.header["kid"] = head, ring.Active().KeyID()
						tok.signer = signedBy(t, ringsByAlgorithm()[signed])
					})
					if claims, err := v.Verify(t.Context(), raw); !errors.Is(err, ErrSignature) || claims != nil {
						t.Errorf("head %s, key for %s (the set says %q), signed as %s: got %v, %v", head, published, stated, signed, claims, err)
					}
				}
			}
		}
	}
}

func TestAKeyFitsItsOwnAlgorithmsAlone(t *testing.T) {
	curve := func(c elliptic.Curve) *ecdsa.PublicKey {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return &key.PublicKey
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "none", "", "ES521"}
	for _, tt := range []struct {
		name string
		key  any
		want []string
	}{
		{"RSA", publicOf(ringsByAlgorithm()[keyring.RS256]), all[:6]},
		{"P-224", curve(elliptic.P224()), nil},
		{"P-256", curve(elliptic.P256()), []string{"ES256"}},
		{"P-384", curve(elliptic.P384()), []string{"ES384"}},
		{"P-521", curve(elliptic.P521()), []string{"ES512"}},
		{"Ed25519", edwards, []string{"EdDSA"}},
		{"Ed25519 cut short", edwards[:31], nil},
		{"a secret", []byte("0123456789abcdef0123456789abcdef"), nil},
		{"a private key", (*rsa.PrivateKey)(nil), nil},
		{"nothing", nil, nil},
	} {
		var got []string
		for _, algorithm := range all {
			if fits(tt.key, algorithm) {
				got = append(got, algorithm)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
