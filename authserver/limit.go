package authserver

import (
	"container/list"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// limits bounds what strangers can make the server do.
type limits struct {
	// signIns is by user name and address, against guessing one password;
	// signInAddresses by address alone, against one password tried on many names
	// and against making us hash for nothing.
	signIns, signInAddresses *limit
	// registrations is by address, allRegistrations for everybody together.
	registrations, allRegistrations *limit
	// pushed is by address, for pushed authorization requests, allPushed for
	// everybody together.
	pushed, allPushed *limit
	// documents is by address, for metadata documents that have to be fetched.
	documents *limit
	// assertions is by client, allAssertions for everybody together: each has to be
	// remembered until it expires.
	assertions, allAssertions *limit
	// codes is by user: who has signed in and consented once could go on without a
	// page.
	codes *limit
}

func newLimits() limits {
	const people = 16 << 10
	return limits{
		signIns:          newLimit("sign-in", store.Rate{Every: 15 * time.Second, Burst: 8}, people),
		signInAddresses:  newLimit("sign-in address", store.Rate{Every: time.Second, Burst: 60}, people),
		registrations:    newLimit("registration", store.Rate{Every: time.Second, Burst: 100}, people),
		allRegistrations: newLimit("registrations", store.Rate{Every: 50 * time.Millisecond, Burst: 1000}, 1),
		pushed:           newLimit("pushed request", store.Rate{Every: 20 * time.Millisecond, Burst: 300}, people),
		allPushed:        newLimit("pushed requests", store.Rate{Every: 5 * time.Millisecond, Burst: 5000}, 1),
		documents:        newLimit("document", store.Rate{Every: 2 * time.Second, Burst: 20}, people),
		assertions:       newLimit("assertion", store.Rate{Every: 20 * time.Millisecond, Burst: 300}, people),
		allAssertions:    newLimit("assertions", store.Rate{Every: 5 * time.Millisecond, Burst: 2000}, 1),
		codes:            newLimit("code", store.Rate{Every: time.Second, Burst: 120}, people),
	}
}

// limit is a token bucket a key that all replicas count together. Each has buckets
// of its own in front of the shared ones, so that a flood does not become one of
// the database.
type limit struct {
	name  string
	rate  store.Rate
	local *limiter
}

func newLimit(name string, r store.Rate, size int) *limit {
	return &limit{name: name, rate: r, local: newLimiter(rate.Every(r.Every), r.Burst, size)}
}

// shared is the key's name in the store, where neither address nor user name is
// written down.
func (l *limit) shared(key string) credential.Hash { return credential.HashOf(l.name + "\n" + key) }

// take is a token of one limit.
type take struct {
	*limit
	key string
}

// takeAll takes a token of every limit, in order, and reports whether there were
// as many.
func (s *Server) takeAll(ctx context.Context, takes ...take) (bool, error) {
	now := s.opts.Now()
	for _, t := range takes {
		if !t.local.allow(t.key, now) {
			return false, nil
		}
		allowed, err := s.opts.Store.Take(ctx, t.shared(t.key), t.rate, now)
		if err != nil {
			return false, fmt.Errorf("count a request: %w", err)
		}
		if !allowed {
			return false, nil
		}
	}
	return true, nil
}

// refill fills a key's bucket again, at every replica.
func (s *Server) refill(ctx context.Context, l *limit, key string) error {
	l.local.forget(key)
	if err := s.opts.Store.Refill(ctx, l.shared(key)); err != nil {
		return fmt.Errorf("forget failed attempts: %w", err)
	}
	return nil
}

// callerKey is the key of the *http.Request in the context of what it causes.
type callerKey struct{}

// strangers bounds what clients that nobody declared can cause. It is a
// client.Throttle.
type strangers struct{ *Server }

// Fetch implements client.Throttle.
func (s strangers) Fetch(ctx context.Context) error {
	caller, ok := ctx.Value(callerKey{}).(*http.Request)
	if !ok {
		return nil // ourselves
	}
	return s.soon(ctx, take{s.limits.documents, s.limitKey(caller)})
}

// Assert implements client.Throttle.
func (s strangers) Assert(ctx context.Context, clientID string) error {
	return s.soon(ctx, take{s.limits.assertions, clientID}, take{s.limits.allAssertions, ""})
}

// soon is the refusal of what comes too soon after others, or nil.
func (s *Server) soon(ctx context.Context, takes ...take) error {
	allowed, err := s.takeAll(ctx, takes...)
	if err != nil || allowed {
		return err
	}
	return oauth.Errorf(oauth.TemporarilyUnavailable, "too many requests; try again in a minute").WithStatus(http.StatusTooManyRequests)
}

// throttle refuses a request that comes too soon after others.
func (s *Server) throttle(w http.ResponseWriter, r *request, takes ...take) error {
	err := s.soon(r.Context(), takes...)
	if err != nil {
		w.Header().Set("Retry-After", "60")
	}
	return err
}

// limiter is a token bucket a key, for the keys seen last. It is safe for
// concurrent use.
type limiter struct {
	every rate.Limit
	burst int
	size  int

	mu      sync.Mutex
	buckets map[string]*list.Element
	recent  *list.List // of *bucket, the one used last in front
}

type bucket struct {
	key    string
	tokens *rate.Limiter
}

func newLimiter(every rate.Limit, burst, size int) *limiter {
	return &limiter{every: every, burst: burst, size: size, buckets: make(map[string]*list.Element), recent: list.New()}
}

// allow takes a token of the key's bucket and reports whether there was one.
func (l *limiter) allow(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.buckets[key]
	if !ok {
		if l.recent.Len() >= l.size {
			oldest := l.recent.Back()
			delete(l.buckets, l.recent.Remove(oldest).(*bucket).key)
		}
		at = l.recent.PushFront(&bucket{key: key, tokens: rate.NewLimiter(l.every, l.burst)})
		l.buckets[key] = at
	}
	l.recent.MoveToFront(at)
	return at.Value.(*bucket).tokens.AllowN(now, 1)
}

// forget fills the key's bucket again.
func (l *limiter) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.buckets[key]; ok {
		l.recent.Remove(at)
		delete(l.buckets, key)
	}
}

// remoteAddr is the address of whoever sent the request, for limits and audit
// events alone.
func (s *Server) remoteAddr(r *http.Request) netip.Addr {
	var trusted []netip.Prefix
	if current := s.opts.Catalog(); current != nil {
		trusted = current.TrustedProxies()
	}
	return forwardedAddr(r, trusted)
}

// forwardedAddr is the peer's address, or, where the peer is a trusted proxy, the
// last one in X-Forwarded-For that is not.
func forwardedAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		addr = before.Unmap()
	}
	return addr
}

// limitKey is the address as limits count it: one IPv6 customer has a /64.
func (s *Server) limitKey(r *http.Request) string { return limitKey(s.remoteAddr(r)) }

func limitKey(addr netip.Addr) string {
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return addr.String()
}
