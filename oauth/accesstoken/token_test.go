package accesstoken

import (
	"crypto/ecdsa"
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
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// token is a JWS that a test builds part by part, to deviate in one of them.
type token struct {
	header, claims map[string]any
	// signer signs; nil leaves the signature empty.
	signer func(input []byte) []byte
	// then changes the finished text.
	then func(string) string
}

// input is what a signature covers (RFC 7515 §5.1).
func (tok token) input(t *testing.T) []byte {
	t.Helper()
	var parts []string
	for _, part := range []map[string]any{tok.header, tok.claims} {
		data, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(data))
	}
	return []byte(strings.Join(parts, "."))
}

func (tok token) text(t *testing.T) string {
	t.Helper()
	input := tok.input(t)
	var signature []byte
	if tok.signer != nil {
		signature = tok.signer(input)
	}
	text := string(input) + "." + base64.RawURLEncoding.EncodeToString(signature)
	if tok.then != nil {
		text = tok.then(text)
	}
	return text
}

// valid is a good token with one deviation.
func valid(t *testing.T, deviate func(*token)) string {
	t.Helper()
	ours, _ := rings()
	tok := token{
		header: map[string]any{"alg": "RS256", "typ": "at+jwt", "kid": ours.Active().KeyID()},
		claims: map[string]any{
			"iss": issuerURL, "sub": "people|alice", "aud": []string{resourceURL}, "client_id": "agent", "scope": "todo:read",
			"iat": now.Unix(), "exp": now.Add(15 * time.Minute).Unix(), "jti": "jti-1",
		},
		signer: signedBy(t, ours),
	}
	if deviate != nil {
		deviate(&tok)
	}
	return tok.text(t)
}

func signedBy(t *testing.T, ring *keyring.Ring) func([]byte) []byte {
	return func(input []byte) []byte {
		signature, err := ring.Active().Sign(input)
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
}

func withHeader(name string, value any) func(*token) {
	return func(tok *token) { tok.header[name] = value }
}

func withClaim(name string, value any) func(*token) {
	return func(tok *token) { tok.claims[name] = value }
}

func without(part func(*token) map[string]any, name string) func(*token) {
	return func(tok *token) { delete(part(tok), name) }
}

func headerOf(tok *token) map[string]any { return tok.header }
func claimsOf(tok *token) map[string]any { return tok.claims }

// changed replaces a character in the middle of one part.
func changed(part int) func(*token) {
	return func(tok *token) {
		tok.then = func(text string) string {
			parts := strings.Split(text, ".")
			i := len(parts[part]) / 2
			c := "A"
			if parts[part][i] == 'A' {
				c = "B"
			}
			parts[part] = parts[part][:i] + c + parts[part][i+1:]
			return strings.Join(parts, ".")
		}
	}
}

func publicOf(ring *keyring.Ring) *rsa.PublicKey { return ring.JWKS().Keys[0].Key.(*rsa.PublicKey) }

func derOf(t *testing.T, ring *keyring.Ring) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(publicOf(ring))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// unsigned names an algorithm and leaves the signature out.
func unsigned(alg string) func(*token) {
	return func(tok *token) { tok.header["alg"], tok.signer = alg, nil }
}

// hmacWith signs with what everybody knows, as if it were a shared secret.
func hmacWith(key []byte) func(*token) {
	return func(tok *token) {
		tok.header["alg"] = "HS256"
		tok.signer = func(input []byte) []byte {
			mac := hmac.New(sha256.New, key)
			mac.Write(input)
			return mac.Sum(nil)
		}
	}
}

// afterSigning deviates from what the signature covers.
func afterSigning(t *testing.T, deviate func(*token)) func(*token) {
	return func(tok *token) {
		signature := tok.signer(tok.input(t))
		deviate(tok)
		tok.signer = func([]byte) []byte { return signature }
	}
}

// certificate is a stranger's, as an x5c header carries it.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: now}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}
