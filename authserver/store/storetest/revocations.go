package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
)

func wantRevoked(t *testing.T, s store.Store, id string, want bool) {
	t.Helper()
	got, err := s.Revoked(t.Context(), id)
	wantErr(t, "Revoked", err, nil)
	wantSame(t, "whether "+id+" is revoked", got, want)
}

// last is the newest sequence number.
func last(t *testing.T, s store.Store) int64 {
	t.Helper()
	n, err := s.LastRevocation(t.Context())
	if err != nil {
		t.Fatalf("LastRevocation: %v", err)
	}
	return n
}

func revocations(t *testing.T, s store.Store) {
	t.Run("nothing is revoked at first", func(t *testing.T) {
		wantSame(t, "the last one", last(t, s), 0)
		all, err := s.Revocations(t.Context(), 0, now, 10)
		wantErr(t, "Revocations", err, nil)
		wantSame(t, "all", all, nil)
		wantRevoked(t, s, "unknown", false)
	})
	t.Run("a revoked grant is told of until its last access token has ended", func(t *testing.T) {
		g := redeemed(t, s, nil)
		wantRevoked(t, s, g.ID, false)
		wantErr(t, "RevokeGrant", s.RevokeGrant(t.Context(), g.ID, now), nil)
		wantRevoked(t, s, g.ID, true)
		want := store.Revocation{Sequence: last(t, s), ID: g.ID, Expires: now.Add(65 * time.Minute)}
		for _, read := range []struct {
			at   time.Time
			want []store.Revocation
		}{{now, []store.Revocation{want}}, {want.Expires.Add(-time.Millisecond), []store.Revocation{want}}, {want.Expires, nil}} {
			got, err := s.Revocations(t.Context(), want.Sequence-1, read.at, 10)
			wantErr(t, "Revocations", err, nil)
			wantSame(t, "the revocations", got, read.want)
		}
	})
	t.Run("codes of the user and the client that were not redeemed are spent with their grants", func(t *testing.T) {
		g := redeemed(t, s, func(c *store.Code) { c.Grant.ClientID = "disconnected" })
		pending := created(t, s, func(c *store.Code) { c.Grant.ClientID = "disconnected" })
		alone := created(t, s, func(c *store.Code) { c.Grant.ClientID = "never redeemed" })
		other := created(t, s, func(c *store.Code) { c.Grant.ClientID, c.Grant.User.Subject = "disconnected", "people|bob" })
		ids, err := s.RevokeGrants(t.Context(), g.User.Subject, "disconnected", now)
		wantErr(t, "RevokeGrants", err, nil)
		wantSame(t, "the revoked grants", ids, []string{g.ID})
		_, err = s.RevokeGrants(t.Context(), g.User.Subject, "never redeemed", now)
		wantErr(t, "RevokeGrants without a grant", err, nil)
		for _, c := range []store.Code{pending, alone} {
			_, err = s.RedeemCode(t.Context(), c.Hash, now)
			wantErr(t, "RedeemCode", err, store.ErrSpent)
		}
		_, err = s.RedeemCode(t.Context(), other.Hash, now)
		wantErr(t, "RedeemCode of another user", err, nil)
	})
	t.Run("what revokes nothing is not told of", func(t *testing.T) {
		g := redeemed(t, s, nil)
		wantErr(t, "RevokeGrant", s.RevokeGrant(t.Context(), g.ID, now), nil)
		before := last(t, s)
		for _, id := range []string{g.ID, "unknown", ""} {
			wantErr(t, "RevokeGrant", s.RevokeGrant(t.Context(), id, now), nil)
		}
		wantSame(t, "the last one", last(t, s), before)
		wantRevoked(t, s, "unknown", false)
	})
	t.Run("a grant that a hundred callers revoke at once is told of once", func(t *testing.T) {
		g := redeemed(t, s, nil)
		before := last(t, s)
		outcomes := atOnce(100, func() (any, error) { return nil, s.RevokeGrant(t.Context(), g.ID, now) })
		wantSame(t, "callers without an error", tally(t, outcomes, nil), 100)
		wantSame(t, "the last one", last(t, s), before+1)
	})
	t.Run("a token without a grant is revoked by its id, once", func(t *testing.T) {
		before, end := last(t, s), now.Add(time.Hour)
		for range 2 {
			wantErr(t, "RevokeToken", s.RevokeToken(t.Context(), "a jti", end), nil)
		}
		wantRevoked(t, s, "a jti", true)
		got, err := s.Revocations(t.Context(), before, now, 10)
		wantErr(t, "Revocations", err, nil)
		wantSame(t, "the revocations", got, []store.Revocation{{Sequence: before + 1, ID: "a jti", Expires: end}})
	})
	t.Run("a token without an id or an end is refused", func(t *testing.T) {
		before := last(t, s)
		if s.RevokeToken(t.Context(), "", now) == nil || s.RevokeToken(t.Context(), "endless", time.Time{}) == nil {
			t.Error("RevokeToken took it")
		}
		wantSame(t, "the last one", last(t, s), before)
	})
	t.Run("a listing goes on behind what has been read", func(t *testing.T) {
		before := last(t, s)
		for i := range 5 {
			wantErr(t, "RevokeToken", s.RevokeToken(t.Context(), fmt.Sprint("listed ", i), now.Add(time.Hour)), nil)
		}
		var read []string
		for after := before; ; {
			page, err := s.Revocations(t.Context(), after, now, 2)
			wantErr(t, "Revocations", err, nil)
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				read, after = append(read, r.ID), r.Sequence
			}
		}
		wantSame(t, "what was read", read, []string{"listed 0", "listed 1", "listed 2", "listed 3", "listed 4"})
	})
	t.Run("cleaning does not begin the numbers again", func(t *testing.T) {
		before := last(t, s)
		emptied(t, s)
		wantSame(t, "the last one", last(t, s), before)
		wantErr(t, "RevokeToken", s.RevokeToken(t.Context(), "after cleaning", now.Add(time.Hour)), nil)
		wantSame(t, "the next one", last(t, s), before+1)
	})
	revocationsOfAUser(t, s)
	orderOfRevocations(t, s)
}

func revocationsOfAUser(t *testing.T, s store.Store) {
	granted := func(subject, client string, changes ...func(*store.Code)) store.Grant {
		return redeemed(t, s, func(c *store.Code) {
			c.Grant.User.Subject, c.Grant.ClientID = subject, client
			for _, change := range changes {
				change(c)
			}
		})
	}
	t.Run("all living grants of a user to a client are revoked, and no others", func(t *testing.T) {
		first, second := granted("people|carol", "agent"), granted("people|carol", "agent", notRefreshable)
		ended := granted("people|carol", "agent", func(c *store.Code) { c.Grant.MaxExpires = now })
		revoked := granted("people|carol", "agent")
		wantErr(t, "RevokeGrant", s.RevokeGrant(t.Context(), revoked.ID, now), nil)
		others := []store.Grant{granted("people|carol", "another"), granted("people|dave", "agent")}
		before := last(t, s)

		ids, err := s.RevokeGrants(t.Context(), "people|carol", "agent", now)
		wantErr(t, "RevokeGrants", err, nil)
		want := []string{first.ID, second.ID}
		slices.Sort(ids)
		slices.Sort(want)
		wantSame(t, "the revoked grants", ids, want)
		for _, id := range want {
			_, err := s.Grant(t.Context(), id, now)
			wantErr(t, "Grant", err, store.ErrRevoked)
			wantRevoked(t, s, id, true)
		}
		wantSame(t, "the last one", last(t, s), before+2)
		for _, g := range others {
			wantGrant(t, s, g)
		}
		wantRevoked(t, s, ended.ID, false)

		ids, err = s.RevokeGrants(t.Context(), "people|carol", "agent", now)
		wantErr(t, "RevokeGrants again", err, nil)
		wantSame(t, "what it revoked", ids, nil)
		wantSame(t, "the last one", last(t, s), before+2)
	})
	t.Run("callers who revoke and redeem at once leave no grant revoked in silence", func(t *testing.T) {
		var ids []string
		for range 20 {
			ids = append(ids, granted("people|erin", "agent").ID)
		}
		before := last(t, s)
		outcomes := atOnce(30, func() ([]string, error) {
			if _, err := s.RedeemCode(t.Context(), created(t, s, nil).Hash, now); err != nil {
				return nil, err
			}
			return s.RevokeGrants(t.Context(), "people|erin", "agent", now)
		})
		var revoked []string
		for _, o := range outcomes {
			wantErr(t, "RevokeGrants", o.err, nil)
			revoked = append(revoked, o.got...)
		}
		slices.Sort(ids)
		slices.Sort(revoked)
		wantSame(t, "what all of them revoked", revoked, ids)
		wantSame(t, "the last one", last(t, s), before+20)
	})
}

// orderOfRevocations reads while others write: a reader that goes on behind what
// it has read misses nothing.
func orderOfRevocations(t *testing.T, s store.Store) {
	t.Run("whoever reads while many revoke misses none", func(t *testing.T) {
		const writers, each = 20, 10
		before := last(t, s)
		written := make(chan error, writers)
		for i := range writers {
			go func() {
				var err error
				for j := range each {
					err = errors.Join(err, s.RevokeToken(t.Context(), fmt.Sprintf("order %d %d", i, j), now.Add(time.Hour)))
				}
				written <- err
			}()
		}
		seen := make(map[string]bool)
		finished := 0
		for after := before; ; {
			select {
			case err := <-written:
				wantErr(t, "RevokeToken", err, nil)
				finished++
			default:
			}
			done := finished == writers // before the last look
			page, err := s.Revocations(t.Context(), after, now, 7)
			if err != nil {
				t.Fatalf("Revocations: %v", err)
			}
			for _, r := range page {
				if r.Sequence <= after {
					t.Errorf("number %d came after %d", r.Sequence, after)
				}
				seen[r.ID], after = true, r.Sequence
			}
			if done && len(page) == 0 {
				break
			}
		}
		wantSame(t, "revocations that were read", len(seen), writers*each)
	})
}
