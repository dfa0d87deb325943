package assertion

import (
	"encoding/base64"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// MaxLength bounds the text of an assertion, in bytes.
const MaxLength = 16 << 10

// maxKeyIDLength bounds what a stranger can make a key source look up.
const maxKeyIDLength = 256

// algorithms are those that are accepted. "none" and those of shared secrets are
// not among them (RFC 8725 §3.1, §3.2).
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// Algorithms are the names of those that Verify accepts, for metadata. The slice is
// the caller's own.
func Algorithms() []string {
	names := make([]string, 0, len(algorithms))
	for _, algorithm := range algorithms {
		names = append(names, string(algorithm))
	}
	return names
}

// header is what counts of a JOSE header.
type header struct {
	algorithm, keyID string
	// typ is "typ", and typed says that there is one.
	typ   string
	typed bool
}

// split reads header and claims. Only one text decodes to each: no line breaks, no
// padding, no stray bits.
func split(raw string) (head, claims map[string]any, err error) {
	if len(raw) > MaxLength || strings.ContainsAny(raw, "\r\n") {
		return nil, nil, ErrMalformed
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, nil, ErrMalformed
	}
	var decoded [3][]byte
	for i, part := range parts {
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return nil, nil, ErrMalformed
		}
	}
	if head, err = ParseObject(decoded[0]); err != nil {
		return nil, nil, ErrMalformed
	}
	if claims, err = ParseObject(decoded[1]); err != nil {
		return nil, nil, ErrMalformed
	}
	return head, claims, nil
}

// readHeader refuses headers that bring a key or say where one is, and such that
// ask for extensions (RFC 8725 §3.10, RFC 7515 §4.1.11, RFC 7797 §3). A thumbprint
// of a certificate ("x5t") is a hint that changes nothing.
func readHeader(members map[string]any) (header, error) {
	for _, name := range []string{"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"} {
		if _, ok := members[name]; ok {
			return header{}, ErrMalformed
		}
	}
	var h header
	var isText, named bool
	if h.algorithm, isText = members["alg"].(string); !isText {
		return header{}, ErrMalformed
	}
	if _, named = members["kid"]; named {
		if h.keyID, isText = members["kid"].(string); !isText || h.keyID == "" {
			return header{}, ErrMalformed
		}
	}
	if _, h.typed = members["typ"]; h.typed {
		if h.typ, isText = members["typ"].(string); !isText {
			return header{}, ErrType
		}
	}
	return h, nil
}

// Peek reads who an assertion says it is from and about, and its "typ", without
// verifying anything: it serves to choose the keys and the Kind for Verify. What
// is absent or no string is empty.
func Peek(raw string) (issuer, subject, typ string, err error) {
	head, claims, err := split(raw)
	if err != nil {
		return "", "", "", err
	}
	typ, _ = head["typ"].(string)
	issuer, _ = claims["iss"].(string)
	subject, _ = claims["sub"].(string)
	return issuer, subject, typ, nil
}
