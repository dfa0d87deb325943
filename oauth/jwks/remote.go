package jwks

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
)

// Defaults of Options.
const (
	DefaultTimeout      = 5 * time.Second
	DefaultMinRefresh   = 30 * time.Second
	DefaultMaxRefresh   = 15 * time.Minute
	DefaultRefetchEvery = 10 * time.Second
	DefaultRefetchBurst = 3
)

// Options say where the keys are and how often to look. Only URL is required;
// every other zero value means the default.
type Options struct {
	// URL is where the key set is published. Empty means that it is published
	// nowhere and the bootstrap bytes are all there is.
	URL string
	// Transport makes the requests; nil means one of our own, which follows the
	// environment's proxy settings.
	Transport http.RoundTripper
	// Timeout bounds one fetch, body included.
	Timeout time.Duration
	// MinRefresh and MaxRefresh bound the time between two background fetches,
	// whatever the response's max-age says.
	MinRefresh, MaxRefresh time.Duration
	// RefetchEvery is the interval at which unknown kids earn one fetch;
	// RefetchBurst is how many they may save up.
	RefetchEvery time.Duration
	RefetchBurst int
	// Unnamed keeps keys without a "kid" too, as ParseWithUnnamed does.
	Unnamed bool
	// MaxStale is for how long Candidates still offers keys that should have been
	// refreshed but could not be; zero means for ever.
	MaxStale time.Duration
	// Logger is told of failures; nil means silence.
	Logger *slog.Logger
	// Now is the clock of the rate limit and of Candidates; nil means time.Now.
	Now func() time.Time
}

// Remote follows a published key set. It is safe for concurrent use.
type Remote struct {
	options Options
	client  *http.Client
	refetch *rate.Limiter
	flight  singleflight.Group

	set atomic.Pointer[Set]
	// stale is when what was fetched last should be refreshed; nil before that.
	stale atomic.Pointer[time.Time]
	// fetched is set once a fetch succeeded: bootstrap bytes are older than that.
	fetched atomic.Bool
	// blind is set while the last fetch failed, so that "unknown" means "not
	// known to us" rather than "not published".
	blind atomic.Bool
}

// NewRemote makes a Remote that knows no keys yet: give it some with Bootstrap,
// start Run, or let the first Key fetch them.
func NewRemote(options Options) *Remote {
	o := &options
	setDefault(&o.Timeout, DefaultTimeout)
	setDefault(&o.MinRefresh, DefaultMinRefresh)
	setDefault(&o.MaxRefresh, DefaultMaxRefresh)
	setDefault(&o.RefetchEvery, DefaultRefetchEvery)
	setDefault(&o.RefetchBurst, DefaultRefetchBurst)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Remote{options: options, refetch: rate.NewLimiter(rate.Every(o.RefetchEvery), o.RefetchBurst)}
	r.client = &http.Client{
		Transport: o.Transport,
		Timeout:   o.Timeout,
		// Keys come from the address that the operator wrote, or not at all.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return r
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Bootstrap gives a copy of the keys for as long as they cannot be fetched. While
// the last fetch succeeded it changes nothing. Data that Parse refuses is an error
// and changes nothing either.
func (r *Remote) Bootstrap(data []byte) error {
	set, err := parse(data, r.options.Unnamed)
	if err != nil {
		return err
	}
	if !r.fetched.Load() || r.blind.Load() {
		r.set.Store(set)
	}
	return nil
}

// Len is the number of keys known at the moment.
func (r *Remote) Len() int {
	if set := r.set.Load(); set != nil {
		return set.Len()
	}
	return 0
}

// Key returns the key with the id. An unknown id is fetched for, within the rate
// limit, and is accesstoken.ErrUnknownKey when the issuer does not publish it.
// When there are no keys, or when the id is unknown and the last fetch failed,
// the issuer may well publish it: that is accesstoken.ErrKeysUnavailable.
func (r *Remote) Key(ctx context.Context, kid string) (jose.JSONWebKey, error) {
	if key, ok := r.lookup(kid); ok {
		return key, nil
	}
	if err := r.lookAgain(ctx); err != nil {
		return jose.JSONWebKey{}, err
	}
	if key, ok := r.lookup(kid); ok {
		return key, nil
	}
	if r.set.Load() == nil || r.blind.Load() {
		return jose.JSONWebKey{}, accesstoken.ErrKeysUnavailable
	}
	return jose.JSONWebKey{}, accesstoken.ErrUnknownKey
}

// Candidates returns the keys that may have made a signature of the algorithm, as
// Set.Candidates does. Where it has none, or what it has is older than the
// response's max-age within MinRefresh and MaxRefresh, it fetches first, within the
// rate limit. Its errors are Key's.
func (r *Remote) Candidates(ctx context.Context, kid, algorithm string) ([]jose.JSONWebKey, error) {
	found, fresh := r.candidates(kid, algorithm)
	if len(found) > 0 && fresh {
		return found, nil
	}
	if err := r.lookAgain(ctx); err != nil {
		return nil, err
	}
	found, fresh = r.candidates(kid, algorithm)
	switch {
	case len(found) > 0:
		return found, nil
	case !fresh || r.blind.Load():
		return nil, accesstoken.ErrKeysUnavailable
	}
	return nil, accesstoken.ErrUnknownKey
}

// candidates reports beside what it has whether that needs no refreshing.
func (r *Remote) candidates(kid, algorithm string) (found []jose.JSONWebKey, fresh bool) {
	set, stale, now := r.set.Load(), r.stale.Load(), r.options.Now()
	if set == nil {
		return nil, false
	}
	if stale == nil { // the bootstrap's, of no known age
		return set.candidates(kid, algorithm), r.options.URL == ""
	}
	if r.options.MaxStale > 0 && !now.Before(stale.Add(r.options.MaxStale)) {
		return nil, false
	}
	return set.candidates(kid, algorithm), now.Before(*stale)
}

func (r *Remote) lookup(kid string) (jose.JSONWebKey, bool) {
	set := r.set.Load()
	if set == nil {
		return jose.JSONWebKey{}, false
	}
	key, ok := set.keys[kid]
	return key, ok
}

// lookAgain fetches once for everybody who asks at the same time, if the rate
// limit allows. Its only error is that ctx ended while it waited.
func (r *Remote) lookAgain(ctx context.Context) error {
	if r.options.URL == "" {
		return nil
	}
	done := r.flight.DoChan("", func() (any, error) {
		if r.refetch.AllowN(r.options.Now(), 1) {
			// The fetch is everybody's; it must not end with the one who began it.
			r.fetchForUnknown(context.WithoutCancel(ctx))
		}
		return nil, nil
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.Join(accesstoken.ErrKeysUnavailable, ctx.Err())
	}
}

func (r *Remote) fetchForUnknown(ctx context.Context) {
	if _, err := r.fetch(ctx); err != nil {
		r.options.Logger.Warn("could not fetch the issuer's keys for an unknown key id",
			"url", r.options.URL, "error", err, "keys", r.Len())
	}
}
