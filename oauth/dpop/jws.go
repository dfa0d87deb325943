package dpop

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA, jose.ES384}

// Algorithms are those that a proof may be signed with, for metadata and challenges:
// asymmetric ones alone (RFC 9449 §4.3, check 5).
func Algorithms() []string {
	names := make([]string, 0, len(algorithms))
	for _, algorithm := range algorithms {
		names = append(names, string(algorithm))
	}
	return names
}

// The least and the most bits of an RSA key. A stranger brings the key and we pay
// for the verification.
const (
	minRSABits = 2048
	maxRSABits = 4096
)

// signed is a proof whose signature holds.
type signed struct {
	key     *jose.JSONWebKey
	payload []byte
}

// open is checks 2 and 4 to 7 of RFC 9449 §4.3.
func open(raw string) (*signed, error) {
	// RFC 7515 §2 knows no line breaks; the decoder would skip them.
	if raw == "" || len(raw) > MaxSize || strings.ContainsAny(raw, "\r\n\t ") {
		return nil, ErrMalformed
	}
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, ErrMalformed
	}
	head := jws.Signatures[0].Protected
	key := head.JSONWebKey
	if key == nil || !plainHead(raw, head.Algorithm) || !fits(key.Key, head.Algorithm) {
		return nil, ErrMalformed
	}
	payload, err := jws.Verify(key.Key)
	if err != nil {
		return nil, ErrSignature
	}
	return &signed{key, payload}, nil
}

// plainHead reports whether the header has the type of a proof, no member twice, no
// extension, no way to a key but the embedded one, and whether that is for
// verifying with the algorithm. It reads the text itself, because the parsed header
// does not show all of these.
func plainHead(raw, algorithm string) bool {
	text, _, _ := strings.Cut(raw, ".")
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	head, ok := readObject(data)
	if !ok || head.text("typ") != Type {
		return false
	}
	key, ok := readObject(head["jwk"])
	if !ok || head.hasAny("jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64") {
		return false
	}
	return publicMembers(key, algorithm)
}

// publicMembers reports whether a key has nothing that is to be kept secret (check
// 7) and does not say that it is for something else.
func publicMembers(key object, algorithm string) bool {
	var operations []string
	if key.has("key_ops") && json.Unmarshal(key["key_ops"], &operations) != nil {
		return false
	}
	switch {
	case key.hasAny("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"):
		return false
	case key.has("key_ops") && !slices.Contains(operations, "verify"):
		return false
	case key.has("use") && key.text("use") != "sig":
		return false
	case key.has("alg") && key.text("alg") != algorithm:
		return false
	}
	return true
}

// fits reports whether a key is of the kind and the strength that the algorithm is
// for (RFC 8725 §3.1).
func fits(key any, algorithm string) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		return bits >= minRSABits && bits <= maxRSABits &&
			(algorithm == string(jose.RS256) || algorithm == string(jose.PS256))
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256() && algorithm == string(jose.ES256) ||
			k.Curve == elliptic.P384() && algorithm == string(jose.ES384)
	case ed25519.PublicKey:
		return len(k) == ed25519.PublicKeySize && algorithm == string(jose.EdDSA)
	default:
		return false
	}
}
