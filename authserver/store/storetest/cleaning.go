package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

func cleaning(t *testing.T, s store.Store) {
	t.Run("an expired code stays for an hour, for replays to be told from guesses", func(t *testing.T) {
		c := created(t, s, nil)
		_, err := s.RedeemCode(t.Context(), c.Hash, now)
		wantErr(t, "RedeemCode", err, nil)
		clean(t, s, c.Expires.Add(59*time.Minute), 0)
		_, err = s.RedeemCode(t.Context(), c.Hash, now)
		wantErr(t, "RedeemCode within the hour", err, store.ErrSpent)
		clean(t, s, c.Expires.Add(2*time.Hour), 1)
		_, err = s.Code(t.Context(), c.Hash)
		wantErr(t, "Code after it", err, store.ErrNotFound)
		wantGrant(t, s, c.Grant)
	})
	t.Run("a batch is bounded, and batches come to an end", func(t *testing.T) {
		emptied(t, s)
		for range 25 {
			created(t, s, nil)
		}
		later := now.Add(24 * time.Hour)
		for _, want := range []int{10, 10, 5, 0} {
			got, err := s.DeleteExpired(t.Context(), later, 10)
			wantErr(t, "DeleteExpired", err, nil)
			wantSame(t, "rows deleted", got, want)
		}
	})
	t.Run("the limit holds over all kinds of rows together", func(t *testing.T) {
		emptied(t, s)
		for range 3 {
			redeemed(t, s, nil)
		}
		for _, want := range []int{4, 2, 0} {
			got, err := s.DeleteExpired(t.Context(), now.Add(400*24*time.Hour), 4)
			wantErr(t, "DeleteExpired", err, nil)
			wantSame(t, "rows deleted", got, want)
		}
	})
	t.Run("a grant is deleted when it has ended and not before", func(t *testing.T) {
		emptied(t, s)
		g := redeemed(t, s, func(c *store.Code) { c.Grant.IdleExpires = c.Grant.MaxExpires })
		clean(t, s, g.MaxExpires.Add(-time.Millisecond), 1) // its code
		wantGrant(t, s, g)
		clean(t, s, g.MaxExpires, 1)
		_, err := s.Grant(t.Context(), g.ID, now)
		wantErr(t, "Grant", err, store.ErrNotFound)
	})
	t.Run("a grant that nobody refreshes any more is deleted, and one without refresh tokens is not", func(t *testing.T) {
		emptied(t, s)
		idle, plain := redeemed(t, s, nil), redeemed(t, s, notRefreshable)
		clean(t, s, idle.IdleExpires.Add(48*time.Hour), 3) // with both codes
		_, err := s.Grant(t.Context(), idle.ID, now)
		wantErr(t, "Grant", err, store.ErrNotFound)
		wantGrant(t, s, plain)
	})
	t.Run("a revoked grant stays for a day", func(t *testing.T) {
		emptied(t, s)
		g := redeemed(t, s, nil)
		wantErr(t, "RevokeGrant", s.RevokeGrant(t.Context(), g.ID, now), nil)
		again := s.RevokeGrant(t.Context(), g.ID, now.Add(20*time.Hour)) // which does not begin the day again
		wantErr(t, "RevokeGrant again", again, nil)
		clean(t, s, now.Add(23*time.Hour), 2) // its code, and the entry among the revocations
		_, err := s.Grant(t.Context(), g.ID, now)
		wantErr(t, "Grant within the day", err, store.ErrRevoked)
		clean(t, s, now.Add(25*time.Hour), 1)
		_, err = s.Grant(t.Context(), g.ID, now)
		wantErr(t, "Grant after it", err, store.ErrNotFound)
	})
	t.Run("a grant that is refreshed stays, however often cleaning has looked at it", func(t *testing.T) {
		emptied(t, s)
		g := redeemed(t, s, nil)
		clean(t, s, now.Add(2*time.Hour), 1) // its code
		at := now
		for range 5 {
			at = at.Add(29 * 24 * time.Hour)
			var err error
			g, err = s.RotateRefresh(t.Context(), store.Rotation{GrantID: g.ID, Generation: g.Generation, Now: at, IdleExpires: at.Add(30 * 24 * time.Hour)})
			wantErr(t, "RotateRefresh", err, nil)
			clean(t, s, at.Add(2*24*time.Hour), 0)
		}
		_, err := s.Grant(t.Context(), g.ID, at)
		wantErr(t, "Grant", err, nil)
		clean(t, s, g.IdleExpires.Add(25*time.Hour), 1)
	})
	t.Run("a grant that is revoked after it was refreshed stays for a day all the same", func(t *testing.T) {
		emptied(t, s)
		g := redeemed(t, s, nil)
		at := g.IdleExpires.Add(-time.Hour)
		_, err := s.RotateRefresh(t.Context(), store.Rotation{GrantID: g.ID, Generation: 1, Now: at, IdleExpires: at.Add(30 * 24 * time.Hour)})
		wantErr(t, "RotateRefresh", err, nil)
		at = g.IdleExpires.Add(23 * time.Hour)
		wantErr(t, "RevokeGrant", s.RevokeGrant(t.Context(), g.ID, at), nil)
		clean(t, s, at.Add(2*time.Hour), 2) // its code and its revocation
		clean(t, s, at.Add(23*time.Hour), 0)
		_, err = s.Grant(t.Context(), g.ID, at)
		wantErr(t, "Grant", err, store.ErrRevoked)
		clean(t, s, at.Add(25*time.Hour), 1)
	})
	t.Run("everything else is deleted when it has expired and not before", func(t *testing.T) {
		emptied(t, s)
		end := now.Add(time.Hour)
		wantErr(t, "CreatePushedRequest", s.CreatePushedRequest(t.Context(), newPushedRequest()), nil)
		wantErr(t, "CreateSession", s.CreateSession(t.Context(), newSession()), nil)
		wantErr(t, "SaveConsent", s.SaveConsent(t.Context(), newConsent(nil)), nil)
		wantErr(t, "RevokeToken", s.RevokeToken(t.Context(), "a token's jti", end), nil)
		_, err := s.UseOnce(t.Context(), credential.HashOf("a key"), end)
		wantErr(t, "UseOnce", err, nil)
		_, err = s.Take(t.Context(), credential.HashOf("a bucket"), store.Rate{Every: time.Hour, Burst: 3}, now)
		wantErr(t, "Take", err, nil)
		registered(t, s, func(r *store.Registration) { r.Expires = end })
		clean(t, s, end.Add(-time.Millisecond), 0)
		clean(t, s, end, 7)
		clean(t, s, end, 0)
	})
	t.Run("registrations without an expiry stay", func(t *testing.T) {
		r := registered(t, s, func(r *store.Registration) { r.Expires = time.Time{} })
		emptied(t, s)
		wantRegistration(t, s, r)
	})
}

// clean deletes what has ended at a time and asserts how much that was.
func clean(t *testing.T, s store.Store, at time.Time, want int) {
	t.Helper()
	got, err := s.DeleteExpired(t.Context(), at, 1000)
	if err != nil {
		t.Fatalf("DeleteExpired: %v", err)
	}
	wantSame(t, "rows deleted", got, want)
}

// emptied deletes what tests before left.
func emptied(t *testing.T, s store.Store) {
	t.Helper()
	if _, err := s.DeleteExpired(t.Context(), now.Add(100*365*24*time.Hour), 1000); err != nil {
		t.Fatalf("DeleteExpired: %v", err)
	}
}

// cancellation hangs up on requests at every point of their way. Whatever had
// not happened by then must not happen by half, and the store goes on.
func cancellation(t *testing.T, s store.Store) {
	t.Run("a request that is given up leaves a code whole: unspent, or spent with its grant", func(t *testing.T) {
		for i := range 60 {
			c := created(t, s, nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*20*time.Microsecond)
			_, _ = s.RedeemCode(ctx, c.Hash, now) // either way is right, if it is whole
			cancel()
			got, err := s.Code(t.Context(), c.Hash)
			if err != nil {
				t.Fatalf("Code: %v", err)
			}
			_, err = s.Grant(t.Context(), c.Grant.ID, now)
			if exists := !errors.Is(err, store.ErrNotFound); got.Spent != exists {
				t.Fatalf("the code is spent: %v; its grant exists: %v", got.Spent, exists)
			}
		}
	})
	t.Run("a request that was given up before it began does nothing", func(t *testing.T) {
		c, g := created(t, s, nil), redeemed(t, s, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.RedeemCode(ctx, c.Hash, now)
		wantErr(t, "RedeemCode", err, context.Canceled)
		_, err = s.RotateRefresh(ctx, rotationOf(g, 1))
		wantErr(t, "RotateRefresh", err, context.Canceled)
		wantErr(t, "RevokeGrant", s.RevokeGrant(ctx, g.ID, now), context.Canceled)
		wantGrant(t, s, g)
		_, err = s.RedeemCode(t.Context(), c.Hash, now)
		wantErr(t, "RedeemCode afterwards", err, nil)
	})
}
