package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth/jwks"
)

const (
	us     = "https://auth.example"
	them   = "https://idp.example"
	client = "https://app.example/client.json"
)

// now is the time of all tests. It is no absolute time that anything depends on.
var now = time.Unix(1_800_000_000, 0).UTC()

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

// edKey is always the same one, so that fuzzing can start from valid assertions.
func edKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

// token is a JWT that a test builds part by part, to deviate in one of them.
type token struct {
	header, claims map[string]any
	// rawHeader and rawClaims replace them where they are set.
	rawHeader, rawClaims string
	sign                 func(input []byte) []byte
	// then changes the finished text.
	then func(string) string
}

func (tok token) text(t testing.TB) string {
	t.Helper()
	part := func(raw string, members map[string]any) string {
		if raw == "" {
			data, err := json.Marshal(members)
			if err != nil {
				t.Fatal(err)
			}
			raw = string(data)
		}
		return base64.RawURLEncoding.EncodeToString([]byte(raw))
	}
	input := part(tok.rawHeader, tok.header) + "." + part(tok.rawClaims, tok.claims)
	var signature []byte
	if tok.sign != nil {
		signature = tok.sign([]byte(input))
	}
	text := input + "." + base64.RawURLEncoding.EncodeToString(signature)
	if tok.then != nil {
		text = tok.then(text)
	}
	return text
}

// valid is a good assertion of the kind with one deviation.
func valid(t testing.TB, kind Kind, deviate func(*token)) string {
	t.Helper()
	tok := token{
		header: map[string]any{"alg": "RS256", "kid": "rsa"},
		claims: map[string]any{
			"iss": them, "sub": "alice", "aud": us, "jti": "jti-1", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		},
		sign: signRS256(rsaKey()),
	}
	switch kind {
	case ClientAuthentication:
		tok.claims["iss"], tok.claims["sub"] = client, client
	case IdentityGrant:
		tok.header["typ"] = IdentityType
	case Workload:
		tok.header["typ"] = "JWT"
	}
	if deviate != nil {
		deviate(&tok)
	}
	return tok.text(t)
}

// expect is what a valid assertion of the kind satisfies.
func expect(kind Kind) Expectation {
	e := Expectation{Kind: kind, Issuer: them, Audiences: []string{us, us + "/oauth/token"}, Now: now}
	if kind == ClientAuthentication {
		e.Issuer, e.Subject = client, client
	}
	return e
}

// keySet publishes one key of each type.
func keySet(t testing.TB) *jwks.Set {
	t.Helper()
	set, err := jwks.ParseWithUnnamed([]byte(published(t)))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func published(t testing.TB) string {
	t.Helper()
	data, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: rsaKey().Public(), KeyID: "rsa", Use: "sig"},
		{Key: rsaKey().Public(), KeyID: "rs256-only", Algorithm: "RS256"},
		{Key: ecKey().Public(), KeyID: "ec"},
		{Key: edKey().Public(), KeyID: "ed"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func signRS256(key *rsa.PrivateKey) func([]byte) []byte { return signRSA(key, crypto.SHA256) }

func signRSA(key *rsa.PrivateKey, hash crypto.Hash) func([]byte) []byte {
	return func(input []byte) []byte {
		h := hash.New()
		h.Write(input)
		signature, err := rsa.SignPKCS1v15(nil, key, hash, h.Sum(nil))
		if err != nil {
			panic(err)
		}
		return signature
	}
}

func signPS256(input []byte) []byte {
	sum := sha256.Sum256(input)
	signature, err := rsa.SignPSS(rand.Reader, rsaKey(), crypto.SHA256, sum[:], nil)
	if err != nil {
		panic(err)
	}
	return signature
}

func signES256(input []byte) []byte {
	sum := sha256.Sum256(input)
	r, s, err := ecdsa.Sign(rand.Reader, ecKey(), sum[:])
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 64)
	for i, half := range []*big.Int{r, s} {
		half.FillBytes(signature[32*i : 32*i+32])
	}
	return signature
}

func signEdDSA(input []byte) []byte { return ed25519.Sign(edKey(), input) }

func withHeader(name string, value any) func(*token) {
	return func(tok *token) { tok.header[name] = value }
}

func withClaim(name string, value any) func(*token) {
	return func(tok *token) { tok.claims[name] = value }
}

func withoutHeader(name string) func(*token) {
	return func(tok *token) { delete(tok.header, name) }
}

func withoutClaim(name string) func(*token) {
	return func(tok *token) { delete(tok.claims, name) }
}

func signed(algorithm, kid string, sign func([]byte) []byte) func(*token) {
	return func(tok *token) {
		tok.header["alg"], tok.sign = algorithm, sign
		if delete(tok.header, "kid"); kid != "" {
			tok.header["kid"] = kid
		}
	}
}

func unsigned(algorithm string) func(*token) {
	return func(tok *token) { tok.header["alg"], tok.sign = algorithm, nil }
}

func hmacWith(t testing.TB, secret func() []byte) func(*token) {
	t.Helper()
	return signed("HS256", "rsa", func(input []byte) []byte {
		mac := hmac.New(sha256.New, secret())
		mac.Write(input)
		return mac.Sum(nil)
	})
}

func publicDER() []byte {
	der, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	if err != nil {
		panic(err)
	}
	return der
}

// replaced puts another text in the place of a part that was signed.
func replaced(part int, text string) func(*token) {
	return changing(part, func(string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) })
}

// changed replaces a character in the middle of one part.
func changed(part int) func(*token) {
	return changing(part, func(text string) string {
		i, c := len(text)/2, "A"
		if text[i] == 'A' {
			c = "B"
		}
		return text[:i] + c + text[i+1:]
	})
}

func changing(part int, change func(string) string) func(*token) {
	return func(tok *token) {
		tok.then = func(text string) string {
			parts := strings.Split(text, ".")
			parts[part] = change(parts[part])
			return strings.Join(parts, ".")
		}
	}
}
