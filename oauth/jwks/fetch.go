package jwks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/mcpauth/mcpauth/oauth/outbound"
)

// firstRetry is the pause after a first failure; it doubles up to MinRefresh or
// a minute, whichever is longer.
const firstRetry = time.Second

// Run fetches the keys now and then again before what it has grows stale, until
// ctx ends. It returns at once when there is no URL.
func (r *Remote) Run(ctx context.Context) {
	if r.options.URL == "" {
		return
	}
	retry := firstRetry
	for {
		maxAge, err := r.fetch(ctx)
		pause := r.refreshAfter(maxAge)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.options.Logger.Warn("could not refresh the issuer's keys; the last good ones stay in force",
				"url", r.options.URL, "error", err, "keys", r.Len(), "retry_in", retry.String())
			pause, retry = retry, min(2*retry, max(r.options.MinRefresh, time.Minute))
		default:
			retry = firstRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(jitter(pause)):
		}
	}
}

// refreshAfter honours the response's max-age within our bounds.
func (r *Remote) refreshAfter(maxAge time.Duration) time.Duration {
	return min(max(maxAge, r.options.MinRefresh), r.options.MaxRefresh)
}

// jitter shortens a pause by up to a quarter, so that sidecars that started
// together do not come back together; it never lengthens one, since keys are
// published just one max-age before they sign.
func jitter(pause time.Duration) time.Duration {
	if pause <= 0 {
		return 0
	}
	return pause - rand.N(pause/4+1)
}

// fetch replaces the set, or leaves it and returns why. maxAge is what the
// response said, zero if nothing.
func (r *Remote) fetch(ctx context.Context) (maxAge time.Duration, err error) {
	set, maxAge, err := r.get(ctx)
	r.blind.Store(err != nil)
	if err != nil {
		return 0, err
	}
	stale := r.options.Now().Add(r.refreshAfter(maxAge))
	r.set.Store(set)
	r.stale.Store(&stale)
	r.fetched.Store(true)
	return maxAge, nil
}

func (r *Remote) get(ctx context.Context) (*Set, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.options.URL, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("make a request for the key set: %w", err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	res, err := r.client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("fetch the key set: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // nothing is written to it
	if res.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("fetch the key set: the answer is %d", res.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, MaxSize+1))
	if err != nil {
		return nil, 0, fmt.Errorf("read the key set: %w", err)
	}
	if len(data) > MaxSize {
		return nil, 0, errors.New("read the key set: it is too large")
	}
	set, err := parse(data, r.options.Unnamed)
	return set, outbound.MaxAge(res.Header, 0), err
}
