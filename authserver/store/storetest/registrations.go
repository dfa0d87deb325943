package storetest

import (
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// unbounded is the quota of tests that are not about it.
var unbounded store.Quota

// newRegistration is one with an id of its own and everything that one can have.
func newRegistration(change func(*store.Registration)) store.Registration {
	r := store.Registration{
		ClientID:              store.RegistrationPrefix + credential.Random(16),
		Resource:              "apps-todo",
		Name:                  `A "client" with <markup>`,
		RedirectURIs:          []string{"cursor://anysphere.cursor-mcp/oauth/callback", "https://example.com/cb?a=b,c"},
		GrantTypes:            []string{"authorization_code", "refresh_token"},
		AuthMethod:            "client_secret_basic",
		JWKS:                  `{"keys":[]}`,
		JWKSURI:               "https://example.com/jwks",
		RequirePushedRequests: true,
		RequireDPoP:           true,
		Secret:                credential.HashOf("a secret that is long enough to be one"),
		Token:                 credential.HashOf("a registration token"),
		Created:               now,
		Expires:               now.Add(7 * 24 * time.Hour),
	}
	if change != nil {
		change(&r)
	}
	return r
}

// registered stores a registration and returns it.
func registered(t *testing.T, s store.Store, change func(*store.Registration)) store.Registration {
	t.Helper()
	r := newRegistration(change)
	if err := s.CreateRegistration(t.Context(), r, unbounded); err != nil {
		t.Fatalf("CreateRegistration: %v", err)
	}
	return r
}

// wantRegistration asserts what the store says of a registration.
func wantRegistration(t *testing.T, s store.Store, want store.Registration) {
	t.Helper()
	got, err := s.Registration(t.Context(), want.ClientID, now)
	wantErr(t, "Registration", err, nil)
	wantSame(t, "the registration", got, want)
}

func registrations(t *testing.T, s store.Store) {
	t.Run("a registration is read as it was created", func(t *testing.T) {
		wantRegistration(t, s, registered(t, s, nil))
	})
	t.Run("a public client without anything has no secret and matches none", func(t *testing.T) {
		bare := store.Registration{ClientID: "public", AuthMethod: "none", Created: now}
		wantErr(t, "CreateRegistration", s.CreateRegistration(t.Context(), bare, unbounded), nil)
		wantRegistration(t, s, bare)
		got, err := s.Registration(t.Context(), "public", now.Add(1000*24*time.Hour))
		wantErr(t, "Registration much later", err, nil)
		if got.Secret.Matches("") || got.Token.Matches("") {
			t.Error("a registration without a secret came back with one")
		}
	})
	t.Run("an id that is taken is not taken over", func(t *testing.T) {
		first := registered(t, s, nil)
		intruder := newRegistration(func(r *store.Registration) { r.ClientID, r.Name = first.ClientID, "intruder" })
		for _, q := range []store.Quota{unbounded, {Total: 1}, {Total: 1000, Resource: 1000}} {
			wantErr(t, "CreateRegistration", s.CreateRegistration(t.Context(), intruder, q), store.ErrExists)
		}
		wantRegistration(t, s, first)
	})
	t.Run("an unknown id is not found, also one that differs in case", func(t *testing.T) {
		registered(t, s, func(r *store.Registration) { r.ClientID = "reg-1" })
		for _, id := range []string{"", "unknown", "REG-1", "reg-1 ", "reg-%"} {
			_, err := s.Registration(t.Context(), id, now)
			wantErr(t, "Registration "+id, err, store.ErrNotFound)
		}
	})
	t.Run("an expired registration is not found", func(t *testing.T) {
		r := registered(t, s, nil)
		_, err := s.Registration(t.Context(), r.ClientID, r.Expires.Add(-time.Millisecond))
		wantErr(t, "Registration just before", err, nil)
		_, err = s.Registration(t.Context(), r.ClientID, r.Expires)
		wantErr(t, "Registration at its expiry", err, store.ErrNotFound)
	})
	t.Run("an update replaces what a client may change and nothing else", func(t *testing.T) {
		r, other := registered(t, s, nil), registered(t, s, nil)
		wish := store.Registration{
			ClientID: r.ClientID, Resource: "apps-other", Name: "renamed", RedirectURIs: []string{"https://example.com/new"},
			GrantTypes: []string{"authorization_code"}, AuthMethod: "none", Created: now.Add(time.Hour), Expires: now.Add(1000 * time.Hour),
			Token: credential.HashOf("another registration token"),
		}
		wantErr(t, "UpdateRegistration", s.UpdateRegistration(t.Context(), wish), nil)
		want := wish
		want.Resource, want.Created, want.Expires = r.Resource, r.Created, r.Expires
		wantRegistration(t, s, want)
		wantRegistration(t, s, other)
	})
	t.Run("what is not there is not updated and does not come into being", func(t *testing.T) {
		r := newRegistration(nil)
		wantErr(t, "UpdateRegistration", s.UpdateRegistration(t.Context(), r), store.ErrNotFound)
		_, err := s.Registration(t.Context(), r.ClientID, now)
		wantErr(t, "Registration", err, store.ErrNotFound)
	})
	deletionOfRegistrations(t, s)
	useOfRegistrations(t, s)
}

// ofClient makes a code one of the client.
func ofClient(r store.Registration) func(*store.Code) {
	return func(c *store.Code) { c.Grant.ClientID = r.ClientID }
}

func deletionOfRegistrations(t *testing.T, s store.Store) {
	t.Run("a deleted registration is gone, and its grants are revoked", func(t *testing.T) {
		r, other := registered(t, s, nil), registered(t, s, nil)
		first, second, foreign := redeemed(t, s, ofClient(r)), redeemed(t, s, ofClient(r)), redeemed(t, s, ofClient(other))
		wantErr(t, "DeleteRegistration", s.DeleteRegistration(t.Context(), r.ClientID, now), nil)
		_, err := s.Registration(t.Context(), r.ClientID, now)
		wantErr(t, "Registration", err, store.ErrNotFound)
		for _, g := range []store.Grant{first, second} {
			_, err = s.Grant(t.Context(), g.ID, now)
			wantErr(t, "Grant", err, store.ErrRevoked)
			wantRevoked(t, s, g.ID, true)
		}
		wantGrant(t, s, foreign)
		wantRevoked(t, s, foreign.ID, false)
		wantErr(t, "DeleteRegistration again", s.DeleteRegistration(t.Context(), r.ClientID, now), store.ErrNotFound)
	})
	t.Run("what is not there is not deleted, and revokes nothing", func(t *testing.T) {
		g := redeemed(t, s, nil)
		wantErr(t, "DeleteRegistration", s.DeleteRegistration(t.Context(), g.ClientID, now), store.ErrNotFound)
		wantGrant(t, s, g)
	})
	t.Run("one of many callers at once deletes it", func(t *testing.T) {
		r := registered(t, s, nil)
		outcomes := atOnce(20, func() (any, error) { return nil, s.DeleteRegistration(t.Context(), r.ClientID, now) })
		wantSame(t, "callers who deleted it", tally(t, outcomes, store.ErrNotFound), 1)
	})
}

func useOfRegistrations(t *testing.T, s store.Store) {
	const month = 30 * 24 * time.Hour
	expiry := func(t *testing.T, r store.Registration) time.Time {
		t.Helper()
		got, err := s.Registration(t.Context(), r.ClientID, now)
		wantErr(t, "Registration", err, nil)
		return got.Expires
	}
	t.Run("a registration outlives what was granted to it by a month", func(t *testing.T) {
		r := registered(t, s, nil)
		g := redeemed(t, s, ofClient(r))
		if got := expiry(t, r); got.Before(g.MaxExpires.Add(month)) {
			t.Errorf("it expires %v, and its grant ends %v", got, g.MaxExpires)
		}
		later := redeemed(t, s, func(c *store.Code) {
			ofClient(r)(c)
			c.Grant.MaxExpires = c.Grant.MaxExpires.Add(2 * month)
		})
		if got := expiry(t, r); got.Before(later.MaxExpires.Add(month)) {
			t.Errorf("it expires %v, and its last grant ends %v", got, later.MaxExpires)
		}
	})
	t.Run("a use never shortens it", func(t *testing.T) {
		long := registered(t, s, func(r *store.Registration) { r.Expires = now.Add(10000 * 24 * time.Hour) })
		redeemed(t, s, ofClient(long))
		wantSame(t, "its expiry", expiry(t, long), long.Expires)
		forever := registered(t, s, func(r *store.Registration) { r.Expires = time.Time{} })
		redeemed(t, s, ofClient(forever))
		wantSame(t, "the expiry of one that never expires", expiry(t, forever), time.Time{})
	})
	t.Run("a code that is not redeemed is no use", func(t *testing.T) {
		r := registered(t, s, nil)
		c := created(t, s, ofClient(r))
		_, err := s.RedeemCode(t.Context(), c.Hash, c.Expires)
		wantErr(t, "RedeemCode", err, store.ErrNotFound)
		wantRegistration(t, s, r)
	})
	t.Run("grants of other clients have no registration to extend", func(t *testing.T) {
		wantGrant(t, s, redeemed(t, s, func(c *store.Code) { c.Grant.ClientID = store.RegistrationPrefix + "deleted" }))
	})
}
