// Package credential makes and checks client secrets.
//
// A secret is 256 random bits, so one SHA-256 is all that a stored form needs:
// there is nothing to guess, and a slow hash would only let strangers burn our
// CPU at the token endpoint. Secrets live in the hands of their owners; every
// store and mirror of this project keeps a Hash.
package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// MinSecretLength is the least length of a secret that was not generated here.
const MinSecretLength = 32

const hashPrefix = "sha256:"

// Hash is the stored form of a secret. The zero value matches nothing.
type Hash struct {
	sum [sha256.Size]byte
	set bool
}

// Random returns n random bytes in unpadded base64url. It is the one source of
// identifiers and secrets that must not be guessed.
func Random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand aborts the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// NewSecret makes a client secret of 256 bits.
func NewSecret() string { return "mcpsec_" + Random(32) }

// HashOf is the stored form of secret.
func HashOf(secret string) Hash { return Hash{sum: sha256.Sum256([]byte(secret)), set: true} }

// ParseHash reads what String writes.
func ParseHash(text string) (Hash, error) {
	digits, ok := strings.CutPrefix(text, hashPrefix)
	if !ok {
		return Hash{}, fmt.Errorf("a secret's hash must begin with %q", hashPrefix)
	}
	sum, err := hex.DecodeString(digits)
	if err != nil || len(sum) != sha256.Size {
		return Hash{}, fmt.Errorf("a secret's hash must hold %d hexadecimal digits", 2*sha256.Size)
	}
	return Hash{sum: [sha256.Size]byte(sum), set: true}, nil
}

// Matches reports, in constant time, whether secret is the hashed one.
func (h Hash) Matches(secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	return h.set && subtle.ConstantTimeCompare(h.sum[:], sum[:]) == 1
}

// String is "sha256:" and the hexadecimal digest.
func (h Hash) String() string {
	if !h.set {
		return ""
	}
	return hashPrefix + hex.EncodeToString(h.sum[:])
}
