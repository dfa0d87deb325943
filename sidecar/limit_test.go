package sidecar

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/policy"
)

// rarely is a rate of which nothing comes back within a test: one use, then one an hour.
var rarely = policy.Rate{PerSecond: 1.0 / 3600, Burst: 1}

// limited is a sidecar with limits.
func limited(t *testing.T, l policy.Limits) *bench {
	t.Helper()
	return protect(t, func(p *policy.Policy) { p.Limits = l })
}

func client(id string) func(*accesstoken.Claims) {
	return func(c *accesstoken.Claims) { c.ClientID = id }
}

// wantTooMany fails the test unless a request was refused for its rate, in words that
// clients show, with a time to come back at.
func wantTooMany(t *testing.T, got *reply) {
	t.Helper()
	wantStatus(t, got, http.StatusTooManyRequests)
	if after, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || after < 1 {
		t.Errorf("Retry-After: %q, want seconds, at least 1", got.Header.Get("Retry-After"))
	}
	if !strings.HasPrefix(got.body, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"`) {
		t.Errorf("body: %s", got.body)
	}
	if got.challenge() != "" {
		t.Errorf("a client that asks too often is challenged: %s", got.challenge())
	}
}

func TestCallersWhoAskTooOftenAreToldWhenToComeBack(t *testing.T) {
	otherIssuer := func(c *accesstoken.Claims) { c.Issuer = "https://other.example/i" }
	for _, tt := range []struct {
		name   string
		limits policy.Limits
		// same counts with alice's calls through the client agent, others do not.
		same   []func(*accesstoken.Claims)
		others []func(*accesstoken.Claims)
	}{
		{"per user", policy.Limits{User: rarely},
			[]func(*accesstoken.Claims){client("agent"), client("another")},
			[]func(*accesstoken.Claims){subject("bob"), otherIssuer}},
		{"per client", policy.Limits{Client: rarely},
			[]func(*accesstoken.Claims){client("agent"), subject("bob")},
			[]func(*accesstoken.Claims){client("another")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := protect(t, func(p *policy.Policy) {
				p.Limits, p.Issuers = tt.limits, append(p.Issuers, "https://other.example/i")
			})
			wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task")), 200)
			for _, change := range tt.same {
				bearer := token(t, "todo:read", change)
				wantTooMany(t, b.post(t, bearer, call("get_task")))
				wantTooMany(t, b.post(t, bearer, `{"jsonrpc":"2.0","id":1,"method":"ping"}`))
				wantTooMany(t, b.do(t, http.MethodGet, testPath, bearer))
				wantTooMany(t, b.do(t, http.MethodDelete, testPath, bearer))
			}
			b.wantArrivals(t, 1)
			for _, change := range tt.others {
				wantStatus(t, b.post(t, token(t, "todo:read", change), call("get_task")), 200)
			}
			b.wantArrivals(t, 1+len(tt.others))
		})
	}
}

// A client that is told 0 comes back at once, and one that is told a fraction cannot read.
func TestATimeToComeBackAtIsAWholeSecondAtLeast(t *testing.T) {
	b := limited(t, policy.Limits{User: policy.Rate{PerSecond: 2, Burst: 1}})
	bearer := token(t, "todo:read")
	for range 100 {
		if got := b.post(t, bearer, call("get_task")); got.StatusCode != http.StatusOK {
			wantTooMany(t, got)
			if after := got.Header.Get("Retry-After"); after != "1" {
				t.Errorf("Retry-After: %s, want 1", after)
			}
			return
		}
	}
	t.Error("100 requests in a row were served, where two a second may be")
}

func TestTheAuditNamesWhoAskedTooOften(t *testing.T) {
	b := limited(t, policy.Limits{Tool: rarely})
	bearer := token(t, "todo:read")
	b.post(t, bearer, call("get_task"))
	b.post(t, bearer, call("get_task"))
	stop(t, b)
	events := audited(t, b)
	if len(events) != 2 {
		t.Fatalf("%d events, want 2", len(events))
	}
	last := events[1]
	if last["decision"] != "denied" || last["reason"] != "rate_limited" || last["status"] != 429.0 || last["tool"] != "get_task" || last["subject"] != "alice" {
		t.Errorf("event: %v", last)
	}
}

func TestAToolThatIsCalledTooOftenIsRefusedAlone(t *testing.T) {
	b := limited(t, policy.Limits{Tool: rarely})
	bearer := token(t, "todo:read")
	wantStatus(t, b.post(t, bearer, call("get_task")), 200)
	wantTooMany(t, b.post(t, bearer, call("get_task")))
	// It is the tool that is spared, whoever calls.
	wantTooMany(t, b.post(t, token(t, "todo:read", subject("bob")), call("get_task")))
	wantStatus(t, b.post(t, bearer, call("get_other")), 200)
	wantStatus(t, b.post(t, bearer, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`), 200)
	b.wantArrivals(t, 3)
}

func TestEveryCallOfABatchCountsAgainstItsTool(t *testing.T) {
	b := limited(t, policy.Limits{Tool: policy.Rate{PerSecond: 1.0 / 3600, Burst: 3}})
	bearer := token(t, "todo:read")
	batch := func(n int) string { return "[" + strings.Repeat(call("get_task")+",", n-1) + call("get_task") + "]" }
	wantStatus(t, b.post(t, bearer, batch(2)), 200)
	wantTooMany(t, b.post(t, bearer, batch(2)))
	b.wantArrivals(t, 1)
}

func TestARefusedCallUsesNothingOfItsTool(t *testing.T) {
	b := limited(t, policy.Limits{Tool: rarely})
	for range 5 {
		wantStatus(t, b.post(t, token(t, "todo:read", subject("mallory")), call("create_task")), 403)
		wantStatus(t, b.post(t, "", call("create_task")), 401)
		wantStatus(t, b.post(t, token(t, "todo:write"), "["+call("create_task")+","+call("purge")+"]"), 403)
	}
	wantStatus(t, b.post(t, token(t, "todo:write"), call("create_task")), 200)
	b.wantArrivals(t, 1)
}

func TestWhatWasUsedUpComesBackWithTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuckets(policy.Rate{PerSecond: 0.5}, nil)
		if _, ok := b.take("alice", time.Now()); !ok {
			t.Fatal("the first was refused")
		}
		wait, ok := b.take("alice", time.Now())
		if ok || wait <= 0 || wait > 2*time.Second {
			t.Fatalf("the second: %v, to come back after %s", ok, wait)
		}
		if _, ok := b.take("bob", time.Now()); !ok {
			t.Error("bob was refused")
		}
		time.Sleep(wait)
		if _, ok := b.take("alice", time.Now()); !ok {
			t.Error("who comes back when told was refused")
		}
	})
}

func TestManyCallersTakeBoundedMemory(t *testing.T) {
	b := newBuckets(rarely, nil)
	for i := range bucketsKept + 100 {
		b.take(strconv.Itoa(i), time.Now())
	}
	if b.held.Len() != bucketsKept {
		t.Errorf("%d buckets are held, want %d", b.held.Len(), bucketsKept)
	}
}

// listening is an MCP server whose event streams stay open until their clients go.
func listening(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Header.Get("X-Listens") == "" {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	event(w, "hello")
	<-r.Context().Done()
}

const listen = `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{}}`

// openStream opens an event stream that ends with the function that it returns.
func openStream(t *testing.T, r *http.Request) (status int, end context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r.Header.Set("X-Listens", "yes")
	res := open(t, r.WithContext(ctx))
	if res.StatusCode == http.StatusOK {
		if _, err := io.ReadFull(res.Body, make([]byte, 4)); err != nil {
			t.Fatalf("the stream's first event: %v", err)
		}
	}
	return res.StatusCode, cancel
}

func (b *bench) get(t *testing.T, bearer string) *http.Request {
	t.Helper()
	r := b.request(t, bearer, "")
	r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0
	return r
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain for %s", patience, what)
		}
	}
}

func TestOnlySoManyStreamsMayBeOpen(t *testing.T) {
	byGet := func(t *testing.T, b *bench, bearer string) *http.Request { return b.get(t, bearer) }
	byPost := func(t *testing.T, b *bench, bearer string) *http.Request { return b.request(t, bearer, listen) }
	byBatch := func(t *testing.T, b *bench, bearer string) *http.Request {
		return b.request(t, bearer, "["+listen+"]")
	}
	type opening = func(*testing.T, *bench, string) *http.Request
	for _, tt := range []struct {
		name    string
		limits  policy.Limits
		opens   [3]opening
		another func(*accesstoken.Claims)
	}{
		{"per user by GET", policy.Limits{User: policy.Rate{Streams: 2}}, [3]opening{byGet, byGet, byGet}, subject("bob")},
		{"per client by GET", policy.Limits{Client: policy.Rate{Streams: 2}}, [3]opening{byGet, byGet, byGet}, client("another")},
		{"per user by listening", policy.Limits{User: policy.Rate{Streams: 2}}, [3]opening{byPost, byPost, byPost}, subject("bob")},
		{"per user in a batch of one", policy.Limits{User: policy.Rate{Streams: 2}}, [3]opening{byBatch, byBatch, byBatch}, subject("bob")},
		{"both ways counted together", policy.Limits{User: policy.Rate{Streams: 2}}, [3]opening{byGet, byPost, byGet}, subject("bob")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := limited(t, tt.limits)
			b.handler = listening
			var end context.CancelFunc
			for i := range 2 {
				var status int
				if status, end = openStream(t, tt.opens[i](t, b, token(t, "todo:read"))); status != 200 {
					t.Fatalf("stream %d: %d", i+1, status)
				}
			}
			wantTooMany(t, b.send(t, tt.opens[2](t, b, token(t, "todo:read"))))
			b.wantArrivals(t, 2)
			wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task")), 200) // calls are not streams
			if status, _ := openStream(t, tt.opens[2](t, b, token(t, "todo:read", tt.another))); status != 200 {
				t.Errorf("somebody else's stream: %d", status)
			}
			end()
			eventually(t, "the place of the stream that ended", func() bool {
				status, _ := openStream(t, tt.opens[2](t, b, token(t, "todo:read")))
				return status == http.StatusOK
			})
			wantTooMany(t, b.send(t, tt.opens[2](t, b, token(t, "todo:read"))))
		})
	}
}

func TestAStreamThatTheServerRefusesGivesItsPlaceBack(t *testing.T) {
	b := limited(t, policy.Limits{User: policy.Rate{Streams: 1}, Client: policy.Rate{Streams: 1}})
	b.handler = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) }
	for range 5 {
		wantStatus(t, b.do(t, http.MethodGet, testPath, token(t, "todo:read")), 405)
	}
	b.handler = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for range 5 {
		wantStatus(t, b.do(t, http.MethodGet, testPath, token(t, "todo:read")), 502)
	}
	stop(t, b)
	if left := b.sidecar.counted.open; len(left) != 0 {
		t.Errorf("places are still taken: %v", left)
	}
}

// reloading has the sidecar judge by whatever policy is stored.
func reloading(b *bench) *atomic.Pointer[policy.Policy] {
	var current atomic.Pointer[policy.Policy]
	current.Store(b.policy)
	b.sidecar.options.Policy = current.Load
	return &current
}

// changed is a copy of the bench's policy with a change.
func changed(t *testing.T, b *bench, change func(*policy.Policy)) *policy.Policy {
	t.Helper()
	p := todoPolicy()
	p.Upstream, p.Limits, p.FilterLists = b.policy.Upstream, b.policy.Limits, b.policy.FilterLists
	p.Issuers = b.policy.Issuers
	change(p)
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLimitsOutliveAPolicyThatDoesNotChangeThem(t *testing.T) {
	b := limited(t, policy.Limits{User: policy.Rate{PerSecond: 1.0 / 3600, Burst: 2, Streams: 1}})
	b.handler = listening
	current := reloading(b)
	if status, _ := openStream(t, b.get(t, token(t, "todo:read"))); status != 200 {
		t.Fatalf("the stream: %d", status)
	}
	wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task")), 200)
	current.Store(changed(t, b, func(p *policy.Policy) { p.Scopes[0].Tools = append(p.Scopes[0].Tools, "create_task") }))
	wantTooMany(t, b.post(t, token(t, "todo:read"), call("create_task")))
	// Others may do what the new policy allows, and the streams are still counted.
	bob := token(t, "todo:read", subject("bob"))
	wantStatus(t, b.post(t, bob, call("create_task")), 200)
	if status, _ := openStream(t, b.get(t, bob)); status != 200 {
		t.Fatalf("bob's stream: %d", status)
	}
	eventually(t, "both streams to be counted", func() bool {
		counted := b.sidecar.counted
		counted.mu.Lock()
		defer counted.mu.Unlock()
		return len(counted.open) == 2
	})
	current.Store(changed(t, b, func(p *policy.Policy) { p.Limits.User.Burst = 100 }))
	wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task")), 200)
}

func TestThePolicyBoundsSizes(t *testing.T) {
	b := limited(t, policy.Limits{MaxBodyBytes: 1000, MaxHeaderBytes: 3000, MaxDepth: 5})
	bearer := token(t, "todo:read")
	padded := func(n int) string { return call("get_task") + strings.Repeat(" ", n-len(call("get_task"))) }
	nested := func(depth int) string {
		inner := strings.Repeat("[", depth-2) + strings.Repeat("]", depth-2) // two levels stand around it
		return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_task","arguments":` + inner + `}}`
	}
	wantStatus(t, b.post(t, bearer, padded(1000)), 200)
	wantStatus(t, b.post(t, bearer, padded(1001)), 413)
	wantStatus(t, b.post(t, bearer, padded(1001), func(r *http.Request) { r.ContentLength = -1 }), 413)
	wantStatus(t, b.post(t, bearer, nested(5)), 200)
	wantStatus(t, b.post(t, bearer, nested(6)), 400)
	long := header("X-Long", strings.Repeat("x", 3000))
	for _, bearer := range []string{bearer, ""} {
		wantStatus(t, b.post(t, bearer, call("get_task"), long), 431)
		wantStatus(t, b.do(t, http.MethodGet, testPath, bearer, long), 431)
		wantStatus(t, b.do(t, http.MethodDelete, testPath, bearer, long), 431)
	}
	many := func(r *http.Request) {
		for i := range 300 {
			r.Header.Set(fmt.Sprintf("X-%d", i), "12345")
		}
	}
	wantStatus(t, b.post(t, bearer, call("get_task"), many), 431)
	wantStatus(t, b.do(t, http.MethodGet, testPath+"?"+strings.Repeat("q", 3000), bearer), 431)
	b.wantArrivals(t, 2)
}

func TestSizesAreBoundedWhereThePolicySaysNothing(t *testing.T) {
	b := protect(t)
	bearer := token(t, "todo:read")
	wantStatus(t, b.post(t, bearer, call("get_task"), header("X-Long", strings.Repeat("x", DefaultMaxHeader))), 431)
	wantStatus(t, b.post(t, bearer, call("get_task"), header("X-Long", strings.Repeat("x", DefaultMaxHeader/2))), 200)
	b.wantArrivals(t, 1)
}
