package storetest

import (
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

func newPushedRequest() store.PushedRequest {
	return store.PushedRequest{
		Hash: credential.HashOf(credential.Random(32)), ClientID: "agent", Issuer: "https://auth.example.com",
		Parameters: "response_type=code&state=a%00b%20c", Expires: now.Add(time.Hour),
	}
}

func pushed(t *testing.T, s store.Store) store.PushedRequest {
	t.Helper()
	p := newPushedRequest()
	if err := s.CreatePushedRequest(t.Context(), p); err != nil {
		t.Fatalf("CreatePushedRequest: %v", err)
	}
	return p
}

func pushedRequests(t *testing.T, s store.Store) {
	t.Run("a request is taken as it was pushed, and once", func(t *testing.T) {
		want := pushed(t, s)
		got, err := s.TakePushedRequest(t.Context(), want.Hash, now)
		wantErr(t, "TakePushedRequest", err, nil)
		wantSame(t, "the request", got, want)
		_, err = s.TakePushedRequest(t.Context(), want.Hash, now)
		wantErr(t, "TakePushedRequest again", err, store.ErrNotFound)
	})
	t.Run("one of a hundred callers at once takes it", func(t *testing.T) {
		want := pushed(t, s)
		outcomes := atOnce(100, func() (store.PushedRequest, error) { return s.TakePushedRequest(t.Context(), want.Hash, now) })
		wantSame(t, "callers who took it", tally(t, outcomes, store.ErrNotFound), 1)
	})
	t.Run("an expired request is not taken", func(t *testing.T) {
		p := pushed(t, s)
		_, err := s.TakePushedRequest(t.Context(), p.Hash, p.Expires)
		wantErr(t, "TakePushedRequest", err, store.ErrNotFound)
		_, err = s.TakePushedRequest(t.Context(), p.Hash, p.Expires.Add(-time.Millisecond))
		wantErr(t, "TakePushedRequest just before", err, nil)
	})
	t.Run("an unknown request is not found, and taking it takes no other", func(t *testing.T) {
		p := pushed(t, s)
		for _, hash := range []credential.Hash{credential.HashOf("a guess"), {}} {
			_, err := s.TakePushedRequest(t.Context(), hash, now)
			wantErr(t, "TakePushedRequest", err, store.ErrNotFound)
		}
		_, err := s.TakePushedRequest(t.Context(), p.Hash, now)
		wantErr(t, "TakePushedRequest of the other", err, nil)
	})
	t.Run("a request is pushed once", func(t *testing.T) {
		first := pushed(t, s)
		second := newPushedRequest()
		second.Hash, second.ClientID = first.Hash, "intruder"
		if s.CreatePushedRequest(t.Context(), second) == nil {
			t.Error("CreatePushedRequest replaced a request")
		}
		got, err := s.TakePushedRequest(t.Context(), first.Hash, now)
		wantErr(t, "TakePushedRequest", err, nil)
		wantSame(t, "the request", got, first)
	})
	t.Run("a request without a hash or an expiry is refused", func(t *testing.T) {
		nameless, endless := newPushedRequest(), newPushedRequest()
		nameless.Hash, endless.Expires = credential.Hash{}, time.Time{}
		for _, p := range []store.PushedRequest{nameless, endless} {
			if s.CreatePushedRequest(t.Context(), p) == nil {
				t.Errorf("CreatePushedRequest took %+v", p)
			}
		}
	})
}
