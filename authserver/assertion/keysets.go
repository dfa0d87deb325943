package assertion

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/jwks"
	"github.com/mcpauth/mcpauth/oauth/outbound"
)

// How long key sets and discovery documents are kept.
const (
	minRefresh = time.Minute
	maxRefresh = time.Hour
	maxStale   = 24 * time.Hour
)

const (
	// maxDocument bounds key sets and discovery documents, in bytes.
	maxDocument = 64 << 10
	// fetchEvery and fetchBurst bound all fetches of one KeySets together.
	fetchEvery = 500 * time.Millisecond
	fetchBurst = 60
)

// KeySetsOptions say what a KeySets works with.
type KeySetsOptions struct {
	// Outbound fetches; it is required.
	Outbound *outbound.Client
	// Size is how many key sets are kept; the one that was used longest ago goes
	// first. It is required.
	Size int
	// Logger is told of failures; nil means silence.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// KeySets finds the keys of many signers. It runs nothing in the background: a set
// is fetched when it is first needed, when it is older than it says (between a
// minute and an hour), and, rarely, for an unknown kid. The last good one serves
// for a day while its host is away. It is safe for concurrent use.
type KeySets struct {
	options   KeySetsOptions
	transport http.RoundTripper
	remotes   *lru.Cache[string, *jwks.Remote]
	parsed    *lru.Cache[[sha256.Size]byte, Keys]
	// issuers holds where discovered issuers publish their keys.
	issuers *outbound.Cache[string]
}

// NewKeySets makes a KeySets that knows nothing yet.
func NewKeySets(o KeySetsOptions) *KeySets {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	k := &KeySets{options: o, transport: &bounded{
		next: o.Outbound.Transport(), limit: rate.NewLimiter(rate.Every(fetchEvery), fetchBurst), now: o.Now,
	}}
	k.remotes, _ = lru.New[string, *jwks.Remote](max(o.Size, 1)) // fails below 1 alone
	k.parsed, _ = lru.New[[sha256.Size]byte, Keys](max(o.Size, 1))
	k.issuers = outbound.NewCache(outbound.CacheOptions{
		Size: o.Size, MinAge: minRefresh, MaxAge: maxRefresh, MaxStale: maxStale,
		Every: fetchEvery, Burst: fetchBurst, Now: o.Now,
	}, k.discover)
	return k
}

// Published are the keys at a URL.
func (k *KeySets) Published(uri string) Keys {
	if remote, ok := k.remotes.Get(uri); ok {
		return remote
	}
	remote := jwks.NewRemote(jwks.Options{
		URL: uri, Transport: k.transport, Unnamed: true, MinRefresh: minRefresh, MaxRefresh: maxRefresh, MaxStale: maxStale,
		Logger: k.options.Logger, Now: k.options.Now,
	})
	if before, ok, _ := k.remotes.PeekOrAdd(uri, remote); ok {
		return before
	}
	return remote
}

// Written are the keys of a JWK Set as JSON. A text that holds none verifies
// nothing.
func (k *KeySets) Written(text string) Keys {
	sum := sha256.Sum256([]byte(text))
	if keys, ok := k.parsed.Get(sum); ok {
		return keys
	}
	keys := Keys(noKeys{})
	if set, err := jwks.ParseWithUnnamed([]byte(text)); err == nil {
		keys = set
	}
	k.parsed.Add(sum, keys)
	return keys
}

// noKeys is a signer whose every signature is somebody else's.
type noKeys struct{}

// Candidates implements Keys.
func (noKeys) Candidates(context.Context, string, string) ([]jose.JSONWebKey, error) {
	return nil, accesstoken.ErrUnknownKey
}

// Discovered are the keys that an issuer names in its metadata (OpenID Connect
// Discovery 1.0 §4, RFC 8414 §3).
func (k *KeySets) Discovered(issuer string) Keys { return discovered{k, issuer} }

type discovered struct {
	sets   *KeySets
	issuer string
}

// Candidates implements Keys.
func (d discovered) Candidates(ctx context.Context, kid, algorithm string) ([]jose.JSONWebKey, error) {
	uri, err := d.sets.issuers.Get(ctx, d.issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: discover %s: %w", ErrKeysUnavailable, d.issuer, err)
	}
	return d.sets.Published(uri).Candidates(ctx, kid, algorithm)
}

// discover asks at both places where metadata may be.
func (k *KeySets) discover(ctx context.Context, issuer string) (uri string, maxAge time.Duration, err error) {
	uri, maxAge, err = k.discoverAt(ctx, issuer, strings.TrimSuffix(issuer, "/")+oauth.WellKnownOpenID)
	if err == nil {
		return uri, maxAge, nil
	}
	uri, maxAge, second := k.discoverAt(ctx, issuer, oauth.WellKnownURL(issuer, oauth.WellKnownServer))
	if second != nil {
		return "", 0, errors.Join(err, second)
	}
	return uri, maxAge, nil
}

func (k *KeySets) discoverAt(ctx context.Context, issuer, address string) (uri string, maxAge time.Duration, err error) {
	response, err := k.options.Outbound.Get(ctx, address, "application/json", maxDocument)
	if err != nil {
		return "", 0, err
	}
	document, err := ParseObject(response.Body)
	if err != nil {
		return "", 0, fmt.Errorf("read the issuer's metadata: %w", err)
	}
	// RFC 8414 §3.3: anything else would be another's word for this issuer.
	if document["issuer"] != issuer {
		return "", 0, errors.New("the issuer's metadata is of another issuer")
	}
	uri, _ = document["jwks_uri"].(string)
	if err := k.options.Outbound.Check(uri); err != nil {
		return "", 0, fmt.Errorf("the issuer's jwks_uri: %w", err)
	}
	return uri, outbound.MaxAge(response.Header, maxRefresh), nil
}

// bounded limits how often and how much is fetched of all key sets together: a
// stranger who has many of them evicts each with its own limit.
type bounded struct {
	next  http.RoundTripper
	limit *rate.Limiter
	now   func() time.Time
}

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	if !b.limit.AllowN(b.now(), 1) {
		return nil, outbound.ErrBusy
	}
	response, err := b.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxDocument)
	return response, nil
}
