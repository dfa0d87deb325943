package sidecar

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

const (
	loadEnvironment = "MCPAUTH_TEST_LOAD"
	loadDuration    = 8 * time.Second
	loadWorkers     = 8
	loadUsers       = 6
	// loadGrants are revoked one after the other.
	loadGrants = 40
)

// load is what happens around the requests, each of which knows what it may be answered.
type load struct {
	*bench
	live   *Live
	feed   *feedServer
	client *http.Client
	keys   atomic.Pointer[jose.JSONWebKeySet] // what the issuer publishes
	minted atomic.Pointer[minted]
	old    *minted
	// revoked counts the grants whose revocation was published, and known those of which
	// the sidecar has heard.
	revoked, known atomic.Int64
	// strange says that tokens of invented keys are sent, which use up the fetches that
	// unknown keys may cause; retiring and retired tell of the first key.
	strange, retiring, retired atomic.Bool

	mu     sync.Mutex
	sent   map[string]int
	wrong  []string
	number atomic.Int64
}

// minted are the tokens that one key has signed.
type minted struct {
	users   [loadUsers]map[string]string // by their scopes
	grants  [loadGrants]string
	expired string
	foreign string
}

var loadScopes = []string{"todo:read", "todo:read todo:write", "todo:admin"}

func mint(t *testing.T, key *keyring.Key) *minted {
	t.Helper()
	now := time.Now()
	sign := func(scopes string, change func(*accesstoken.Claims)) string {
		c := &accesstoken.Claims{
			Issuer: testIssuer, Audience: []string{testResource}, ClientID: "agent", IssuedAt: now.Add(-time.Second), Expiry: now.Add(time.Hour),
			Scope: oauth.NewScopeSet(strings.Fields(scopes)...), ID: fmt.Sprint("load-", tokens.Add(1)), GrantID: "lasting", Subject: "user-0",
		}
		change(c)
		text, err := accesstoken.Sign(c, key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	m := &minted{
		expired: sign("todo:read", func(c *accesstoken.Claims) { c.IssuedAt, c.Expiry = now.Add(-2*time.Hour), now.Add(-time.Hour) }),
		foreign: sign("todo:read", func(c *accesstoken.Claims) { c.Audience = []string{"https://other.example/mcp"} }),
	}
	for i := range m.users {
		m.users[i] = make(map[string]string)
		for _, scopes := range loadScopes {
			m.users[i][scopes] = sign(scopes, func(c *accesstoken.Claims) { c.Subject = fmt.Sprint("user-", i) })
		}
	}
	for i := range m.grants {
		m.grants[i] = sign("todo:read", func(c *accesstoken.Claims) { c.GrantID = fmt.Sprint("grant-", i) })
	}
	return m
}

// newLoad starts everything.
func newLoad(t *testing.T) *load {
	t.Helper()
	l := &load{sent: make(map[string]int), feed: &feedServer{changed: make(chan struct{})}}
	published := ring().JWKS()
	l.keys.Store(&published)
	issuer := http.NewServeMux()
	issuer.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(encodeJSON(t, l.keys.Load())) })
	issuer.Handle("/revocations", l.feed)
	issuing, serving := httptest.NewServer(issuer), httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(issuing.Close)
	t.Cleanup(serving.Close)
	p := todoPolicy()
	p.JWKSURL, p.RevocationsURL, p.FilterLists, p.Upstream.URL = issuing.URL+"/keys", issuing.URL+"/revocations", true, serving.URL+"/mcp"
	l.bench = newBench(t, p)
	l.live = &Live{}
	o := &l.sidecar.options
	o.Policy, o.Keys, o.Revocations, o.Fresh = l.live.Policy, l.live, l.live, l.live.Fresh
	if err := l.live.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sidecar to be ready", func() bool { return l.live.Ready() == nil })
	l.old = mint(t, ring().Active())
	l.minted.Store(l.old)
	transport := &http.Transport{MaxIdleConnsPerHost: 4 * loadWorkers}
	t.Cleanup(transport.CloseIdleConnections)
	l.client = &http.Client{Transport: transport}
	// Whose the sessions are is settled before others reach for them.
	for i := range loadUsers {
		user := fmt.Sprint("user-", i)
		l.fire(t.Context(), t, shot{kind: "beginning a session", bearer: l.old.users[i]["todo:read"], user: user, body: numberedCall("get_task"),
			header: map[string]string{headerSession: "of-" + user}, want: statuses(200)})
	}
	l.sidecar.sessions.bind("of-nobody", &accesstoken.Claims{Issuer: testIssuer, Subject: "nobody"})
	return l
}

// reload puts two policies in force by turns: one of them opens delete_task to readers.
func (l *load) reload(ctx context.Context, t *testing.T) {
	for n := 1; sleepUnless(ctx, 150*time.Millisecond); n++ {
		next := *l.policy
		next.Scopes = slices.Clone(l.policy.Scopes)
		if n%2 == 1 {
			next.Scopes[0].Tools = append(slices.Clone(next.Scopes[0].Tools), "delete_task")
		}
		if err := next.Prepare(); err != nil {
			t.Error(err)
			return
		}
		if err := l.live.Apply(t.Context(), &next); err != nil {
			t.Error(err)
			return
		}
		l.note("reload of the policy", "")
	}
}

// revoke ends one grant after the other.
func (l *load) revoke(ctx context.Context, each time.Duration) {
	for i := 0; i < loadGrants && sleepUnless(ctx, each); i++ {
		id := fmt.Sprint("grant-", i)
		l.revoked.Store(int64(i + 1)) // before anybody could hear of it
		l.feed.revoke(id)
		for deadline := time.Now().Add(patience); !l.live.Contains(id); {
			if time.Now().After(deadline) {
				l.note("revocation", "it did not arrive")
				return
			}
			if !sleepUnless(ctx, 5*time.Millisecond) {
				return
			}
		}
		l.known.Store(int64(i + 1))
		l.note("revocation", "")
	}
}

// rotate publishes a key, signs with it once it is known, and retires the one before.
func (l *load) rotate(ctx context.Context, second *keyring.Ring, tokens *minted, third time.Duration) {
	if !sleepUnless(ctx, third) {
		return
	}
	both := jose.JSONWebKeySet{Keys: append(slices.Clone(ring().JWKS().Keys), second.JWKS().Keys...)}
	l.keys.Store(&both)
	if !l.waitForKey(ctx, second.Active().KeyID(), true) {
		l.note("rotation", "the new key did not arrive")
		return
	}
	l.minted.Store(tokens)
	l.note("rotation", "")
	if !sleepUnless(ctx, third) {
		return
	}
	l.retiring.Store(true)
	only := second.JWKS()
	l.keys.Store(&only)
	l.strange.Store(true) // which has the keys fetched anew
	if l.waitForKey(ctx, ring().Active().KeyID(), false) {
		l.retired.Store(true)
		l.note("retirement", "")
	}
}

func (l *load) waitForKey(ctx context.Context, kid string, there bool) bool {
	for {
		if _, err := l.live.Key(ctx, kid); (err == nil) == there {
			return true
		}
		if !sleepUnless(ctx, 20*time.Millisecond) {
			return false
		}
	}
}

// sleepUnless sleeps and reports whether ctx goes on.
func sleepUnless(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// TestNoAnswerIsWrongUnderLoad sends all sorts of requests at once while keys rotate,
// policies change several times a second and grants are revoked. It takes 8 s, or what
// MCPAUTH_TEST_LOAD says: MCPAUTH_TEST_LOAD=60s go test -run UnderLoad -v ./sidecar
func TestNoAnswerIsWrongUnderLoad(t *testing.T) {
	lasting := loadDuration
	if text := os.Getenv(loadEnvironment); text != "" {
		var err error
		if lasting, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", loadEnvironment, err)
		}
	}
	second, err := keyring.New(keyring.RS256, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l, next := newLoad(t), mint(t, second.Active())
	ctx, cancel := context.WithTimeout(t.Context(), lasting)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() { l.reload(ctx, t) })
	group.Go(func() { l.revoke(ctx, lasting/(loadGrants+10)) })
	group.Go(func() { l.rotate(ctx, second, next, lasting/3) })
	shots := l.shots()
	for worker := range loadWorkers {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 1))
			for ctx.Err() == nil {
				l.fire(t.Context(), t, shots[r.IntN(len(shots))](r))
			}
		})
	}
	group.Wait()
	total := 0
	for _, kind := range slices.Sorted(maps.Keys(l.sent)) {
		t.Logf("%7d %s", l.sent[kind], kind)
		total += l.sent[kind]
	}
	t.Logf("%7d in %s", total, lasting)
	for _, wrong := range l.wrong[:min(len(l.wrong), 20)] {
		t.Error(wrong)
	}
	if len(l.wrong) > 0 {
		t.Errorf("%d answers are wrong", len(l.wrong))
	}
	for _, what := range []string{"reload of the policy", "revocation", "rotation", "retirement"} {
		if l.sent[what] == 0 {
			t.Errorf("there was no %s", what)
		}
	}
}
