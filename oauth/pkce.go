package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
)

// ChallengeMethodS256 is the one code_challenge_method this project accepts
// (RFC 7636; OAuth 2.1 forbids less).
const ChallengeMethodS256 = "S256"

// challengeLength is the length of an unpadded base64url SHA-256.
const challengeLength = 43

// ValidCodeChallenge says why s is not an S256 code challenge, or nil.
func ValidCodeChallenge(s string) error {
	if len(s) != challengeLength || strings.ContainsAny(s, "\r\n") { // which the decoder would skip
		return errors.New("code_challenge is not the base64url SHA-256 of a verifier")
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(s); err != nil {
		return errors.New("code_challenge is not base64url without padding")
	}
	return nil
}

// ValidCodeVerifier says why s is not a code verifier of RFC 7636 §4.1, or nil.
func ValidCodeVerifier(s string) error {
	if len(s) < 43 || len(s) > 128 {
		return errors.New("code_verifier must have 43 to 128 characters")
	}
	for i := range len(s) {
		if !unreserved(s[i]) {
			return errors.New("code_verifier holds a character that RFC 7636 forbids")
		}
	}
	return nil
}

func unreserved(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	default:
		return c == '-' || c == '.' || c == '_' || c == '~'
	}
}

// CodeChallenge is the S256 challenge of a verifier.
func CodeChallenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// VerifyCodeChallenge reports, in constant time, whether verifier is well formed
// and answers challenge.
func VerifyCodeChallenge(challenge, verifier string) bool {
	if ValidCodeVerifier(verifier) != nil || challenge == "" {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(CodeChallenge(verifier)), []byte(challenge)) == 1
}
