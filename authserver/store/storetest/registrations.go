package storetest

import (
	"testing"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

func registrations(t *testing.T, s store.Store) {
	full := store.Registration{
		ClientID:     "reg-1",
		Resource:     "apps-todo",
		Name:         `A "client" with <markup>`,
		RedirectURIs: []string{"cursor://anysphere.cursor-mcp/oauth/callback", "https://example.com/cb?a=b,c"},
		GrantTypes:   []string{"authorization_code", "refresh_token"},
		AuthMethod:   "client_secret_basic",
		Secret:       credential.HashOf("the secret of reg-1, long enough to be one"),
		Created:      now,
	}
	t.Run("a registration is read as it was created", func(t *testing.T) {
		if err := s.CreateRegistration(t.Context(), full); err != nil {
			t.Fatalf("CreateRegistration: %v", err)
		}
		got, err := s.Registration(t.Context(), full.ClientID)
		wantErr(t, "Registration", err, nil)
		wantSame(t, "its secret's hash", got.Secret.String(), full.Secret.String())
		if !got.Secret.Matches("the secret of reg-1, long enough to be one") {
			t.Error("the stored hash does not match the secret")
		}
		got.Secret, full.Secret = credential.Hash{}, credential.Hash{}
		wantSame(t, "the rest of it", withoutHash(got), withoutHash(full))
	})
	t.Run("a public client has no secret and matches none", func(t *testing.T) {
		if err := s.CreateRegistration(t.Context(), store.Registration{ClientID: "public", AuthMethod: "none", Created: now}); err != nil {
			t.Fatalf("CreateRegistration: %v", err)
		}
		got, err := s.Registration(t.Context(), "public")
		wantErr(t, "Registration", err, nil)
		if got.Secret.Matches("") || got.Secret.String() != "" {
			t.Error("a registration without a secret came back with one")
		}
	})
	t.Run("an id that is taken is not taken over", func(t *testing.T) {
		intruder := store.Registration{ClientID: full.ClientID, Name: "intruder", RedirectURIs: []string{"https://evil.example/"}, Created: now}
		wantErr(t, "CreateRegistration", s.CreateRegistration(t.Context(), intruder), store.ErrExists)
		got, err := s.Registration(t.Context(), full.ClientID)
		wantErr(t, "Registration", err, nil)
		wantSame(t, "its redirect URIs", got.RedirectURIs, full.RedirectURIs)
	})
	t.Run("an unknown id is not found, also one that differs in case", func(t *testing.T) {
		for _, id := range []string{"", "unknown", "REG-1", "reg-1 ", "reg-%"} {
			_, err := s.Registration(t.Context(), id)
			wantErr(t, "Registration "+id, err, store.ErrNotFound)
		}
	})
}

// withoutHash is a registration that cmp can look into.
func withoutHash(r store.Registration) any {
	return struct {
		ClientID, Resource, Name, AuthMethod string
		RedirectURIs, GrantTypes             []string
		Created                              int64
	}{r.ClientID, string(r.Resource), r.Name, r.AuthMethod, r.RedirectURIs, r.GrantTypes, r.Created.UnixNano()}
}
