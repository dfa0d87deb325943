package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
)

// Algorithm is a JWS algorithm with which a ring signs.
type Algorithm string

// The algorithms.
const (
	// RS256 is what every MCP client and validating library understands: RSA with
	// 2048 bits, PKCS #1 v1.5 and SHA-256 (RFC 7518 §3.3).
	RS256 Algorithm = "RS256"
	// ES256 is ECDSA on P-256 with SHA-256 (RFC 7518 §3.4).
	ES256 Algorithm = "ES256"
	// EdDSA is Ed25519 (RFC 8037 §3.1).
	EdDSA Algorithm = "EdDSA"
)

// The least and the most bits of an RSA key: RFC 7518 §3.3 allows no less, and
// verifiers in the field, ours among them, take no more.
const (
	rsaBits    = 2048
	maxRSABits = 4096
)

// generate makes a private key for the algorithm.
func (alg Algorithm) generate() (crypto.Signer, error) {
	var private crypto.Signer
	var err error
	switch alg {
	case RS256:
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, fmt.Errorf("signing algorithm %q is not supported; use RS256, ES256 or EdDSA", alg)
	}
	if err != nil {
		return nil, fmt.Errorf("generate a key for %s: %w", alg, err)
	}
	return private, nil
}

// check says why a private key cannot sign with the algorithm.
func (alg Algorithm) check(private any) (crypto.Signer, error) {
	switch key := private.(type) {
	case *rsa.PrivateKey:
		if bits := key.N.BitLen(); alg == RS256 && (bits < rsaBits || bits > maxRSABits) {
			return nil, fmt.Errorf("the key has %d bits; it must have at least %d and at most %d", bits, rsaBits, maxRSABits)
		}
		if alg == RS256 {
			return key, nil
		}
	case *ecdsa.PrivateKey:
		if alg == ES256 && key.Curve == elliptic.P256() {
			return key, nil
		}
	case ed25519.PrivateKey:
		if alg == EdDSA {
			return key, nil
		}
	}
	return nil, fmt.Errorf("the key does not fit the algorithm %q", alg)
}
