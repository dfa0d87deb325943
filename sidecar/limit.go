package sidecar

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar/jsonrpc"
)

// bucketsKept is how many callers or tools are counted at once. Who comes back after
// that many others begins anew.
const bucketsKept = 1 << 14

// limits count how often callers ask. They are safe for concurrent use.
type limits struct {
	of                 policy.Limits
	user, client, tool *buckets
}

// newLimits keeps what is counted where its limit is as it was before; old may be nil.
func newLimits(l policy.Limits, old *limits) *limits {
	if old == nil {
		old = &limits{}
	}
	return &limits{
		of:     l,
		user:   newBuckets(l.User, old.user),
		client: newBuckets(l.Client, old.client),
		tool:   newBuckets(l.Tool, old.tool),
	}
}

// buckets limit how often something may be done, by whose key it is.
type buckets struct {
	limit rate.Limit
	burst int
	held  *lru.Cache[string, *rate.Limiter]
	mu    sync.Mutex // held while one is added
}

// newBuckets is nil where nothing is limited, and old where the limit is the same.
func newBuckets(r policy.Rate, old *buckets) *buckets {
	if r.PerSecond == 0 {
		return nil
	}
	burst := r.Burst
	if burst == 0 {
		burst = max(int(math.Ceil(r.PerSecond)), 1)
	}
	if old != nil && old.limit == rate.Limit(r.PerSecond) && old.burst == burst {
		return old
	}
	held, err := lru.New[string, *rate.Limiter](bucketsKept)
	if err != nil {
		panic(err) // the size is a constant
	}
	return &buckets{limit: rate.Limit(r.PerSecond), burst: burst, held: held}
}

// take uses one up, or says after how long there is one.
func (b *buckets) take(key string, now time.Time) (wait time.Duration, ok bool) {
	if b == nil {
		return 0, true
	}
	limiter := b.of(key)
	if limiter.AllowN(now, 1) {
		return 0, true
	}
	missing := 1 - limiter.TokensAt(now)
	return time.Duration(missing / float64(b.limit) * float64(time.Second)), false
}

func (b *buckets) of(key string) *rate.Limiter {
	if limiter, ok := b.held.Get(key); ok {
		return limiter
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if limiter, ok := b.held.Get(key); ok {
		return limiter
	}
	limiter := rate.NewLimiter(b.limit, b.burst)
	b.held.Add(key, limiter)
	return limiter
}

// streams count those that are open.
type streams struct {
	mu   sync.Mutex
	open map[string]int
}

func newStreams() *streams { return &streams{open: make(map[string]int)} }

// enter takes a place under each key, or none.
func (s *streams) enter(most map[string]int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, n := range most {
		if s.open[key] >= n {
			return false
		}
	}
	for key := range most {
		s.open[key]++
	}
	return true
}

func (s *streams) leave(most map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range most {
		if s.open[key]--; s.open[key] == 0 {
			delete(s.open, key)
		}
	}
}

// limit refuses a caller who asks too often, before anything is read of what it wants.
func (x *exchange) limit() *answer {
	l := x.site.limits
	if l.user != nil {
		if wait, ok := l.user.take(x.user(), x.started); !ok {
			return tooMany("this user sends more requests than the server takes", wait)
		}
	}
	if wait, ok := l.client.take(x.claims.ClientID, x.started); !ok {
		return tooMany("this client sends more requests than the server takes", wait)
	}
	if x.r.Method == http.MethodGet {
		return x.enterStream()
	}
	return nil
}

func (x *exchange) user() string { return x.claims.Issuer + "\x00" + x.claims.Subject }

// enterStream counts an event stream for as long as it is open.
func (x *exchange) enterStream() *answer {
	most := make(map[string]int, 2)
	if n := x.site.limits.of.User.Streams; n > 0 {
		most["user\x00"+x.user()] = n
	}
	if n := x.site.limits.of.Client.Streams; n > 0 {
		most["client\x00"+x.claims.ClientID] = n
	}
	if len(most) == 0 {
		return nil
	}
	counted := x.counted
	if !counted.enter(most) {
		return tooMany("as many event streams are open as this user or client may have", time.Second)
	}
	x.release = func() { counted.leave(most) }
	return nil
}

// limitTools refuses streams that are opened by a message and calls of tools that are called
// too often. It comes last, and a batch passes as a whole, so that what is refused uses
// nothing up.
func (x *exchange) limitTools() *answer {
	if x.body == nil {
		return nil
	}
	if x.listens() {
		if a := x.enterStream(); a != nil {
			return a
		}
	}
	limited := x.site.limits.tool
	if limited == nil {
		return nil
	}
	var taken []*rate.Reservation
	for tool, calls := range callsOf(x.body.Messages) {
		wanted := limited.of(tool).ReserveN(x.started, calls)
		if wanted.OK() && wanted.DelayFrom(x.started) == 0 {
			taken = append(taken, wanted)
			continue
		}
		wait := wanted.DelayFrom(x.started)
		for _, r := range append(taken, wanted) {
			r.CancelAt(x.started)
		}
		return tooMany("this tool is called more often than the server takes", wait)
	}
	return nil
}

// callsOf is how often each tool is called.
func callsOf(messages []jsonrpc.Message) map[string]int {
	calls := make(map[string]int, 1)
	for i := range messages {
		if messages[i].Method == policy.CallTool {
			calls[messages[i].Name]++
		}
	}
	return calls
}

func tooMany(message string, wait time.Duration) *answer {
	a := malformed(http.StatusTooManyRequests, jsonrpc.InvalidRequest, message)
	a.reason = reasonRate
	// What can never pass, a batch of more calls than a tool may have at once, has no time to
	// come back at; nor should anybody wait for days.
	seconds := int(math.Ceil(min(wait, time.Hour).Seconds()))
	a.header = http.Header{"Retry-After": {strconv.Itoa(max(seconds, 1))}}
	return a
}
