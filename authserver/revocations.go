package authserver

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/revocation"
)

const (
	// feedPage is how many revocations one answer holds.
	feedPage = 1000
	// feedWait bounds how long an answer may be waited for, and feedLook is how often
	// a waiting replica looks for what others revoked.
	feedWait = 30 * time.Second
	feedLook = 500 * time.Millisecond
	// feedWaiters bounds the requests that wait; one more is answered at once.
	feedWaiters = 20000
)

// feed tells whoever waits that something was revoked, here or at another replica.
// Nobody looks while nobody waits.
type feed struct {
	store   store.Revocations
	waiters atomic.Int64
	flight  singleflight.Group

	// ended is closed when nobody shall wait any more.
	ended chan struct{}
	end   sync.Once

	mu     sync.Mutex
	woken  chan struct{} // closed, and replaced, when this replica revokes
	newest int64
	looked time.Time
}

func newFeed(s store.Revocations) *feed {
	return &feed{store: s, ended: make(chan struct{}), woken: make(chan struct{})}
}

// EndWaits answers whoever waits for revocations, now and from now on at once: requests
// that wait would hold up a graceful stop, and validators come back for the rest. It is
// meant for http.Server.RegisterOnShutdown.
func (s *Server) EndWaits() { s.feed.end.Do(func() { close(s.feed.ended) }) }

// wake tells of a revocation by this replica.
func (f *feed) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.woken)
	f.woken, f.looked = make(chan struct{}), time.Time{}
}

// last is the newest sequence number, as of feedLook ago at the most, and what is
// closed when this replica revokes.
func (f *feed) last(ctx context.Context) (int64, <-chan struct{}, error) {
	f.mu.Lock()
	woken, newest, fresh := f.woken, f.newest, time.Since(f.looked) < feedLook
	f.mu.Unlock()
	if fresh {
		return newest, woken, nil
	}
	found, err, _ := f.flight.Do("", func() (any, error) {
		asked := time.Now()
		newest, err := f.store.LastRevocation(context.WithoutCancel(ctx))
		if err != nil {
			return int64(0), fmt.Errorf("look for revocations: %w", err)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.woken == woken { // else a revocation came meanwhile, and may be missing
			f.newest, f.looked = newest, asked
		}
		return newest, nil
	})
	return found.(int64), woken, err
}

// knows refuses a cursor from the future, which a database has never given out that
// was restored since: whoever has it begins anew.
func (f *feed) knows(ctx context.Context, after int64) error {
	newest, _, err := f.last(ctx)
	if err == nil && after > newest {
		newest, err = f.store.LastRevocation(ctx) // which may be newer than what was looked up
	}
	if err == nil && after > newest {
		return oauth.Errorf(oauth.InvalidRequest, "this feed has not come as far as the cursor; leave it out to begin anew").WithStatus(http.StatusGone)
	}
	return err
}

// await returns when there is more than after, or the time is up.
func (f *feed) await(ctx context.Context, after int64, wait time.Duration) error {
	if f.waiters.Add(1) > feedWaiters {
		wait = 0
	}
	defer f.waiters.Add(-1)
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		newest, woken, err := f.last(ctx)
		if err != nil || newest > after {
			return err
		}
		look := time.NewTimer(feedLook)
		select {
		case <-woken:
		case <-look.C:
		case <-deadline.C:
			look.Stop()
			return nil
		case <-f.ended:
			look.Stop()
			return nil
		case <-ctx.Done():
			look.Stop()
			return nil
		}
		look.Stop()
	}
}

// revocations is the feed of grants and tokens that ended before their time, for
// whoever validates tokens: GET ?after=CURSOR&wait=SECONDS. Without a cursor it
// begins with everything that still concerns a living token. What it tells are
// random identifiers, which say nothing to who does not hold the token.
func (s *Server) revocations(w http.ResponseWriter, r *request) {
	after, wait, err := feedRequest(r.URL.Query())
	if err == nil {
		err = s.feed.knows(r.Context(), after)
	}
	if err == nil && wait > 0 {
		err = s.feed.await(r.Context(), after, wait)
	}
	var found []store.Revocation
	if err == nil {
		found, err = s.opts.Store.Revocations(r.Context(), after, s.opts.Now(), feedPage)
	}
	if err != nil {
		s.writeError(w, r.Request, err)
		return
	}
	answer := revocation.Feed{Next: strconv.FormatInt(after, 10), More: len(found) == feedPage, Revocations: []revocation.Revocation{}}
	for _, one := range found {
		answer.Next = strconv.FormatInt(one.Sequence, 10)
		answer.Revocations = append(answer.Revocations, revocation.Revocation{ID: one.ID, Expires: one.Expires})
	}
	s.writeJSON(w, r.Request, http.StatusOK, answer)
}

func feedRequest(query url.Values) (after int64, wait time.Duration, err error) {
	if text := query.Get("after"); text != "" {
		if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
			return 0, 0, oauth.Errorf(oauth.InvalidRequest, "after is not a cursor of this feed; leave it out to begin anew")
		}
	}
	if text := query.Get("wait"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return 0, 0, oauth.Errorf(oauth.InvalidRequest, "wait is not a number of seconds")
		}
		wait = min(time.Duration(seconds)*time.Second, feedWait)
	}
	return after, wait, nil
}
