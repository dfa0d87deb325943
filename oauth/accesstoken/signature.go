package accesstoken

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// maxKeyIDLength bounds what a stranger can make the key source look up.
const maxKeyIDLength = 256

// defaultAlgorithms are what an authorization server of ours signs with.
var defaultAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA}

// signer is what a token says of its signature, and the key that it was verified with.
type signer struct {
	kid, algorithm string
	key            any
}

// find looks the key up. It must be of the kind that the algorithm is for, and
// published for it where its issuer says for which.
func (s *signer) find(ctx context.Context, keys KeySource) error {
	key, err := keys.Key(ctx, s.kid)
	if err != nil {
		return err
	}
	if key.Algorithm != "" && key.Algorithm != s.algorithm || !fits(key.Key, s.algorithm) {
		return ErrSignature
	}
	s.key = key.Key
	return nil
}

// verifySignature returns what a token's signature covers, and who made it.
func (v *Verifier) verifySignature(ctx context.Context, raw string) (payload []byte, by signer, err error) {
	// RFC 7515 §2 knows no line breaks; the decoder would skip them.
	if raw == "" || len(raw) > MaxTokenLength || strings.ContainsAny(raw, "\r\n") {
		return nil, signer{}, ErrMalformed
	}
	algorithms := v.Algorithms
	if algorithms == nil {
		algorithms = defaultAlgorithms
	}
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, signer{}, ErrMalformed
	}
	head := jws.Signatures[0].Protected
	if bringsKey(raw) {
		return nil, signer{}, ErrMalformed
	}
	if typ, _ := head.ExtraHeaders[jose.HeaderType].(string); !isAccessTokenType(typ) {
		return nil, signer{}, ErrType
	}
	if head.KeyID == "" || len(head.KeyID) > maxKeyIDLength {
		return nil, signer{}, ErrUnknownKey
	}
	by = signer{kid: head.KeyID, algorithm: head.Algorithm}
	if err := by.find(ctx, v.Keys); err != nil {
		return nil, signer{}, err
	}
	payload, err = jws.Verify(by.key)
	if err != nil {
		return nil, signer{}, ErrSignature
	}
	return payload, by, nil
}

// fits reports whether a key is of the kind that the algorithm is for (RFC 8725
// §3.1): the token chooses the algorithm, and must not choose what a key means.
func fits(key any, algorithm string) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return algorithm == string(jose.ES256)
		case elliptic.P384():
			return algorithm == string(jose.ES384)
		case elliptic.P521():
			return algorithm == string(jose.ES512)
		}
		return false
	case ed25519.PublicKey:
		return algorithm == string(jose.EdDSA) && len(k) == ed25519.PublicKeySize
	default:
		return false
	}
}

// bringsKey reports whether a token's header brings a key or names one by
// anything but "kid", or asks for extensions (RFC 7515 §4.1). It reads the text
// itself, because the parsed header does not show all of these.
func bringsKey(raw string) bool {
	text, _, _ := strings.Cut(raw, ".")
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return true
	}
	var head map[string]json.RawMessage
	if err := json.Unmarshal(data, &head); err != nil {
		return true
	}
	for _, name := range []string{"jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64"} {
		if _, ok := head[name]; ok {
			return true
		}
	}
	return false
}

// isAccessTokenType accepts the short and the full media type (RFC 9068 §4).
func isAccessTokenType(typ string) bool {
	return strings.EqualFold(typ, Type) || strings.EqualFold(typ, "application/"+Type)
}

// sameKey reports whether two public keys of kinds that fit are plainly one: the same
// pointer, or numbers that are as quick to compare.
func sameKey(a, b any) bool {
	if a, ok := a.(ed25519.PublicKey); ok { // a slice, which == does not take
		return equalKeys(a, b)
	}
	return a == b
}

// equalKeys reports whether two public keys verify the same signatures.
func equalKeys(a, b any) bool {
	key, ok := a.(interface{ Equal(x crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
