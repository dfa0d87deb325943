package storetest

import (
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
)

// aged makes a registration one of a resource that was created so long ago and
// never expires.
func aged(age time.Duration, resource oauth.ResourceID) func(*store.Registration) {
	return func(r *store.Registration) { r.Created, r.Resource, r.Expires = now.Add(-age), resource, time.Time{} }
}

// come tries to create a registration now.
func come(t *testing.T, s store.Store, resource oauth.ResourceID, q store.Quota) (store.Registration, error) {
	r := newRegistration(aged(0, resource))
	return r, s.CreateRegistration(t.Context(), r, q)
}

func wantGone(t *testing.T, s store.Store, r store.Registration) {
	t.Helper()
	_, err := s.Registration(t.Context(), r.ClientID, now)
	wantErr(t, "Registration", err, store.ErrNotFound)
}

// totalQuota and resourceQuota begin with an empty store each, since all
// registrations count.
func totalQuota(t *testing.T, s store.Store) {
	t.Run("a hundred callers at once create as many as may be kept", func(t *testing.T) {
		outcomes := atOnce(100, func() (store.Registration, error) { return come(t, s, "a", store.Quota{Total: 10}) })
		wantSame(t, "registrations created", tally(t, outcomes, store.ErrQuota), 10)
		for _, o := range outcomes {
			if o.err != nil {
				wantGone(t, s, o.got)
			}
		}
	})
	t.Run("the oldest that was never used makes room, of whatever resource", func(t *testing.T) {
		older, oldest := registered(t, s, aged(2*time.Hour, "b")), registered(t, s, aged(3*time.Hour, "c"))
		_, err := come(t, s, "d", store.Quota{Total: 12})
		wantErr(t, "CreateRegistration", err, nil)
		wantGone(t, s, oldest)
		wantRegistration(t, s, older)
	})
	t.Run("a quota that has shrunk is met as far as it can be, and refuses", func(t *testing.T) {
		older := registered(t, s, aged(2*time.Hour, "b"))
		_, err := come(t, s, "a", store.Quota{Total: 5})
		wantErr(t, "CreateRegistration", err, store.ErrQuota)
		wantGone(t, s, older)
	})
}

func resourceQuota(t *testing.T, s store.Store) {
	t.Run("a resource has a quota of its own", func(t *testing.T) {
		outcomes := atOnce(30, func() (store.Registration, error) { return come(t, s, "a", store.Quota{Total: 1000, Resource: 5}) })
		wantSame(t, "registrations of the resource", tally(t, outcomes, store.ErrQuota), 5)
		_, err := come(t, s, "b", store.Quota{Total: 1000, Resource: 5})
		wantErr(t, "CreateRegistration of another resource", err, nil)
		_, err = come(t, s, "b", store.Quota{Total: 6, Resource: 5})
		wantErr(t, "CreateRegistration at the total", err, store.ErrQuota)
	})
	t.Run("the oldest that were never used make room, when they are older than an hour", func(t *testing.T) {
		oldest, used := registered(t, s, aged(4*time.Hour, "c")), registered(t, s, aged(3*time.Hour, "c"))
		older, young := registered(t, s, aged(time.Hour, "c")), registered(t, s, aged(time.Hour-time.Millisecond, "c"))
		foreign := registered(t, s, aged(5*time.Hour, "d"))
		redeemed(t, s, ofClient(used))
		full := store.Quota{Resource: 4}

		first, err := come(t, s, "c", full)
		wantErr(t, "CreateRegistration", err, nil)
		wantGone(t, s, oldest)
		wantRegistration(t, s, older)
		second, err := come(t, s, "c", full)
		wantErr(t, "CreateRegistration", err, nil)
		wantGone(t, s, older)
		_, err = come(t, s, "c", full)
		wantErr(t, "CreateRegistration without room", err, store.ErrQuota)
		for _, r := range []store.Registration{used, young, first, second, foreign} {
			wantRegistration(t, s, r)
		}
	})
	t.Run("who is refused for an id that is taken costs nobody the place", func(t *testing.T) {
		old := registered(t, s, aged(2*time.Hour, "e"))
		again := newRegistration(aged(0, "e"))
		again.ClientID = old.ClientID
		wantErr(t, "CreateRegistration", s.CreateRegistration(t.Context(), again, store.Quota{Resource: 1}), store.ErrExists)
		wantRegistration(t, s, old)
	})
}
