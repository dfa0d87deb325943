package storetest

import (
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
)

func grants(t *testing.T, s store.Store) {
	t.Run("a grant ends with its idle expiry", func(t *testing.T) {
		g := redeemed(t, s, nil)
		_, err := s.Grant(t.Context(), g.ID, g.IdleExpires.Add(-time.Millisecond))
		wantErr(t, "Grant just before", err, nil)
		_, err = s.Grant(t.Context(), g.ID, g.IdleExpires)
		wantErr(t, "Grant at it", err, store.ErrNotFound)
	})
	t.Run("a grant ends with its absolute expiry", func(t *testing.T) {
		g := redeemed(t, s, func(c *store.Code) { c.Grant.IdleExpires = c.Grant.MaxExpires.Add(time.Hour) })
		_, err := s.Grant(t.Context(), g.ID, g.MaxExpires.Add(-time.Millisecond))
		wantErr(t, "Grant just before", err, nil)
		_, err = s.Grant(t.Context(), g.ID, g.MaxExpires)
		wantErr(t, "Grant at it", err, store.ErrNotFound)
	})
	t.Run("a grant without refresh tokens has no idle expiry", func(t *testing.T) {
		g := redeemed(t, s, notRefreshable)
		_, err := s.Grant(t.Context(), g.ID, g.MaxExpires.Add(-time.Millisecond))
		wantErr(t, "Grant", err, nil)
	})
	t.Run("an unknown grant is not found", func(t *testing.T) {
		_, err := s.Grant(t.Context(), "unknown", now)
		wantErr(t, "Grant", err, store.ErrNotFound)
	})
	t.Run("a user's living grants are listed, the newest first", func(t *testing.T) {
		of := func(subject string, age time.Duration, changes ...func(*store.Code)) store.Grant {
			return redeemed(t, s, func(c *store.Code) {
				c.Grant.User.Subject, c.Grant.Created = subject, now.Add(-age)
				for _, change := range changes {
					change(c)
				}
			})
		}
		old, newest, middle := of("people|bob", 3*time.Hour), of("people|bob", time.Hour, notRefreshable), of("people|bob", 2*time.Hour)
		of("people|bobby", 0)
		of("people|bob", 0, func(c *store.Code) { c.Grant.IdleExpires = now })
		of("people|bob", 0, func(c *store.Code) { c.Grant.MaxExpires = now })
		revoked := of("people|bob", 0)
		wantErr(t, "RevokeGrant", s.RevokeGrant(t.Context(), revoked.ID, now), nil)

		for limit, want := range map[int][]store.Grant{10: {newest, middle, old}, 2: {newest, middle}, 0: nil} {
			got, err := s.GrantsOf(t.Context(), "people|bob", now, limit)
			wantErr(t, "GrantsOf", err, nil)
			wantSame(t, "the grants", got, want)
		}
		got, err := s.GrantsOf(t.Context(), "people|nobody", now, 10)
		wantErr(t, "GrantsOf", err, nil)
		wantSame(t, "the grants of nobody", got, nil)
	})
}

func notRefreshable(c *store.Code) {
	c.Grant.Refreshable, c.Grant.Generation, c.Grant.IdleExpires = false, 0, time.Time{}
}

func rotation(t *testing.T, s store.Store) {
	t.Run("a rotation advances the grant by one generation and its idle expiry", func(t *testing.T) {
		g := redeemed(t, s, nil)
		r := rotationOf(g, 1)
		got, err := s.RotateRefresh(t.Context(), r)
		wantErr(t, "RotateRefresh", err, nil)
		want := g
		want.Generation, want.IdleExpires = 2, r.IdleExpires
		wantSame(t, "what RotateRefresh returned", got, want)
		wantGrant(t, s, want)
	})
	t.Run("within the grace window the generation before gets the same successor", func(t *testing.T) {
		g := redeemed(t, s, nil)
		first, err := s.RotateRefresh(t.Context(), rotationOf(g, 1))
		wantErr(t, "RotateRefresh", err, nil)
		again := rotationOf(g, 1)
		again.Now = again.Now.Add(again.Grace - time.Millisecond)
		again.IdleExpires = again.IdleExpires.Add(time.Hour)
		second, err := s.RotateRefresh(t.Context(), again)
		wantErr(t, "RotateRefresh again", err, nil)
		wantSame(t, "the second answer", second, first)
		wantGrant(t, s, first)
	})
	t.Run("fifty callers at once with one token get one successor", func(t *testing.T) {
		g := redeemed(t, s, nil)
		for _, o := range atOnce(50, func() (store.Grant, error) { return s.RotateRefresh(t.Context(), rotationOf(g, 1)) }) {
			if o.err != nil || o.got.Generation != 2 {
				t.Errorf("got generation %d and error %v, want generation 2", o.got.Generation, o.err)
			}
		}
		got, err := s.Grant(t.Context(), g.ID, now)
		wantErr(t, "Grant", err, nil)
		wantSame(t, "the generation after all of them", got.Generation, int64(2))
	})
	t.Run("without a grace window one of fifty callers at once rotates", func(t *testing.T) {
		g := redeemed(t, s, nil)
		outcomes := atOnce(50, func() (store.Grant, error) {
			r := rotationOf(g, 1)
			r.Grace = 0
			return s.RotateRefresh(t.Context(), r)
		})
		wantSame(t, "callers who rotated", tally(t, outcomes, store.ErrReused), 1)
	})
	t.Run("after the grace window the generation before is a reuse", func(t *testing.T) {
		g := redeemed(t, s, nil)
		first, err := s.RotateRefresh(t.Context(), rotationOf(g, 1))
		wantErr(t, "RotateRefresh", err, nil)
		late := rotationOf(g, 1)
		late.Now = late.Now.Add(late.Grace)
		_, err = s.RotateRefresh(t.Context(), late)
		wantErr(t, "RotateRefresh late", err, store.ErrReused)
		wantGrant(t, s, first)
	})
	t.Run("an older generation is a reuse even within the grace window", func(t *testing.T) {
		g := redeemed(t, s, nil)
		for generation := range int64(2) {
			_, err := s.RotateRefresh(t.Context(), rotationOf(g, generation+1))
			wantErr(t, "RotateRefresh", err, nil)
		}
		_, err := s.RotateRefresh(t.Context(), rotationOf(g, 1))
		wantErr(t, "RotateRefresh with generation 1 of 3", err, store.ErrReused)
	})
	t.Run("a generation that was never issued is not found and advances nothing", func(t *testing.T) {
		g := redeemed(t, s, nil)
		for _, generation := range []int64{-1, 0, 2, 1 << 62} {
			_, err := s.RotateRefresh(t.Context(), rotationOf(g, generation))
			wantErr(t, "RotateRefresh", err, store.ErrNotFound)
		}
		wantGrant(t, s, g)
	})
	rotationOfTheEnded(t, s)
}

func rotationOfTheEnded(t *testing.T, s store.Store) {
	for name, end := range map[string]func(store.Grant, *store.Rotation){
		"idle for too long":        func(g store.Grant, r *store.Rotation) { r.Now = g.IdleExpires },
		"past its absolute end":    func(g store.Grant, r *store.Rotation) { r.Now = g.MaxExpires },
		"of an unknown grant":      func(_ store.Grant, r *store.Rotation) { r.GrantID = "unknown" },
		"of a grant without an id": func(_ store.Grant, r *store.Rotation) { r.GrantID = "" },
	} {
		t.Run("a refresh token "+name+" is not found and advances nothing", func(t *testing.T) {
			g := redeemed(t, s, nil)
			r := rotationOf(g, 1)
			end(g, &r)
			_, err := s.RotateRefresh(t.Context(), r)
			wantErr(t, "RotateRefresh", err, store.ErrNotFound)
			wantGrant(t, s, g)
		})
	}
	t.Run("a rotation keeps an idle grant alive only until its absolute end", func(t *testing.T) {
		g := redeemed(t, s, nil)
		r := rotationOf(g, 1)
		r.IdleExpires = g.MaxExpires.Add(time.Hour)
		_, err := s.RotateRefresh(t.Context(), r)
		wantErr(t, "RotateRefresh", err, nil)
		r = rotationOf(g, 2)
		r.Now = g.MaxExpires
		_, err = s.RotateRefresh(t.Context(), r)
		wantErr(t, "RotateRefresh at the end", err, store.ErrNotFound)
	})
	t.Run("a grant without refresh tokens does not rotate", func(t *testing.T) {
		g := redeemed(t, s, notRefreshable)
		for _, generation := range []int64{0, 1} {
			_, err := s.RotateRefresh(t.Context(), rotationOf(g, generation))
			wantErr(t, "RotateRefresh", err, store.ErrNotFound)
		}
		wantGrant(t, s, g)
	})
	t.Run("nor does one that has a generation and an idle expiry for whatever reason", func(t *testing.T) {
		g := redeemed(t, s, func(c *store.Code) { c.Grant.Refreshable = false })
		_, err := s.RotateRefresh(t.Context(), rotationOf(g, 1))
		wantErr(t, "RotateRefresh", err, store.ErrNotFound)
		wantGrant(t, s, g)
	})
}

func revocation(t *testing.T, s store.Store) {
	t.Run("a revoked grant says so to everybody", func(t *testing.T) {
		g := redeemed(t, s, nil)
		wantErr(t, "RevokeGrant", s.RevokeGrant(t.Context(), g.ID, now), nil)
		_, err := s.Grant(t.Context(), g.ID, now)
		wantErr(t, "Grant", err, store.ErrRevoked)
		for _, generation := range []int64{0, 1, 2} {
			_, err = s.RotateRefresh(t.Context(), rotationOf(g, generation))
			wantErr(t, "RotateRefresh", err, store.ErrRevoked)
		}
	})
	t.Run("the grace window does not outlive the grant", func(t *testing.T) {
		g := redeemed(t, s, nil)
		_, err := s.RotateRefresh(t.Context(), rotationOf(g, 1))
		wantErr(t, "RotateRefresh", err, nil)
		wantErr(t, "RevokeGrant", s.RevokeGrant(t.Context(), g.ID, now.Add(2*time.Second)), nil)
		_, err = s.RotateRefresh(t.Context(), rotationOf(g, 1))
		wantErr(t, "RotateRefresh within the window", err, store.ErrRevoked)
	})
	t.Run("revoking twice, or what is unknown, is no error", func(t *testing.T) {
		g := redeemed(t, s, nil)
		for _, id := range []string{g.ID, g.ID, "unknown", ""} {
			wantErr(t, "RevokeGrant", s.RevokeGrant(t.Context(), id, now), nil)
		}
	})
	t.Run("only the named grant is revoked", func(t *testing.T) {
		g, other := redeemed(t, s, nil), redeemed(t, s, nil)
		wantErr(t, "RevokeGrant", s.RevokeGrant(t.Context(), g.ID, now), nil)
		wantGrant(t, s, other)
	})
	t.Run("a redeemed code does not bring its revoked grant back", func(t *testing.T) {
		c := created(t, s, nil)
		_, err := s.RedeemCode(t.Context(), c.Hash, now)
		wantErr(t, "RedeemCode", err, nil)
		wantErr(t, "RevokeGrant", s.RevokeGrant(t.Context(), c.Grant.ID, now), nil)
		_, err = s.RedeemCode(t.Context(), c.Hash, now)
		wantErr(t, "RedeemCode again", err, store.ErrSpent)
		_, err = s.Grant(t.Context(), c.Grant.ID, now)
		wantErr(t, "Grant", err, store.ErrRevoked)
	})
}
