package keyring

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Algorithm is a JWS algorithm (RFC 7518) with which a ring signs.
type Algorithm string

// RS256 is what every MCP client and validating library understands.
const RS256 Algorithm = "RS256"

const rsaBits = 2048

// KeyID names a signing key: the "kid" of the tokens it signs.
type KeyID string

// Phase is where a signing key is in its life.
type Phase string

// The phases, in the order in which a key passes through them.
const (
	Pending Phase = "Pending"
	Active  Phase = "Active"
	Retired Phase = "Retired"
)

// Key is one signing key. It is safe for concurrent use.
type Key struct {
	ID        KeyID
	Algorithm Algorithm
	Phase     Phase
	// Created is when the key was made and first published.
	Created time.Time
	// Activated is when it began to sign; zero while it is pending.
	Activated time.Time
	// Retired is when it stopped; zero until then.
	Retired time.Time

	private *rsa.PrivateKey
}

func newKey(alg Algorithm, now time.Time) (Key, error) {
	if alg != RS256 {
		return Key{}, fmt.Errorf("signing algorithm %q is not supported; use RS256", alg)
	}
	private, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return Key{}, fmt.Errorf("generate an RSA key: %w", err)
	}
	return makeKey(alg, private, now)
}

// makeKey derives the key's id from its public half, so that the same key can
// never appear under two names.
func makeKey(alg Algorithm, private *rsa.PrivateKey, created time.Time) (Key, error) {
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return Key{}, fmt.Errorf("encode a public key: %w", err)
	}
	sum := sha256.Sum256(der)
	id := KeyID(base64.RawURLEncoding.EncodeToString(sum[:12]))
	return Key{ID: id, Algorithm: alg, Phase: Pending, Created: created.UTC().Truncate(time.Second), private: private}, nil
}

// KeyID is the "kid" of the key's tokens.
func (k *Key) KeyID() string { return string(k.ID) }

// SigningAlgorithm is the "alg" of the key's tokens.
func (k *Key) SigningAlgorithm() string { return string(k.Algorithm) }

// Sign returns the JWS signature over input (RFC 7518 §3.3).
func (k *Key) Sign(input []byte) ([]byte, error) {
	if k.private == nil {
		return nil, errors.New("the key has no private half")
	}
	digest := sha256.Sum256(input)
	return rsa.SignPKCS1v15(nil, k.private, crypto.SHA256, digest[:])
}

// Public is the key as the JWKS publishes it.
func (k *Key) Public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.Public(), KeyID: string(k.ID), Algorithm: string(k.Algorithm), Use: "sig"}
}
