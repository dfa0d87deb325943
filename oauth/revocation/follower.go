package revocation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// defaultWait is how long the server may hold a request.
	defaultWait = 25 * time.Second
	// answerTimeout is what an answer may take beyond that, body included.
	answerTimeout = 10 * time.Second
	// firstRetry is the pause after a first failure; it doubles up to maxRetry.
	firstRetry = time.Second
	maxRetry   = 30 * time.Second
	// idlePause is between two requests of which the first brought nothing: a server
	// that does not hold requests is asked no more often.
	idlePause = time.Second
	// busyPause is between two of which the first brought something: what is revoked
	// one by one then comes in some answers, not in as many.
	busyPause = 250 * time.Millisecond
)

// errGone says that the server does not know our cursor any more.
var errGone = errors.New("the authorization server does not know the cursor any more")

// Follower keeps a Set up to date. Its fields are set before Run and not changed
// after.
type Follower struct {
	// URL is where the feed is.
	URL string
	// Client makes the requests; nil means one of our own. Whatever it says, redirects
	// are not followed and a request may take Wait and 10 s more.
	Client *http.Client
	// Set receives the revocations.
	Set *Set
	// OnRevoked is told of revocations that are new to the Set, once each, before the
	// next request is made; nil tells nobody. It should not take long.
	OnRevoked func([]Revocation)
	// Wait is how long the server may hold a request; zero means 25 s.
	Wait time.Duration
	// Logger is told of failures; nil means silence.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	cursor string
	// failed says that the last request did.
	failed  bool
	contact atomic.Pointer[time.Time]
}

// LastContact is when the server last answered, zero before the first time. After a
// longer silence than Wait the Set may lack something. It may be called while Run
// runs.
func (f *Follower) LastContact() time.Time {
	if at := f.contact.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// Run follows the feed until ctx ends. After a failure it asks again, each time
// after a longer pause, with the cursor that it had.
func (f *Follower) Run(ctx context.Context) {
	retry := firstRetry
	for ctx.Err() == nil {
		began := time.Now()
		feed, err := f.poll(ctx)
		var pause time.Duration
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			f.failed = true
			pause, retry = jitter(retry), min(2*retry, maxRetry)
			f.logger().Warn("could not follow the revocations; those that are known stay in force",
				"url", f.URL, "error", err, "known", f.Set.Len(), "retry_in", pause.String())
		default:
			f.failed, retry = false, firstRetry
			pause = feed.pause() - time.Since(began)
		}
		sleep(ctx, pause)
	}
}

// pause is the least time between the request that a feed answers and the next.
func (f *Feed) pause() time.Duration {
	switch {
	case f.More:
		return 0
	case len(f.Revocations) > 0:
		return busyPause
	default:
		return idlePause
	}
}

// poll asks once and takes in what it hears.
func (f *Follower) poll(ctx context.Context) (*Feed, error) {
	feed, err := f.get(ctx)
	if errors.Is(err, errGone) && f.cursor != "" {
		f.logger().Warn("the revocations are read from their beginning", "url", f.URL, "error", err)
		f.cursor = ""
		feed, err = f.get(ctx)
	}
	if err != nil {
		return nil, err
	}
	if feed.More && (feed.Next == f.cursor || len(feed.Revocations) == 0) {
		return nil, errors.New("the feed says that there is more and does not move on")
	}
	now := f.now()
	dropped := f.Set.Dropped()
	added := f.Set.Add(feed.Revocations, now)
	f.cursor = feed.Next
	f.contact.Store(&now)
	if lost := f.Set.Dropped() - dropped; lost > 0 {
		f.logger().Error("there are more revocations than can be remembered; tokens that were revoked live until they expire",
			"forgotten", lost, "known", f.Set.Len())
	}
	if len(added) > 0 && f.OnRevoked != nil {
		f.OnRevoked(added)
	}
	return feed, nil
}

func (f *Follower) get(ctx context.Context) (*Feed, error) {
	target, err := f.target()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.wait()+answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, fmt.Errorf("make a request for the revocations: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := f.client().Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch the revocations: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // nothing is written to it
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusGone:
		return nil, errGone
	default:
		return nil, fmt.Errorf("fetch the revocations: the answer is %d", res.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, MaxSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the revocations: %w", err)
	case len(data) > MaxSize:
		return nil, errors.New("read the revocations: there are too many in one answer")
	}
	var feed Feed
	if err := json.Unmarshal(data, &feed); err != nil {
		return nil, fmt.Errorf("read the revocations: %w", err)
	}
	return &feed, nil
}

// target is the feed's address with what we ask.
func (f *Follower) target() (string, error) {
	u, err := url.Parse(f.URL)
	if err != nil {
		return "", errors.New("the feed's address is not a URL")
	}
	query := u.Query()
	wait := f.wait()
	if f.cursor == "" || f.failed {
		wait = 0 // how do things stand?
	}
	query.Set(ParameterWait, strconv.Itoa(int(wait.Seconds())))
	if f.cursor != "" {
		query.Set(ParameterAfter, f.cursor)
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// client never follows: the feed is at the address that the operator wrote, or it is
// not there.
func (f *Follower) client() *http.Client {
	made := http.Client{}
	if f.Client != nil {
		made = *f.Client
	}
	made.Timeout = 0
	made.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &made
}

func (f *Follower) wait() time.Duration {
	if f.Wait == 0 {
		return defaultWait
	}
	return min(f.Wait, MaxWait)
}

func (f *Follower) now() time.Time {
	if f.Now == nil {
		return time.Now()
	}
	return f.Now()
}

func (f *Follower) logger() *slog.Logger {
	if f.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return f.Logger
}

// jitter is between half a pause and all of it, so that followers that lost the
// server together do not come back together.
func jitter(pause time.Duration) time.Duration { return pause/2 + rand.N(pause/2+1) }

func sleep(ctx context.Context, pause time.Duration) {
	if pause <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}
