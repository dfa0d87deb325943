//go:build cgo && linux

package keyring

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"strings"

	"github.com/golang-fips/openssl/v2"
	"github.com/golang-fips/openssl/v2/bbig"
)

// libcrypto is the library of OpenSSL 3, whose ABI stays the same within the
// major version.
const libcrypto = "libcrypto.so.3"

// openSSL signs RS256 with OpenSSL's code (RFC 7518 §3.3).
type openSSL struct {
	key   *openssl.PrivateKeyRSA
	bytes int
}

// newOpenSSL reports false where the library cannot be loaded, cannot take the key
// or does not sign as crypto/rsa verifies: none of that is a reason not to sign.
func newOpenSSL(private *rsa.PrivateKey) (backend, bool) {
	p := &private.Precomputed
	if len(private.Primes) != 2 || p.Dp == nil || p.Dq == nil || p.Qinv == nil {
		return nil, false
	}
	// The library is opened by the first call and stays open.
	if err := openssl.Init(libcrypto); err != nil {
		return nil, false
	}
	key, err := openssl.NewPrivateKeyRSA(
		bbig.Enc(private.N), exponent(private.E), bbig.Enc(private.D),
		bbig.Enc(private.Primes[0]), bbig.Enc(private.Primes[1]),
		bbig.Enc(p.Dp), bbig.Enc(p.Dq), bbig.Enc(p.Qinv))
	if err != nil {
		return nil, false
	}
	b := &openSSL{key: key, bytes: private.Size()}
	return b, b.holds(&private.PublicKey)
}

func exponent(e int) openssl.BigInt { return openssl.BigInt{uint(e)} }

// holds makes one signature and verifies it with other code.
func (b *openSSL) holds(public *rsa.PublicKey) bool {
	digest := sha256.Sum256(nil)
	signature, err := b.sign(nil)
	return err == nil && rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
}

func (b *openSSL) size() int { return b.bytes }

func (b *openSSL) sign(input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	return openssl.SignRSAPKCS1v15(b.key, crypto.SHA256, digest[:])
}

// name is "openssl" and the version, out of "OpenSSL 3.0.19 27 Jan 2026".
func (b *openSSL) name() string {
	version := strings.Fields(openssl.VersionText())
	if len(version) < 2 {
		return "openssl"
	}
	return "openssl " + version[1]
}
