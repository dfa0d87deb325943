package jwks

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
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

// minRSABits is the least that RFC 7518 §3.3 allows; maxRSABits bounds what one
// verification costs.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// maxCandidates bounds how many keys a signature without a "kid" is tried with.
const maxCandidates = 8

// Set is an immutable set of public keys that verify signatures.
type Set struct {
	keys map[string]jose.JSONWebKey
	// ordered are all of them as the document has them, with those that have no
	// "kid".
	ordered []jose.JSONWebKey
}

// Parse reads a JWK Set. Keys that cannot verify a signature that we would
// accept are passed over, as RFC 7517 §5 asks: symmetric and private keys, keys
// for encryption, unknown types, RSA below 2048 or above 8192 bits, keys without a
// "kid". Of two keys with one kid the first counts. A document with no usable key
// at all is an error, so that it cannot replace one that works.
func Parse(data []byte) (*Set, error) { return parse(data, false) }

// ParseWithUnnamed is Parse, but keeps keys without a "kid" too, which RFC 7517
// §4.5 makes optional. Candidates alone offers them.
func ParseWithUnnamed(data []byte) (*Set, error) { return parse(data, true) }

func parse(data []byte, unnamed bool) (*Set, error) {
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
		_, taken := set.keys[key.KeyID]
		if !ok || taken || key.KeyID == "" && !unnamed {
			continue
		}
		set.ordered = append(set.ordered, key)
		if key.KeyID != "" {
			set.keys[key.KeyID] = key
		}
	}
	if len(set.ordered) == 0 {
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
	case len(key.KeyID) > maxKeyIDLength,
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
		return k.N.BitLen() >= minRSABits && k.N.BitLen() <= maxRSABits
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

// Candidates returns the keys that may have made a signature of the algorithm: the
// one of the "kid", or where that is empty every one that fits, at most 8 of them.
// Where there is none it fails with accesstoken.ErrUnknownKey.
func (s *Set) Candidates(_ context.Context, kid, algorithm string) ([]jose.JSONWebKey, error) {
	found := s.candidates(kid, algorithm)
	if len(found) == 0 {
		return nil, accesstoken.ErrUnknownKey
	}
	return found, nil
}

func (s *Set) candidates(kid, algorithm string) []jose.JSONWebKey {
	if kid != "" {
		if key, ok := s.keys[kid]; ok && fits(key, algorithm) {
			return []jose.JSONWebKey{key}
		}
		return nil
	}
	var found []jose.JSONWebKey
	for _, key := range s.ordered {
		if fits(key, algorithm) && len(found) < maxCandidates {
			found = append(found, key)
		}
	}
	return found
}

// fits reports whether the key verifies signatures of the algorithm (RFC 7518
// §3.1, RFC 8037 §3.1).
func fits(key jose.JSONWebKey, algorithm string) bool {
	if key.Algorithm != "" && key.Algorithm != algorithm {
		return false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return slices.Contains([]string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, algorithm)
	case *ecdsa.PublicKey:
		return k.Curve == curves[algorithm]
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	default:
		return false
	}
}

// curves are those of the ECDSA algorithms (RFC 7518 §3.4).
var curves = map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}

// Len is the number of usable keys.
func (s *Set) Len() int { return len(s.ordered) }
