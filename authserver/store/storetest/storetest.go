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

// Run tests the stores that open returns. Each test opens an empty one and closes
// it.
func Run(t *testing.T, open func(*testing.T) store.Store) {
	for name, test := range map[string]func(*testing.T, store.Store){
		"registrations": registrations,
		"codes":         codes,
		"redemption":    redemption,
		"grants":        grants,
		"rotation":      rotation,
		"revocation":    revocation,
		"cleaning":      cleaning,
		"cancellation":  cancellation,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			if err := s.Ping(t.Context()); err != nil {
				t.Fatalf("Ping: %v", err)
			}
			test(t, s)
		})
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
			},
			Resource:    "apps-todo",
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
	if diff := cmp.Diff(want, got); diff != "" {
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
type outcome struct {
	grant store.Grant
	err   error
}

// atOnce lets n callers begin together and waits for all of them.
func atOnce(n int, call func() (store.Grant, error)) []outcome {
	start, results := make(chan struct{}), make(chan outcome, n)
	for range n {
		go func() {
			<-start
			g, err := call()
			results <- outcome{g, err}
		}()
	}
	close(start)
	outcomes := make([]outcome, 0, n)
	for range n {
		outcomes = append(outcomes, <-results)
	}
	return outcomes
}
