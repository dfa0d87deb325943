package storetest

import (
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
)

func newConsent(change func(*store.Consent)) store.Consent {
	c := store.Consent{
		Subject: "people|alice", ClientID: "agent", Resource: "apps-todo", RedirectHost: "example.com",
		Scope: oauth.NewScopeSet("todo:write", "todo:read"), Given: now, Expires: now.Add(time.Hour),
	}
	if change != nil {
		change(&c)
	}
	return c
}

func consents(t *testing.T, s store.Store) {
	given := func(t *testing.T, change func(*store.Consent)) store.Consent {
		t.Helper()
		c := newConsent(change)
		wantErr(t, "SaveConsent", s.SaveConsent(t.Context(), c), nil)
		return c
	}
	find := func(c store.Consent, at time.Time) (store.Consent, error) {
		return s.Consent(t.Context(), c.Subject, c.ClientID, c.Resource, c.RedirectHost, at)
	}
	t.Run("a consent is read as it was given", func(t *testing.T) {
		want := given(t, nil)
		got, err := find(want, now)
		wantErr(t, "Consent", err, nil)
		wantSame(t, "the consent", got, want)
	})
	t.Run("a consent ends with its expiry", func(t *testing.T) {
		c := given(t, nil)
		_, err := find(c, c.Expires.Add(-time.Millisecond))
		wantErr(t, "Consent just before", err, nil)
		_, err = find(c, c.Expires)
		wantErr(t, "Consent at it", err, store.ErrNotFound)
	})
	t.Run("a consent replaces the one before", func(t *testing.T) {
		given(t, nil)
		want := given(t, func(c *store.Consent) {
			c.Scope, c.Given, c.Expires = oauth.NewScopeSet("todo:read"), now.Add(time.Minute), now.Add(2*time.Hour)
		})
		got, err := find(want, now)
		wantErr(t, "Consent", err, nil)
		wantSame(t, "the consent", got, want)
	})
	t.Run("many callers at once leave one consent", func(t *testing.T) {
		c := newConsent(func(c *store.Consent) { c.Subject = "people|many" })
		outcomes := atOnce(50, func() (any, error) { return nil, s.SaveConsent(t.Context(), c) })
		wantSame(t, "callers without an error", tally(t, outcomes, nil), 50)
		all, err := s.ConsentsOf(t.Context(), c.Subject, now, 10)
		wantErr(t, "ConsentsOf", err, nil)
		wantSame(t, "the consents", all, []store.Consent{c})
	})
	t.Run("a consent is for this user, client, resource and redirect host alone", func(t *testing.T) {
		c := given(t, nil)
		for name, change := range map[string]func(*store.Consent){
			"user":          func(c *store.Consent) { c.Subject = "people|bob" },
			"client":        func(c *store.Consent) { c.ClientID = "another" },
			"resource":      func(c *store.Consent) { c.Resource = "apps-mail" },
			"redirect host": func(c *store.Consent) { c.RedirectHost = "evil.example" },
			"spelling":      func(c *store.Consent) { c.RedirectHost = "EXAMPLE.com" },
		} {
			other := c
			change(&other)
			_, err := find(other, now)
			wantErr(t, "Consent with another "+name, err, store.ErrNotFound)
		}
	})
	t.Run("a consent without an end is refused", func(t *testing.T) {
		c := newConsent(func(c *store.Consent) { c.ClientID, c.Expires = "endless", time.Time{} })
		if s.SaveConsent(t.Context(), c) == nil {
			t.Error("SaveConsent took it")
		}
	})
	t.Run("a user's consents are listed, the newest first, and forgotten by client", func(t *testing.T) {
		of := func(client string, age time.Duration, change func(*store.Consent)) store.Consent {
			return given(t, func(c *store.Consent) {
				c.Subject, c.ClientID, c.Given = "people|bob", client, now.Add(-age)
				if change != nil {
					change(c)
				}
			})
		}
		old, newest := of("agent", 3*time.Hour, nil), of("another", time.Hour, nil)
		middle := of("agent", 2*time.Hour, func(c *store.Consent) { c.Resource = "apps-mail" })
		of("third", 0, func(c *store.Consent) { c.Expires = now })
		foreign := given(t, func(c *store.Consent) { c.Subject = "people|bobby" })
		for limit, want := range map[int][]store.Consent{10: {newest, middle, old}, 1: {newest}, 0: nil} {
			got, err := s.ConsentsOf(t.Context(), "people|bob", now, limit)
			wantErr(t, "ConsentsOf", err, nil)
			wantSame(t, "the consents", got, want)
		}
		for range 2 {
			wantErr(t, "DeleteConsents", s.DeleteConsents(t.Context(), "people|bob", "agent"), nil)
		}
		got, err := s.ConsentsOf(t.Context(), "people|bob", now, 10)
		wantErr(t, "ConsentsOf", err, nil)
		wantSame(t, "what is left", got, []store.Consent{newest})
		_, err = find(foreign, now)
		wantErr(t, "Consent of another user", err, nil)
	})
}
