package storetest

import (
	"testing"

	"github.com/mcpauth/mcpauth/authserver/store"
)

// strangeTexts is what strangers can put into a URL and PostgreSQL stores in no
// text.
func strangeTexts(t *testing.T, s store.Store) {
	for name, text := range map[string]string{"with a NUL": "a\x00b", "that is no UTF-8": "a\xffb"} {
		t.Run("an id "+name+" is not found", func(t *testing.T) {
			_, err := s.Registration(t.Context(), text, now)
			wantErr(t, "Registration", err, store.ErrNotFound)
			wantErr(t, "UpdateRegistration", s.UpdateRegistration(t.Context(), store.Registration{ClientID: text}), store.ErrNotFound)
			wantErr(t, "DeleteRegistration", s.DeleteRegistration(t.Context(), text, now), store.ErrNotFound)
			_, err = s.Grant(t.Context(), text, now)
			wantErr(t, "Grant", err, store.ErrNotFound)
			_, err = s.RotateRefresh(t.Context(), rotationOf(store.Grant{ID: text}, 1))
			wantErr(t, "RotateRefresh", err, store.ErrNotFound)
			wantErr(t, "RevokeGrant", s.RevokeGrant(t.Context(), text, now), nil)
			ids, err := s.RevokeGrants(t.Context(), text, text, now)
			wantErr(t, "RevokeGrants", err, nil)
			wantSame(t, "revoked grants", ids, nil)
			_, err = s.GrantsOf(t.Context(), text, now, 10)
			wantErr(t, "GrantsOf", err, nil)
			wantRevoked(t, s, text, false)
			_, err = s.Consent(t.Context(), text, text, "apps-todo", text, now)
			wantErr(t, "Consent", err, store.ErrNotFound)
			_, err = s.ConsentsOf(t.Context(), text, now, 10)
			wantErr(t, "ConsentsOf", err, nil)
			wantErr(t, "DeleteConsents", s.DeleteConsents(t.Context(), text, text), nil)
		})
		t.Run("a text "+name+" is refused, not changed", func(t *testing.T) {
			c := newCode(func(c *store.Code) { c.Nonce = text })
			if s.CreateCode(t.Context(), c) == nil {
				t.Error("CreateCode took it")
			}
			_, err := s.Code(t.Context(), c.Hash)
			wantErr(t, "Code", err, store.ErrNotFound)
			r := newRegistration(func(r *store.Registration) { r.Name = text })
			for _, q := range []store.Quota{unbounded, {Total: 100}} {
				if s.CreateRegistration(t.Context(), r, q) == nil {
					t.Error("CreateRegistration took it")
				}
			}
			wantGone(t, s, r)
		})
	}
	t.Run("a text of other letters, quotes and signs is kept", func(t *testing.T) {
		wantRegistration(t, s, registered(t, s, func(r *store.Registration) {
			r.Name = "ünï 漢字 🙂 'a' \"b\" \\ % _ $1 -- ; \n\t"
			r.RedirectURIs = []string{"", `","`, `\`, `"`, "<&>", "漢", "[]", "a,b"}
		}))
	})
}
