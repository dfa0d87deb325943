package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// now is the suite's clock. No store looks at another one.
var now = time.Date(2031, time.May, 4, 10, 20, 30, 0, time.UTC)

// Backend is what Run tests.
type Backend struct {
	// Create makes an empty database and returns what opens a store on it. Run closes
	// the stores.
	Create func(*testing.T) (open func(*testing.T) store.Store)
	// Shared says that several stores can be open on one database at once, which then
	// have to behave as one.
	Shared bool
}

// Run tests the backend's stores and, where they can share a database, once more
// with two stores that take turns, as two replicas behind a load balancer do.
func Run(t *testing.T, b Backend) {
	t.Run("one store", func(t *testing.T) {
		run(t, func(t *testing.T) store.Store { return opened(t, b.Create(t)) })
	})
	if b.Shared {
		t.Run("two stores on one database", func(t *testing.T) {
			run(t, func(t *testing.T) store.Store {
				open := b.Create(t)
				return &replicas{stores: []store.Store{opened(t, open), opened(t, open)}}
			})
		})
	}
}

func opened(t *testing.T, open func(*testing.T) store.Store) store.Store {
	t.Helper()
	s := open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if err := s.Ping(t.Context()); err != nil {
		t.Fatalf("Ping: %v", err)
	}
	return s
}

func run(t *testing.T, open func(*testing.T) store.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"registrations", registrations},
		{"total quota", totalQuota},
		{"quota of a resource", resourceQuota},
		{"codes", codes},
		{"redemption", redemption},
		{"grants", grants},
		{"rotation", rotation},
		{"revocation", revocation},
		{"revocations", revocations},
		{"pushed requests", pushedRequests},
		{"sessions", sessions},
		{"consents", consents},
		{"keys used once", keysUsedOnce},
		{"buckets", buckets},
		{"cleaning", cleaning},
		{"cancellation", cancellation},
		{"strange texts", strangeTexts},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// newCode is a code that expires ten minutes after now, with a grant that can be
// refreshed for a month and ends after a year.
func newCode(change func(*store.Code)) store.Code {
	c := store.Code{
		Hash:            credential.HashOf(credential.Random(32)),
		RedirectURI:     "http://127.0.0.1:8765/callback",
		RedirectURISent: true,
		Challenge:       "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		Nonce:           "n-0S6_WzA2Mj",
		KeyThumbprint:   "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
		Expires:         now.Add(10 * time.Minute),
		Grant: store.Grant{
			ID:       credential.Random(16),
			ClientID: "agent",
			User: store.User{
				Subject:      "people|alice",
				Email:        "alice@example.com",
				Organization: "example",
				Groups:       []string{"staff", `with "quotes", commas and ünïcode`},
				Provider:     "people",
				AuthTime:     now.Add(-time.Minute),
				ACR:          "https://refeds.org/profile/mfa",
			},
			Resources:   []oauth.ResourceID{"apps-todo", "apps-mail"},
			Issuer:      "https://auth.example.com/resources/apps-todo",
			Scope:       oauth.NewScopeSet("todo:write", "todo:read"),
			Created:     now,
			Refreshable: true,
			Generation:  1,
			IdleExpires: now.Add(30 * 24 * time.Hour),
			MaxExpires:  now.Add(365 * 24 * time.Hour),
		},
	}
	if change != nil {
		change(&c)
	}
	return c
}

// created stores a code and returns it.
func created(t *testing.T, s store.Store, change func(*store.Code)) store.Code {
	t.Helper()
	c := newCode(change)
	if err := s.CreateCode(t.Context(), c); err != nil {
		t.Fatalf("CreateCode: %v", err)
	}
	return c
}

// redeemed stores a code, redeems it at once and returns its grant.
func redeemed(t *testing.T, s store.Store, change func(*store.Code)) store.Grant {
	t.Helper()
	g, err := s.RedeemCode(t.Context(), created(t, s, change).Hash, now)
	if err != nil {
		t.Fatalf("RedeemCode: %v", err)
	}
	return g
}

// rotationOf presents a generation of a grant one second after now.
func rotationOf(g store.Grant, generation int64) store.Rotation {
	at := now.Add(time.Second)
	return store.Rotation{
		GrantID: g.ID, Generation: generation, Now: at,
		Grace: 30 * time.Second, IdleExpires: at.Add(30 * 24 * time.Hour),
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func wantSame[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b credential.Hash) bool { return a == b })); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// wantGrant asserts what the store now says of a grant.
func wantGrant(t *testing.T, s store.Store, want store.Grant) {
	t.Helper()
	got, err := s.Grant(t.Context(), want.ID, now)
	if err != nil {
		t.Errorf("Grant: %v", err)
		return
	}
	wantSame(t, "the grant", got, want)
}

// outcome is what one of many concurrent callers got.
type outcome[T any] struct {
	got T
	err error
}

// atOnce lets n callers begin together and waits for all of them.
func atOnce[T any](n int, call func() (T, error)) []outcome[T] {
	start, results := make(chan struct{}), make(chan outcome[T], n)
	for range n {
		go func() {
			<-start
			got, err := call()
			results <- outcome[T]{got, err}
		}()
	}
	close(start)
	outcomes := make([]outcome[T], 0, n)
	for range n {
		outcomes = append(outcomes, <-results)
	}
	return outcomes
}

// tally counts how many callers won, and asserts that the others lost as they
// should.
func tally[T any](t *testing.T, outcomes []outcome[T], lost error) int {
	t.Helper()
	won := 0
	for _, o := range outcomes {
		switch {
		case o.err == nil:
			won++
		case !errors.Is(o.err, lost):
			t.Errorf("got error %v, want %v", o.err, lost)
		}
	}
	return won
}

// trues counts the callers who were told yes.
func trues(t *testing.T, outcomes []outcome[bool]) int {
	t.Helper()
	yes := 0
	for _, o := range outcomes {
		wantErr(t, "one of many", o.err, nil)
		if o.got {
			yes++
		}
	}
	return yes
}
