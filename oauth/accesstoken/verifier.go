package accesstoken

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// MaxTokenLength bounds the text that Verify will look at, in bytes.
const MaxTokenLength = 16 << 10

// maxKeyIDLength bounds what a stranger can make the key source look up.
const maxKeyIDLength = 256

// defaultSkew is how far two honest clocks may differ.
const defaultSkew = 30 * time.Second

// The reasons for which Verify refuses a token. All wrap ErrInvalid.
var (
	ErrInvalid    = errors.New("the access token is invalid")
	ErrMalformed  = fmt.Errorf("%w: it is not a JWS that this server accepts", ErrInvalid)
	ErrType       = fmt.Errorf("%w: its type is not %s", ErrInvalid, Type)
	ErrUnknownKey = fmt.Errorf("%w: it is signed by a key that its issuer does not publish", ErrInvalid)
	ErrSignature  = fmt.Errorf("%w: its signature does not hold", ErrInvalid)
	ErrIssuer     = fmt.Errorf("%w: it is from another issuer", ErrInvalid)
	ErrAudience   = fmt.Errorf("%w: it is for another resource", ErrInvalid)
	ErrExpired    = fmt.Errorf("%w: it has expired", ErrInvalid)
	ErrNotYet     = fmt.Errorf("%w: it is not valid yet", ErrInvalid)
)

// ErrKeysUnavailable says that no key set could be had, or none since the token's
// key may have been published: the token may be good, and the caller should
// answer 503 rather than 401.
var ErrKeysUnavailable = errors.New("the issuer's keys could not be fetched")

// KeySource finds the public key for a token's "kid". It returns ErrUnknownKey
// for a key that the issuer does not publish and ErrKeysUnavailable when it
// cannot know. It must bound what an unknown kid costs, since strangers choose it.
type KeySource interface {
	Key(ctx context.Context, kid string) (jose.JSONWebKey, error)
}

// Verifier checks access tokens for one resource. Its fields are set before the
// first use and not changed after; it is then safe for concurrent use.
type Verifier struct {
	// Issuers are the accepted values of "iss", compared byte for byte.
	Issuers []string
	// Audiences are our names: a token must carry at least one of them in "aud".
	Audiences []string
	Keys      KeySource
	// Algorithms are those accepted; nil means RS256, ES256 and EdDSA. Whatever is
	// accepted, a key verifies its own algorithm alone: an RSA key never ES256, and a
	// key that is published for RS256 nothing else.
	Algorithms []jose.SignatureAlgorithm
	// Skew is the tolerated difference of clocks; zero means 30 s.
	Skew time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// defaultAlgorithms are what an authorization server of ours signs with.
var defaultAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA}

// Verify returns the claims of a valid token. Its errors wrap ErrInvalid or
// ErrKeysUnavailable and never quote the token.
//
// A token that is bound to a key is valid here whoever sends it. Where the claims
// have a KeyThumbprint, the caller must demand proof of that key before it serves
// the request (RFC 9449 §7.1); package dpop verifies it.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Claims, error) {
	payload, err := v.verifySignature(ctx, raw)
	if err != nil {
		return nil, err
	}
	claims, notBefore, err := decode(payload)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := v.check(claims, notBefore); err != nil {
		return nil, err
	}
	return claims, nil
}

func (v *Verifier) verifySignature(ctx context.Context, raw string) ([]byte, error) {
	// RFC 7515 §2 knows no line breaks; the decoder would skip them.
	if raw == "" || len(raw) > MaxTokenLength || strings.ContainsAny(raw, "\r\n") {
		return nil, ErrMalformed
	}
	algorithms := v.Algorithms
	if algorithms == nil {
		algorithms = defaultAlgorithms
	}
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, ErrMalformed
	}
	head := jws.Signatures[0].Protected
	if bringsKey(raw) {
		return nil, ErrMalformed
	}
	if typ, _ := head.ExtraHeaders[jose.HeaderType].(string); !isAccessTokenType(typ) {
		return nil, ErrType
	}
	if head.KeyID == "" || len(head.KeyID) > maxKeyIDLength {
		return nil, ErrUnknownKey
	}
	key, err := v.Keys.Key(ctx, head.KeyID)
	if err != nil {
		return nil, err
	}
	if key.Algorithm != "" && key.Algorithm != head.Algorithm || !fits(key.Key, head.Algorithm) {
		return nil, ErrSignature
	}
	payload, err := jws.Verify(key.Key)
	if err != nil {
		return nil, ErrSignature
	}
	return payload, nil
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

func (v *Verifier) check(claims *Claims, notBefore time.Time) error {
	now, skew := time.Now, v.Skew
	if v.Now != nil {
		now = v.Now
	}
	if skew == 0 {
		skew = defaultSkew
	}
	at := now()
	switch {
	case !slices.Contains(v.Issuers, claims.Issuer):
		return ErrIssuer
	case !slices.ContainsFunc(v.Audiences, func(name string) bool { return slices.Contains(claims.Audience, name) }):
		return ErrAudience
	case !at.Add(-skew).Before(claims.Expiry):
		return ErrExpired
	case claims.IssuedAt.After(at.Add(skew)), notBefore.After(at.Add(skew)):
		return ErrNotYet
	}
	return nil
}
