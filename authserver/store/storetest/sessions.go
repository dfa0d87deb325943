package storetest

import (
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

func newSession() store.Session {
	return store.Session{
		Hash: credential.HashOf(credential.Random(32)), User: newCode(nil).Grant.User, Created: now, Expires: now.Add(time.Hour),
	}
}

func sessions(t *testing.T, s store.Store) {
	begun := func(t *testing.T) store.Session {
		t.Helper()
		session := newSession()
		wantErr(t, "CreateSession", s.CreateSession(t.Context(), session), nil)
		return session
	}
	t.Run("a session is read as it was created", func(t *testing.T) {
		want := begun(t)
		got, err := s.Session(t.Context(), want.Hash, now)
		wantErr(t, "Session", err, nil)
		wantSame(t, "the session", got, want)
	})
	t.Run("a session ends with its expiry", func(t *testing.T) {
		session := begun(t)
		_, err := s.Session(t.Context(), session.Hash, session.Expires.Add(-time.Millisecond))
		wantErr(t, "Session just before", err, nil)
		_, err = s.Session(t.Context(), session.Hash, session.Expires)
		wantErr(t, "Session at it", err, store.ErrNotFound)
	})
	t.Run("a deleted session is not found, and others are", func(t *testing.T) {
		session, other := begun(t), begun(t)
		for range 2 {
			wantErr(t, "DeleteSession", s.DeleteSession(t.Context(), session.Hash), nil)
		}
		_, err := s.Session(t.Context(), session.Hash, now)
		wantErr(t, "Session", err, store.ErrNotFound)
		_, err = s.Session(t.Context(), other.Hash, now)
		wantErr(t, "Session of the other", err, nil)
	})
	t.Run("an unknown session is not found", func(t *testing.T) {
		for _, hash := range []credential.Hash{credential.HashOf("a guess"), {}} {
			_, err := s.Session(t.Context(), hash, now)
			wantErr(t, "Session", err, store.ErrNotFound)
		}
	})
	t.Run("a session is nobody else's", func(t *testing.T) {
		first := begun(t)
		second := newSession()
		second.Hash, second.User.Subject = first.Hash, "people|mallory"
		if s.CreateSession(t.Context(), second) == nil {
			t.Error("CreateSession replaced a session")
		}
		got, err := s.Session(t.Context(), first.Hash, now)
		wantErr(t, "Session", err, nil)
		wantSame(t, "the session", got, first)
	})
	t.Run("a session without a hash or an expiry is refused", func(t *testing.T) {
		nameless, endless := newSession(), newSession()
		nameless.Hash, endless.Expires = credential.Hash{}, time.Time{}
		for _, session := range []store.Session{nameless, endless} {
			if s.CreateSession(t.Context(), session) == nil {
				t.Errorf("CreateSession took %+v", session)
			}
		}
	})
}
