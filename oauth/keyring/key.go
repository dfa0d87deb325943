package keyring

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

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

// Key is one signing key. It is safe for concurrent use, and a copy is the same
// key.
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

	private *private
}

// private is what a key's copies share.
type private struct {
	key     crypto.Signer
	backend backend
	turns   turns
	// heads has the encoded header for each "typ", with the dot behind it.
	heads memo[string]
}

// errNoPrivate is for the zero Key.
var errNoPrivate = errors.New("the key has no private half")

// makeKey derives the key's id from its public half, so that the same key can
// never appear under two names.
func (o Options) makeKey(alg Algorithm, key crypto.Signer, created time.Time, t turns) (Key, error) {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return Key{}, fmt.Errorf("encode a public key: %w", err)
	}
	b, err := o.backend(key)
	if err != nil {
		return Key{}, err
	}
	sum := sha256.Sum256(der)
	return Key{
		ID: KeyID(base64.RawURLEncoding.EncodeToString(sum[:12])), Algorithm: alg,
		Phase: Pending, Created: created.UTC().Truncate(time.Second),
		private: &private{key: key, backend: b, turns: t},
	}, nil
}

// KeyID is the "kid" of the key's tokens.
func (k *Key) KeyID() string { return string(k.ID) }

// SigningAlgorithm is the "alg" of the key's tokens.
func (k *Key) SigningAlgorithm() string { return string(k.Algorithm) }

// Backend says whose code signs, for logs and benchmarks: "openssl 3.0.19",
// "go crypto/rsa". It is empty for the zero Key.
func (k *Key) Backend() string {
	if k.private == nil {
		return ""
	}
	return k.private.backend.name()
}

// Sign returns the JWS signature over input (RFC 7515 §5.1).
func (k *Key) Sign(input []byte) ([]byte, error) {
	if k.private == nil {
		return nil, errNoPrivate
	}
	done, err := k.private.turns.take()
	if err != nil {
		return nil, err
	}
	defer done()
	return k.private.backend.sign(input)
}

// SignCompact returns payload as a compact JWS (RFC 7515 §7.1) whose header is the
// key's "alg" and "kid" and the given "typ"; an empty typ is left out. The typ
// must be one of a few that the caller's code names.
func (k *Key) SignCompact(typ string, payload []byte) (string, error) {
	if k.private == nil {
		return "", errNoPrivate
	}
	head, err := k.private.heads.of(typ, k.head)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	text := make([]byte, 0, len(head)+enc.EncodedLen(len(payload))+1+enc.EncodedLen(k.private.backend.size()))
	text = append(text, head...)
	text = enc.AppendEncode(text, payload)
	signature, err := k.Sign(text)
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", k.ID, err)
	}
	text = append(text, '.')
	return string(enc.AppendEncode(text, signature)), nil
}

// head is the encoded header with the dot behind it.
func (k *Key) head(typ string) (string, error) {
	head, err := json.Marshal(struct {
		Algorithm Algorithm `json:"alg"`
		KeyID     KeyID     `json:"kid"`
		Type      string    `json:"typ,omitempty"`
	}{k.Algorithm, k.ID, typ})
	if err != nil {
		return "", fmt.Errorf("encode a header: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(head) + ".", nil
}

// Public is the key as the JWKS publishes it.
func (k *Key) Public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.key.Public(), KeyID: string(k.ID), Algorithm: string(k.Algorithm), Use: "sig"}
}
