package authserver

import (
	"container/list"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits bounds what strangers can make the server do. They are kept in memory:
// a replica has its own.
type limits struct {
	// signIns is by user name and address, against guessing one password;
	// signInAddresses by address alone, against one password tried on many names
	// and against making us hash for nothing.
	signIns, signInAddresses *limiter
	// registrations is by address, allRegistrations for everybody together.
	registrations, allRegistrations *limiter
}

func newLimits() limits {
	const people = 16 << 10
	return limits{
		signIns:          newLimiter(rate.Every(15*time.Second), 8, people),
		signInAddresses:  newLimiter(rate.Every(time.Second), 60, people),
		registrations:    newLimiter(rate.Every(time.Second), 100, people),
		allRegistrations: newLimiter(20, 1000, 1),
	}
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
