package storetest

import (
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

func codes(t *testing.T, s store.Store) {
	t.Run("a code is read as it was created", func(t *testing.T) {
		want := created(t, s, nil)
		got, err := s.Code(t.Context(), want.Hash)
		wantErr(t, "Code", err, nil)
		wantSame(t, "the code", got, want)
		wantSame(t, "its scopes in their order", got.Grant.Scope.String(), want.Grant.Scope.String())
	})
	t.Run("a code without the optional parts is read so", func(t *testing.T) {
		want := created(t, s, func(c *store.Code) {
			c.RedirectURISent, c.Nonce, c.KeyThumbprint = false, "", ""
			c.Grant.Refreshable, c.Grant.Generation, c.Grant.IdleExpires = false, 0, time.Time{}
			c.Grant.User.Groups, c.Grant.User.Email, c.Grant.User.Organization, c.Grant.User.ACR = nil, "", "", ""
			c.Grant.Scope = oauth.NewScopeSet()
		})
		got, err := s.Code(t.Context(), want.Hash)
		wantErr(t, "Code", err, nil)
		wantSame(t, "the code", got, want)
	})
	t.Run("times keep their milliseconds and come back in UTC", func(t *testing.T) {
		elsewhere := now.Add(123 * time.Millisecond).In(time.FixedZone("elsewhere", 3600))
		want := created(t, s, func(c *store.Code) { c.Grant.Created = elsewhere })
		got, err := s.Code(t.Context(), want.Hash)
		wantErr(t, "Code", err, nil)
		if !got.Grant.Created.Equal(elsewhere) || got.Grant.Created.Location() != time.UTC {
			t.Errorf("got %v, want %v in UTC", got.Grant.Created, elsewhere)
		}
	})
	t.Run("an unknown code is not found", func(t *testing.T) {
		_, err := s.Code(t.Context(), credential.HashOf("a guess"))
		wantErr(t, "Code", err, store.ErrNotFound)
		_, err = s.Code(t.Context(), credential.Hash{})
		wantErr(t, "Code of the zero hash", err, store.ErrNotFound)
	})
	t.Run("a code that could never end well is refused", func(t *testing.T) {
		for name, change := range map[string]func(*store.Code){
			"no hash":                  func(c *store.Code) { c.Hash = credential.Hash{} },
			"no expiry":                func(c *store.Code) { c.Expires = time.Time{} },
			"a grant without an id":    func(c *store.Code) { c.Grant.ID = "" },
			"a grant without an end":   func(c *store.Code) { c.Grant.MaxExpires = time.Time{} },
			"no first generation":      func(c *store.Code) { c.Grant.Generation = 0 },
			"refreshable but not idle": func(c *store.Code) { c.Grant.IdleExpires = time.Time{} },
		} {
			c := newCode(change)
			if err := s.CreateCode(t.Context(), c); err == nil {
				t.Errorf("%s: CreateCode took it", name)
			}
			_, err := s.Code(t.Context(), c.Hash)
			wantErr(t, name+": Code", err, store.ErrNotFound)
		}
	})
	t.Run("a code is created once", func(t *testing.T) {
		first := created(t, s, nil)
		second := newCode(func(c *store.Code) { c.Hash, c.Grant.ClientID = first.Hash, "intruder" })
		if err := s.CreateCode(t.Context(), second); err == nil {
			t.Error("CreateCode replaced a code")
		}
		got, err := s.Code(t.Context(), first.Hash)
		wantErr(t, "Code", err, nil)
		wantSame(t, "its client", got.Grant.ClientID, first.Grant.ClientID)
	})
}

func redemption(t *testing.T, s store.Store) {
	t.Run("a redeemed code gives its grant, which lives from then on", func(t *testing.T) {
		c := created(t, s, nil)
		_, err := s.Grant(t.Context(), c.Grant.ID, now)
		wantErr(t, "Grant before", err, store.ErrNotFound)
		got, err := s.RedeemCode(t.Context(), c.Hash, now)
		wantErr(t, "RedeemCode", err, nil)
		wantSame(t, "what RedeemCode returned", got, c.Grant)
		wantGrant(t, s, c.Grant)
	})
	t.Run("a code is redeemed once, and still says which grant it became", func(t *testing.T) {
		c := created(t, s, nil)
		_, err := s.RedeemCode(t.Context(), c.Hash, now)
		wantErr(t, "RedeemCode", err, nil)
		_, err = s.RedeemCode(t.Context(), c.Hash, now)
		wantErr(t, "RedeemCode again", err, store.ErrSpent)
		_, err = s.RedeemCode(t.Context(), c.Hash, c.Expires.Add(time.Minute))
		wantErr(t, "RedeemCode after its expiry", err, store.ErrSpent)
		got, err := s.Code(t.Context(), c.Hash)
		wantErr(t, "Code", err, nil)
		if !got.Spent || got.Grant.ID != c.Grant.ID {
			t.Errorf("got spent=%v, grant %s; want it spent for %s", got.Spent, got.Grant.ID, c.Grant.ID)
		}
	})
	t.Run("one of a hundred callers at once redeems a code", func(t *testing.T) {
		c := created(t, s, nil)
		outcomes := atOnce(100, func() (store.Grant, error) { return s.RedeemCode(t.Context(), c.Hash, now) })
		wantSame(t, "callers who redeemed it", tally(t, outcomes, store.ErrSpent), 1)
		for _, o := range outcomes {
			if o.err == nil {
				wantSame(t, "the winner's grant", o.got, c.Grant)
			}
		}
	})
	t.Run("a hundred callers at once redeem a hundred codes", func(t *testing.T) {
		hashes := make(chan credential.Hash, 100)
		for range cap(hashes) {
			hashes <- created(t, s, nil).Hash
		}
		outcomes := atOnce(cap(hashes), func() (store.Grant, error) { return s.RedeemCode(t.Context(), <-hashes, now) })
		wantSame(t, "callers who redeemed theirs", tally(t, outcomes, nil), 100)
		for _, o := range outcomes {
			wantGrant(t, s, o.got)
		}
	})
	t.Run("a redemption that fails takes none with it of those at the same time", func(t *testing.T) {
		taken := redeemed(t, s, nil)
		hashes := make(chan credential.Hash, 60)
		for i := range cap(hashes) {
			hashes <- created(t, s, func(c *store.Code) {
				if i%3 == 0 {
					c.Grant.ID = taken.ID
				}
			}).Hash
		}
		won := 0
		for _, o := range atOnce(cap(hashes), func() (store.Grant, error) { return s.RedeemCode(t.Context(), <-hashes, now) }) {
			if o.err == nil {
				won++
				wantGrant(t, s, o.got)
			}
		}
		wantSame(t, "callers who redeemed theirs", won, 40)
	})
	t.Run("an expired code is not redeemed and not spent", func(t *testing.T) {
		c := created(t, s, nil)
		_, err := s.RedeemCode(t.Context(), c.Hash, c.Expires)
		wantErr(t, "RedeemCode", err, store.ErrNotFound)
		_, err = s.Grant(t.Context(), c.Grant.ID, now)
		wantErr(t, "Grant", err, store.ErrNotFound)
		got, err := s.Code(t.Context(), c.Hash)
		wantErr(t, "Code", err, nil)
		if got.Spent {
			t.Error("the code is spent")
		}
	})
	t.Run("a code whose grant exists already is neither redeemed nor spent", func(t *testing.T) {
		g := redeemed(t, s, nil)
		c := created(t, s, func(c *store.Code) { c.Grant.ID, c.Grant.ClientID = g.ID, "intruder" })
		if _, err := s.RedeemCode(t.Context(), c.Hash, now); err == nil {
			t.Error("RedeemCode created a grant twice")
		}
		wantGrant(t, s, g)
		got, err := s.Code(t.Context(), c.Hash)
		wantErr(t, "Code", err, nil)
		if got.Spent {
			t.Error("the code is spent and has no grant")
		}
	})
	t.Run("an unknown code is not found", func(t *testing.T) {
		_, err := s.RedeemCode(t.Context(), credential.HashOf("a guess"), now)
		wantErr(t, "RedeemCode", err, store.ErrNotFound)
	})
}
