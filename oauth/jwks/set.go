package jwks

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
)

// MaxSize bounds a JWKS document, in bytes.
const MaxSize = 256 << 10

// maxKeyIDLength bounds a "kid" that we are willing to remember.
const maxKeyIDLength = 256

// minRSABits is the least that RFC 7518 §3.3 allows.
const minRSABits = 2048

// Set is an immutable set of public keys that verify signatures.
type Set struct {
	keys map[string]jose.JSONWebKey
}

// Parse reads a JWK Set. Keys that cannot verify a signature that we would
// accept are passed over, as RFC 7517 §5 asks: symmetric and private keys, keys
// for encryption, unknown types, RSA below 2048 bits, keys without a "kid". Of
// two keys with one kid the first counts. A document with no usable key at all
// is an error, so that it cannot replace one that works.
func Parse(data []byte) (*Set, error) {
	if len(data) > MaxSize {
		return nil, errors.New("the key set is too large")
	}
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, errors.New("the key set is not a JSON object with an array of keys")
	}
	set := &Set{keys: make(map[string]jose.JSONWebKey, len(document.Keys))}
	for _, raw := range document.Keys {
		key, ok := parseKey(raw)
		if _, taken := set.keys[key.KeyID]; ok && !taken {
			set.keys[key.KeyID] = key
		}
	}
	if len(set.keys) == 0 {
		return nil, errors.New("the key set holds no key that could verify a signature")
	}
	return set, nil
}

func parseKey(raw json.RawMessage) (jose.JSONWebKey, bool) {
	var key jose.JSONWebKey
	var usage struct {
		Operations []string `json:"key_ops"`
	}
	if json.Unmarshal(raw, &key) != nil || json.Unmarshal(raw, &usage) != nil {
		return jose.JSONWebKey{}, false
	}
	switch {
	case key.KeyID == "", len(key.KeyID) > maxKeyIDLength,
		key.Use != "" && key.Use != "sig",
		usage.Operations != nil && !slices.Contains(usage.Operations, "verify"),
		!verifies(key.Key):
		return jose.JSONWebKey{}, false
	}
	return key, true
}

// verifies keeps to asymmetric public keys: a symmetric one in a public document
// would let anybody sign, and a private one has been lost.
func verifies(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSABits
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	default:
		return false
	}
}

// Key returns the key with the id, or accesstoken.ErrUnknownKey.
func (s *Set) Key(_ context.Context, kid string) (jose.JSONWebKey, error) {
	key, ok := s.keys[kid]
	if !ok {
		return jose.JSONWebKey{}, accesstoken.ErrUnknownKey
	}
	return key, nil
}

// Len is the number of usable keys.
func (s *Set) Len() int { return len(s.keys) }
