package outbound

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// CacheOptions bound a Cache. All but Now are required.
type CacheOptions struct {
	// Size is how many values are kept; the one that was used longest ago goes first.
	Size int
	// MinAge and MaxAge bound how long a value is taken for fresh.
	MinAge, MaxAge time.Duration
	// MaxStale is for how long behind that a value serves while it cannot be fetched.
	MaxStale time.Duration
	// Every is the interval at which fetches are earned, whatever they are of, and
	// Burst how many can be saved up.
	Every time.Duration
	Burst int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Fetch makes a value of the document at url. maxAge is how long the document
// says it is fresh.
type Fetch[T any] func(ctx context.Context, url string) (value T, maxAge time.Duration, err error)

// Cache keeps what was made of documents, by URL. Failures are never kept. It is
// safe for concurrent use.
type Cache[T any] struct {
	options CacheOptions
	fetch   Fetch[T]
	entries *lru.Cache[string, entry[T]]
	flight  singleflight.Group
	limit   *rate.Limiter
}

type entry[T any] struct {
	value T
	// fresh is until when the value is not fetched again, dead from when on it is
	// not served at all.
	fresh, dead time.Time
}

// NewCache makes an empty Cache of what fetch returns.
func NewCache[T any](o CacheOptions, fetch Fetch[T]) *Cache[T] {
	if o.Now == nil {
		o.Now = time.Now
	}
	entries, _ := lru.New[string, entry[T]](max(o.Size, 1)) // fails below 1 alone
	return &Cache[T]{
		options: o, fetch: fetch, entries: entries,
		limit: rate.NewLimiter(rate.Every(o.Every), o.Burst),
	}
}

// Known reports whether there is a value of the document at url, fresh or stale.
func (c *Cache[T]) Known(url string) bool { return c.entries.Contains(url) }

// Get returns the value of the document at url, fetched anew where it is not
// fresh: once for everybody who asks at the same time. A value that cannot be
// fetched for a reason that is Transient serves on until MaxStale; any other
// failure ends it. It fails with fetch's error, with ErrBusy where too much was
// fetched lately, or with ErrUnreachable where ctx ended first.
func (c *Cache[T]) Get(ctx context.Context, url string) (T, error) {
	if kept, ok := c.entries.Get(url); ok && c.options.Now().Before(kept.fresh) {
		return kept.value, nil
	}
	done := c.flight.DoChan(url, func() (any, error) {
		// The fetch is everybody's; it must not end with the one who began it.
		return c.refresh(context.WithoutCancel(ctx), url)
	})
	var none T
	select {
	case result := <-done:
		if result.Err != nil {
			return none, result.Err
		}
		return result.Val.(T), nil
	case <-ctx.Done():
		return none, fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
	}
}

func (c *Cache[T]) refresh(ctx context.Context, url string) (T, error) {
	now := c.options.Now()
	kept, known := c.entries.Get(url)
	if known && now.Before(kept.fresh) { // by the one before us
		return kept.value, nil
	}
	value, maxAge, err := c.bounded(ctx, url, now)
	switch {
	case err == nil:
		age := min(max(maxAge, c.options.MinAge), c.options.MaxAge)
		c.entries.Add(url, entry[T]{value: value, fresh: now.Add(age), dead: now.Add(age + c.options.MaxStale)})
		return value, nil
	case known && Transient(err) && now.Before(kept.dead):
		kept.fresh = now.Add(c.options.MinAge)
		c.entries.Add(url, kept)
		return kept.value, nil
	case known && !Transient(err):
		c.entries.Remove(url)
	}
	return value, err
}

func (c *Cache[T]) bounded(ctx context.Context, url string, now time.Time) (value T, maxAge time.Duration, err error) {
	if !c.limit.AllowN(now, 1) {
		return value, 0, ErrBusy
	}
	return c.fetch(ctx, url)
}

// Len is the number of values that are kept.
func (c *Cache[T]) Len() int { return c.entries.Len() }

// MaxAge reads Cache-Control's max-age (RFC 9111 §5.2.2.1): zero where the answer
// must not be stored, and absent where it does not say.
func MaxAge(header http.Header, absent time.Duration) time.Duration {
	age := absent
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err == nil {
				age = time.Duration(seconds) * time.Second
			}
		}
	}
	return age
}
