package authserver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func TestALimiterCountsEachKeyAndRemembersTheLast(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := newLimiter(rate.Every(time.Minute), 2, 3)
	for i, want := range []bool{true, true, false} {
		if got := l.allow("a", now); got != want {
			t.Errorf("a, attempt %d: got %v, want %v", i+1, got, want)
		}
	}
	if !l.allow("b", now) {
		t.Error("b pays for a")
	}
	if !l.allow("a", now.Add(time.Minute)) {
		t.Error("a gets no new token")
	}
	l.forget("a")
	for range 2 {
		if !l.allow("a", now) {
			t.Error("a is remembered after forget")
		}
	}
	for i := range 1000 {
		l.allow(fmt.Sprint(i), now)
	}
	if len(l.buckets) != 3 || l.recent.Len() != 3 {
		t.Errorf("buckets: got %d and %d, want 3", len(l.buckets), l.recent.Len())
	}
}

func TestForwardedAddressesAreBelievedFromTrustedProxiesAlone(t *testing.T) {
	for _, test := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"a stranger", "203.0.113.9:1", []string{"198.51.100.1"}, "203.0.113.9"},
		{"a proxy", "10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"a proxy behind a proxy", "10.0.0.1:1", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"a stranger's own claim before it", "10.0.0.1:1", []string{"192.0.2.66", "198.51.100.1"}, "198.51.100.1"},
		{"nonsense", "10.0.0.1:1", []string{"not an address"}, "10.0.0.1"},
		{"nothing", "10.0.0.1:1", nil, "10.0.0.1"},
		{"an IPv4-mapped peer", "[::ffff:10.0.0.1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = test.peer
		r.Header["X-Forwarded-For"] = test.forwarded
		if got := forwardedAddr(r, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}).String(); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestOneIPv6CustomerIsOneKey(t *testing.T) {
	key := func(addr string) string { return limitKey(netip.MustParseAddr(addr)) }
	if key("2001:db8::1") != key("2001:db8::ffff:2") || key("2001:db8::1") == key("2001:db8:0:1::1") {
		t.Error("limits do not count a /64 as one")
	}
}
