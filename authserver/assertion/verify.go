package assertion

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
)

// skew is how far two honest clocks may differ.
const skew = 30 * time.Second

// The reasons for which Verify refuses an assertion. All wrap ErrInvalid, and their
// text may be read by whoever sent it.
var (
	ErrInvalid   = errors.New("the assertion is invalid")
	ErrMalformed = fmt.Errorf("%w: it is not a JWS that this server accepts", ErrInvalid)
	ErrType      = fmt.Errorf("%w: its typ is not the one of such assertions", ErrInvalid)
	ErrKey       = fmt.Errorf("%w: it is signed by a key that its issuer does not publish for its algorithm", ErrInvalid)
	ErrSignature = fmt.Errorf("%w: its signature does not hold", ErrInvalid)
	ErrClaims    = fmt.Errorf("%w: a claim that is required is missing, or one has the wrong type", ErrInvalid)
	ErrIssuer    = fmt.Errorf("%w: it is from another issuer", ErrInvalid)
	ErrSubject   = fmt.Errorf("%w: it is about somebody else", ErrInvalid)
	ErrAudience  = fmt.Errorf("%w: its aud does not name this server", ErrInvalid)
	ErrExpired   = fmt.Errorf("%w: it has expired", ErrInvalid)
	ErrNotYet    = fmt.Errorf("%w: it is not valid yet", ErrInvalid)
	ErrLifetime  = fmt.Errorf("%w: it is valid for too long", ErrInvalid)
)

// ErrKeysUnavailable says that the signer's keys could not be had: the assertion
// may be good, and the caller should answer 503.
var ErrKeysUnavailable = accesstoken.ErrKeysUnavailable

// Keys finds the keys that may have made a signature: a jwks.Set and a jwks.Remote
// are Keys. It returns accesstoken.ErrUnknownKey where there is none and
// ErrKeysUnavailable where it cannot know, and bounds what an unknown kid costs.
type Keys interface {
	Candidates(ctx context.Context, kid, algorithm string) ([]jose.JSONWebKey, error)
}

// Expectation is what an assertion must say.
type Expectation struct {
	Kind Kind
	// Issuer is its "iss", byte for byte. Empty accepts none.
	Issuer string
	// Subject is its "sub", byte for byte; empty means whoever.
	Subject string
	// Audiences are our names: it must carry at least one of them in "aud". Empty
	// accepts none.
	Audiences []string
	// SoleAudience refuses an assertion that names anybody beside us, who could use
	// it here (draft-ietf-oauth-rfc7523bis).
	SoleAudience bool
	// Now is the time at which it must be valid; zero means now.
	Now time.Time
}

// Verify returns a valid assertion (RFC 7523 §3). Its errors wrap ErrInvalid or
// ErrKeysUnavailable and never quote the text. It changes nothing: that "jti" was
// not used before is the caller's to check, last of all.
func Verify(ctx context.Context, raw string, keys Keys, e Expectation) (*Assertion, error) {
	members, claims, err := split(raw)
	if err != nil {
		return nil, err
	}
	head, err := readHeader(members)
	if err != nil {
		return nil, err
	}
	if !e.Kind.allows(head.typ, head.typed) {
		return nil, ErrType
	}
	if err := verifySignature(ctx, raw, head, keys); err != nil {
		return nil, err
	}
	a, notBefore, err := read(e.Kind, claims)
	if err != nil {
		return nil, err
	}
	if err := e.check(a, notBefore); err != nil {
		return nil, err
	}
	return a, nil
}

func verifySignature(ctx context.Context, raw string, head header, keys Keys) error {
	algorithm := jose.SignatureAlgorithm(head.algorithm)
	if !slices.Contains(algorithms, algorithm) {
		return ErrMalformed
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{algorithm})
	if err != nil || len(jws.Signatures) != 1 {
		return ErrMalformed
	}
	if len(head.keyID) > maxKeyIDLength {
		return ErrKey
	}
	candidates, err := keys.Candidates(ctx, head.keyID, head.algorithm)
	if errors.Is(err, accesstoken.ErrUnknownKey) {
		return ErrKey
	}
	if err != nil {
		return err
	}
	for _, key := range candidates {
		if _, err := jws.Verify(key.Key); err == nil {
			return nil
		}
	}
	return ErrSignature
}

// read takes the registered claims (RFC 7519 §4.1) out of the others.
func read(kind Kind, claims map[string]any) (a *Assertion, notBefore time.Time, err error) {
	a = &Assertion{Kind: kind, Claims: claims}
	a.Issuer, a.Subject, a.ID = a.Text("iss"), a.Text("sub"), a.Text("jti")
	var hasAudience, expires bool
	a.Audience, hasAudience = audience(claims["aud"])
	a.Expires, expires = a.Time("exp")
	_, hasID := claims["jti"]
	switch {
	case a.Issuer == "", a.Subject == "", !hasAudience, !expires,
		a.ID == "" && (hasID || kind.needsID()):
		return nil, time.Time{}, ErrClaims
	}
	var issued, begins bool
	a.IssuedAt, issued = a.Time("iat")
	notBefore, begins = a.Time("nbf")
	if _, there := claims["iat"]; there != issued {
		return nil, time.Time{}, ErrClaims
	}
	if _, there := claims["nbf"]; there != begins {
		return nil, time.Time{}, ErrClaims
	}
	return a, notBefore, nil
}

// audience reads one string or an array of them (RFC 7519 §4.1.3).
func audience(claim any) (names []string, ok bool) {
	if one, isText := claim.(string); isText {
		return []string{one}, one != ""
	}
	items, _ := claim.([]any)
	for _, item := range items {
		name, isText := item.(string)
		if !isText || name == "" {
			return nil, false
		}
		names = append(names, name)
	}
	return names, len(names) > 0
}

func (e Expectation) check(a *Assertion, notBefore time.Time) error {
	at := e.Now
	if at.IsZero() {
		at = time.Now()
	}
	isUs := func(name string) bool { return slices.Contains(e.Audiences, name) }
	switch {
	case a.Issuer != e.Issuer:
		return ErrIssuer
	case e.Subject != "" && a.Subject != e.Subject:
		return ErrSubject
	case !slices.ContainsFunc(a.Audience, isUs), e.SoleAudience && len(a.Audience) > 1:
		return ErrAudience
	case !at.Add(-skew).Before(a.Expires):
		return ErrExpired
	case a.IssuedAt.After(at.Add(skew)), notBefore.After(at.Add(skew)):
		return ErrNotYet
	case a.Expires.After(at.Add(e.Kind.maxLifetime() + skew)):
		return ErrLifetime
	}
	return nil
}
