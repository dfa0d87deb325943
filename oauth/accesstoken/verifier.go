package accesstoken

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	lru "github.com/hashicorp/golang-lru/v2"
)

// MaxTokenLength bounds the text that Verify will look at, in bytes.
const MaxTokenLength = 16 << 10

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
	ErrRevoked    = fmt.Errorf("%w: it was revoked", ErrInvalid)
)

// ErrKeysUnavailable says that no key set could be had, or none since the token's
// key may have been published: the token may be good, and the caller should
// answer 503 rather than 401.
var ErrKeysUnavailable = errors.New("the issuer's keys could not be fetched")

// ErrRevocationsUnavailable says that what was revoked of late is not known: the token
// may be good, and the caller should answer 503 rather than 401.
var ErrRevocationsUnavailable = errors.New("it is not known what was revoked")

// KeySource finds the public key for a token's "kid". It returns ErrUnknownKey
// for a key that the issuer does not publish and ErrKeysUnavailable when it
// cannot know. It must bound what an unknown kid costs, since strangers choose it, and
// be quick about a known one: it is asked for each use of a token.
type KeySource interface {
	Key(ctx context.Context, kid string) (jose.JSONWebKey, error)
}

// Revocations is what was revoked; a revocation.Set is one. Contains reports whether it
// holds one of the ids. It must be quick, and neither keep nor change them.
type Revocations interface {
	Contains(ids ...string) bool
}

// Verifier checks access tokens for one resource. Its fields are set before the
// first use and not changed after; it is then safe for concurrent use and must not be
// copied.
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

	// Revocations are asked whether a token's grant or the token itself was revoked;
	// nil means that tokens live until they expire.
	Revocations Revocations
	// Fresh says why Revocations may lack something, or nil where they are up to date;
	// with an error every token is refused with ErrRevocationsUnavailable. It is asked
	// for each token and must be quick. A nil Fresh goes by what Revocations hold,
	// however old they are.
	Fresh func() error

	// CacheSize is how many verified tokens are remembered, so that their next use
	// costs no verification of a signature; zero means none. Each takes about as much
	// memory as its text, whose hash alone is kept.
	CacheSize int

	making sync.Once
	cache  *lru.Cache[hash, *verified] // makeCache
}

// Verify returns the claims of a valid token. Its errors wrap ErrInvalid,
// ErrKeysUnavailable or ErrRevocationsUnavailable and never quote the token. The claims
// are shared with everybody who presents the token: they are only read.
//
// A token that is bound to a key is valid here whoever sends it. Where the claims
// have a KeyThumbprint, the caller must demand proof of that key before it serves
// the request (RFC 9449 §7.1), as a Guard does.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Claims, error) {
	token, err := v.verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	return token.claims, nil
}

// verified is a token whose signature holds and which is from an issuer of ours and
// for us: what does not change any more. It is immutable.
type verified struct {
	claims    *Claims
	notBefore time.Time
	by        signer
	// ids are those that revoke it, gathered once so that asking costs nothing.
	ids []string
}

// read verifies a token but for what may change while it lives.
func (v *Verifier) read(ctx context.Context, raw string) (*verified, error) {
	payload, by, err := v.verifySignature(ctx, raw)
	if err != nil {
		return nil, err
	}
	claims, notBefore, err := decode(payload)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	case !slices.Contains(v.Issuers, claims.Issuer):
		return nil, ErrIssuer
	case !slices.ContainsFunc(v.Audiences, func(name string) bool { return slices.Contains(claims.Audience, name) }):
		return nil, ErrAudience
	}
	token := &verified{claims: claims, notBefore: notBefore, by: by, ids: []string{claims.ID}}
	if claims.GrantID != "" {
		token.ids = append(token.ids, claims.GrantID)
	}
	return token, nil
}

// inForce checks what may change while a token lives: the time, and whether it was
// revoked. What is known to be revoked is so however old that knowledge is.
func (v *Verifier) inForce(token *verified) error {
	now, skew := time.Now, v.Skew
	if v.Now != nil {
		now = v.Now
	}
	if skew == 0 {
		skew = defaultSkew
	}
	at := now()
	latest := at.Add(skew)
	switch {
	case !at.Add(-skew).Before(token.claims.Expiry):
		return ErrExpired
	case token.claims.IssuedAt.After(latest), token.notBefore.After(latest):
		return ErrNotYet
	case v.Revocations != nil && v.Revocations.Contains(token.ids...):
		return ErrRevoked
	case v.Fresh == nil:
		return nil
	}
	if err := v.Fresh(); err != nil {
		return fmt.Errorf("%w: %w", ErrRevocationsUnavailable, err)
	}
	return nil
}
