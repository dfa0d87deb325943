package sidecar

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/revocation"
	"github.com/mcpauth/mcpauth/policy"
)

// feedServer is the authorization server's end of the feed, and of the keys. Its cursors
// count revocations.
type feedServer struct {
	mu      sync.Mutex
	all     []revocation.Revocation
	changed chan struct{}
	// cut has it close connections without an answer, those that are held as well.
	cut bool
	// asked has the query of each request for the feed.
	asked []string
}

func newFeedServer(t *testing.T) (*feedServer, string) {
	t.Helper()
	f := &feedServer{changed: make(chan struct{})}
	mux := http.NewServeMux()
	keys := encodeJSON(t, ring().JWKS())
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keys) })
	mux.Handle("/revocations", f)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return f, server.URL
}

func (f *feedServer) change(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *feedServer) revoke(ids ...string) {
	f.change(func() {
		for _, id := range ids {
			f.all = append(f.all, revocation.Revocation{ID: id, Expires: time.Now().Add(2 * time.Hour)})
		}
	})
}

func (f *feedServer) setCut(cut bool) { f.change(func() { f.cut = cut }) }

func (f *feedServer) queries() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

func (f *feedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	f.mu.Lock()
	f.asked = append(f.asked, r.URL.RawQuery)
	f.mu.Unlock()
	after, _ := strconv.Atoi(query.Get(revocation.ParameterAfter))
	wait, _ := strconv.Atoi(query.Get(revocation.ParameterWait))
	held := time.NewTimer(time.Duration(wait) * time.Second)
	defer held.Stop()
	for {
		f.mu.Lock()
		cut, changed, behind := f.cut, f.changed, slices.Clone(f.all[min(after, len(f.all)):])
		next := strconv.Itoa(len(f.all))
		f.mu.Unlock()
		if cut {
			panic(http.ErrAbortHandler)
		}
		over := wait == 0 || len(behind) > 0
		if !over {
			select {
			case <-changed:
				continue
			case <-r.Context().Done():
				return
			case <-held.C:
			}
		}
		_ = json.NewEncoder(w).Encode(revocation.Feed{Next: next, Revocations: behind})
		return
	}
}

// revocable is a sidecar that follows a feed. clock is by how much the feed's clock is
// ahead of ours.
type revocable struct {
	*bench
	live  *Live
	feed  *feedServer
	clock *atomic.Int64
}

// reload puts a changed policy in force.
func (r *revocable) reload(t *testing.T, change func(*policy.Policy)) {
	t.Helper()
	p := changed(t, r.bench, func(p *policy.Policy) {
		p.JWKSURL, p.RevocationsURL, p.FailClosedAfter = r.policy.JWKSURL, r.policy.RevocationsURL, r.policy.FailClosedAfter
		change(p)
	})
	if err := r.live.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func following(t *testing.T, change ...func(*policy.Policy)) *revocable {
	t.Helper()
	feed, url := newFeedServer(t)
	b := protect(t, append([]func(*policy.Policy){func(p *policy.Policy) {
		p.JWKSURL, p.RevocationsURL = url+"/keys", url+"/revocations"
	}}, change...)...)
	var ahead atomic.Int64
	live := &Live{Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }}
	o := &b.sidecar.options
	o.Policy, o.Keys, o.Revocations, o.Fresh = live.Policy, live, live, live.Fresh
	if err := live.Apply(t.Context(), b.policy); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sidecar to be ready", func() bool { return live.Ready() == nil })
	return &revocable{b, live, feed, &ahead}
}

// ofGrant makes a token one of a grant's.
func ofGrant(id string) func(*accesstoken.Claims) {
	return func(c *accesstoken.Claims) { c.GrantID = id }
}

func (r *revocable) eventuallyRefuses(t *testing.T, bearer string) {
	t.Helper()
	eventually(t, "the revoked token to be refused", func() bool {
		return r.post(t, bearer, call("get_task")).StatusCode == http.StatusUnauthorized
	})
}

func TestATokenWhoseGrantIsRevokedIsRefusedAlsoFromTheCache(t *testing.T) {
	r := following(t)
	first, second, other := token(t, "todo:read", ofGrant("g-1")), token(t, "todo:read", ofGrant("g-1")), token(t, "todo:read", ofGrant("g-2"))
	for _, bearer := range []string{first, first, second, other} {
		wantStatus(t, r.post(t, bearer, call("get_task")), 200)
	}
	r.feed.revoke("g-1")
	r.eventuallyRefuses(t, first)
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		wantStatus(t, r.do(t, method, testPath, first), 401)
	}
	got := r.post(t, second, call("get_task"))
	wantStatus(t, got, 401)
	if !strings.Contains(got.challenge(), `error="invalid_token"`) || !strings.Contains(got.challenge(), "was revoked") {
		t.Errorf("challenge: %s", got.challenge())
	}
	wantStatus(t, r.post(t, token(t, "todo:read", ofGrant("g-1")), call("get_task")), 401) // never seen before
	wantStatus(t, r.post(t, other, call("get_task")), 200)
	if known, heard, dropped := r.live.Revocations(); known != 1 || heard.IsZero() || dropped != 0 {
		t.Errorf("%d known, heard at %s, %d dropped", known, heard, dropped)
	}
	stop(t, r.bench)
	if !strings.Contains(r.audits.String(), `"reason":"revoked","subject":"alice"`) {
		t.Errorf("the audit does not say that alice's token was revoked:\n%s", r.audits)
	}
}

func TestATokenThatIsRevokedByItsIDIsRefusedAlone(t *testing.T) {
	r := following(t)
	bad := token(t, "todo:read", func(c *accesstoken.Claims) { c.ID, c.GrantID = "jti-bad", "" })
	good := token(t, "todo:read", func(c *accesstoken.Claims) { c.ID, c.GrantID = "jti-good", "" })
	wantStatus(t, r.post(t, bad, call("get_task")), 200)
	r.feed.revoke("jti-bad")
	r.eventuallyRefuses(t, bad)
	wantStatus(t, r.post(t, good, call("get_task")), 200)
}

func TestWhatWasRevokedBeforeTheStartIsKnownWhenTheSidecarIsReady(t *testing.T) {
	feed, url := newFeedServer(t)
	feed.revoke("g-1")
	live := &Live{}
	p := prepared(t, func(p *policy.Policy) { p.JWKSURL, p.RevocationsURL = url+"/keys", url+"/revocations" })
	if err := live.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sidecar to be ready", func() bool { return live.Ready() == nil })
	if !live.Contains("g-1") || live.Contains("g-2") {
		t.Error("what was revoked before is not known")
	}
}

func TestWhatWasRevokedWhileTheFeedWasAwayCountsOnceItIsBack(t *testing.T) {
	r := following(t)
	r.feed.revoke("g-0")
	eventually(t, "the first revocation", func() bool { return r.live.Contains("g-0") })
	bearer := token(t, "todo:read", ofGrant("g-1"))
	wantStatus(t, r.post(t, bearer, call("get_task")), 200)
	r.feed.setCut(true)
	asked := len(r.feed.queries())
	eventually(t, "the feed to be asked in vain", func() bool { return len(r.feed.queries()) > asked })
	r.feed.revoke("g-1")
	wantStatus(t, r.post(t, bearer, call("get_task")), 200) // nobody can know yet
	wantStatus(t, r.post(t, token(t, "todo:read", ofGrant("g-0")), call("get_task")), 401)
	r.feed.setCut(false)
	r.eventuallyRefuses(t, bearer)
	for i, query := range r.feed.queries()[1:] {
		if !strings.Contains(query, "after=") {
			t.Errorf("request %d begins anew: %s", i+1, query)
		}
	}
}

func TestAReloadKeepsWhatWasRevoked(t *testing.T) {
	r := following(t)
	r.feed.revoke("g-1")
	bearer := token(t, "todo:read", ofGrant("g-1"))
	r.eventuallyRefuses(t, bearer)
	refused := func(what string) {
		t.Helper()
		if got := r.post(t, bearer, call("get_task")); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("after %s: %d", what, got.StatusCode)
		}
	}
	r.reload(t, func(p *policy.Policy) { p.Scopes[0].Tools = append(p.Scopes[0].Tools, "more") })
	refused("another scope")
	begun := 0
	for _, query := range r.feed.queries() {
		if !strings.Contains(query, "after=") {
			begun++
		}
	}
	if begun != 1 {
		t.Errorf("the feed was begun %d times, want once", begun)
	}
	other, url := newFeedServer(t)
	r.reload(t, func(p *policy.Policy) { p.RevocationsURL = url + "/revocations" })
	refused("another feed")
	other.revoke("g-2")
	r.eventuallyRefuses(t, token(t, "todo:read", ofGrant("g-2")))
	r.reload(t, func(p *policy.Policy) { p.RevocationsURL = "" })
	refused("no feed any more")
	if err := r.live.Ready(); err != nil {
		t.Errorf("Ready without a feed: %v", err)
	}
}

func TestWithoutAFeedTokensLiveUntilTheyExpire(t *testing.T) {
	r := following(t, func(p *policy.Policy) { p.RevocationsURL = "" })
	wantStatus(t, r.post(t, token(t, "todo:read"), call("get_task")), 200)
	if len(r.feed.queries()) != 0 || r.live.Fresh() != nil {
		t.Errorf("asked %q, Fresh: %v", r.feed.queries(), r.live.Fresh())
	}
}

func TestAFeedThatIsSilentTooLongClosesTheServerUntilItIsBack(t *testing.T) {
	r := following(t, func(p *policy.Policy) { p.FailClosedAfter = 60 })
	r.feed.revoke("g-1")
	revoked, good := token(t, "todo:read", ofGrant("g-1")), token(t, "todo:read", ofGrant("g-2"))
	r.eventuallyRefuses(t, revoked)
	wantStatus(t, r.post(t, good, call("get_task")), 200)
	before := r.arrived()
	r.feed.setCut(true)
	r.clock.Store(int64(55 * time.Second))
	wantStatus(t, r.post(t, good, call("get_task")), 200)
	r.clock.Store(int64(70 * time.Second))
	for _, bearer := range []string{good, token(t, "todo:admin", subject("bob"))} {
		for _, got := range []*reply{
			r.post(t, bearer, call("get_task")), r.post(t, bearer, initialize),
			r.do(t, http.MethodGet, testPath, bearer), r.do(t, http.MethodDelete, testPath, bearer),
		} {
			wantStatus(t, got, http.StatusServiceUnavailable)
			if after, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || after < 1 || !strings.Contains(got.body, "temporarily_unavailable") {
				t.Errorf("Retry-After %q: %s", got.Header.Get("Retry-After"), got.body)
			}
		}
	}
	// What is known is told as it is.
	wantStatus(t, r.post(t, revoked, call("get_task")), 401)
	wantStatus(t, r.post(t, "", call("get_task")), 401)
	r.wantArrivals(t, before+1)
	r.feed.setCut(false)
	r.feed.revoke("g-3") // a feed without news is heard when it has held the request for long enough
	eventually(t, "requests to be served again", func() bool {
		return r.post(t, good, call("get_task")).StatusCode == http.StatusOK
	})
}

func TestByDefaultAFeedThatIsAwayClosesNothing(t *testing.T) {
	r := following(t)
	r.feed.setCut(true)
	r.clock.Store(int64(24 * time.Hour))
	wantStatus(t, r.post(t, token(t, "todo:read"), call("get_task")), 200)
}

// holding answers the feed as a server does that has nothing new: when the time that it
// was asked to hold the request is over.
type holding struct{ keys string }

func (h holding) RoundTrip(r *http.Request) (*http.Response, error) {
	body := h.keys
	if strings.HasSuffix(r.URL.Path, "/revocations") {
		wait, err := strconv.Atoi(r.URL.Query().Get(revocation.ParameterWait))
		if err != nil {
			return nil, err
		}
		select {
		case <-time.After(time.Duration(wait) * time.Second):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		body = `{"next":"1","revocations":[],"more":false}`
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// secondsClosed follows a feed for an hour and returns for how many seconds of it a
// sidecar would have refused everybody.
func secondsClosed(t *testing.T, transport http.RoundTripper, after int64) (closed int) {
	t.Helper()
	keys := encodeJSON(t, ring().JWKS())
	synctest.Test(t, func(t *testing.T) {
		live := &Live{Transport: transport}
		p := prepared(t, func(p *policy.Policy) {
			p.RevocationsURL, p.FailClosedAfter, p.JWKS = "http://as.test/revocations", after, keys
		})
		if err := live.Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		for range 3600 {
			time.Sleep(time.Second)
			if live.Fresh() != nil {
				closed++
			}
		}
	})
	return closed
}

func TestAFeedWithoutNewsIsNotSilent(t *testing.T) {
	keys := string(encodeJSON(t, ring().JWKS()))
	if closed := secondsClosed(t, holding{keys}, 60); closed != 0 {
		t.Errorf("the server was closed for %d seconds of an hour in which the feed answered", closed)
	}
}

func TestAFeedThatWasNeverHeardIsSilent(t *testing.T) {
	if closed := secondsClosed(t, brokenTransport{}, 60); closed != 3600 {
		t.Errorf("the server was closed for %d seconds of an hour, want all", closed)
	}
}

func TestReadyWaitsABoundedWhileForTheFeed(t *testing.T) {
	keys := encodeJSON(t, ring().JWKS())
	for _, tt := range []struct {
		name      string
		transport http.RoundTripper
		feed      string
		waits     bool
	}{
		{"a feed that is away", brokenTransport{}, "http://as.test/revocations", true},
		{"a feed that answers", holding{string(keys)}, "http://as.test/revocations", false},
		{"no feed", brokenTransport{}, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				live := &Live{Transport: tt.transport}
				p := prepared(t, func(p *policy.Policy) { p.RevocationsURL, p.JWKS = tt.feed, keys })
				if err := live.Apply(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if err := live.Ready(); (err != nil) != tt.waits {
					t.Errorf("at the start: %v", err)
				}
				time.Sleep(feedPatience + time.Second)
				if err := live.Ready(); err != nil {
					t.Errorf("later: %v", err)
				}
			})
		})
	}
}

func TestBeforeThereIsAPolicyNothingIsRevokedAndNothingServed(t *testing.T) {
	live := &Live{}
	if live.Contains("g-1") || live.Fresh() != nil || live.Ready() == nil || live.Policy() != nil {
		t.Error("a Live without a policy says otherwise")
	}
	if _, err := live.Key(t.Context(), "k"); !errors.Is(err, accesstoken.ErrKeysUnavailable) {
		t.Errorf("Key: %v", err)
	}
	b := protect(t)
	b.sidecar.options.Policy = live.Policy
	wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task")), 503)
	b.untouched(t)
}
