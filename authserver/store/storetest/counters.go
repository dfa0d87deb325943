package storetest

import (
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

func newKey() credential.Hash { return credential.HashOf(credential.Random(32)) }

func keysUsedOnce(t *testing.T, s store.Store) {
	end := now.Add(time.Minute)
	wantUse := func(t *testing.T, key credential.Hash, want bool) {
		t.Helper()
		got, err := s.UseOnce(t.Context(), key, end)
		wantErr(t, "UseOnce", err, nil)
		wantSame(t, "the use", got, want)
	}
	t.Run("a key is used once, and others are not used by that", func(t *testing.T) {
		key := newKey()
		wantUse(t, key, true)
		wantUse(t, key, false)
		wantUse(t, newKey(), true)
	})
	t.Run("one of a hundred callers at once uses a key", func(t *testing.T) {
		key := newKey()
		outcomes := atOnce(100, func() (bool, error) { return s.UseOnce(t.Context(), key, end) })
		wantSame(t, "callers who used it", trues(t, outcomes), 1)
	})
	t.Run("a key that has expired can be used again once it is cleaned away", func(t *testing.T) {
		key := newKey()
		wantUse(t, key, true)
		if _, err := s.DeleteExpired(t.Context(), end.Add(-time.Millisecond), 1000); err != nil {
			t.Fatalf("DeleteExpired: %v", err)
		}
		wantUse(t, key, false)
		emptied(t, s)
		wantUse(t, key, true)
	})
	t.Run("no key, and one that is used for ever, are refused", func(t *testing.T) {
		for _, use := range []struct {
			key credential.Hash
			end time.Time
		}{{credential.Hash{}, end}, {newKey(), time.Time{}}} {
			if got, err := s.UseOnce(t.Context(), use.key, use.end); err == nil || got {
				t.Errorf("UseOnce: got %v, %v", got, err)
			}
		}
	})
}

func buckets(t *testing.T, s store.Store) {
	rate := store.Rate{Every: 10 * time.Second, Burst: 3}
	take := func(t *testing.T, key credential.Hash, rate store.Rate, at time.Time, want ...bool) {
		t.Helper()
		for i, w := range want {
			got, err := s.Take(t.Context(), key, rate, at)
			wantErr(t, "Take", err, nil)
			if got != w {
				t.Errorf("token %d: got %v, want %v", i+1, got, w)
			}
		}
	}
	t.Run("a bucket is full at first, and empty after its burst", func(t *testing.T) {
		key := newKey()
		take(t, key, rate, now, true, true, true, false, false)
		take(t, newKey(), rate, now, true)
	})
	t.Run("a token comes back every so often, up to the burst", func(t *testing.T) {
		key := newKey()
		take(t, key, rate, now, true, true, true, false)
		take(t, key, rate, now.Add(10*time.Second-time.Millisecond), false)
		take(t, key, rate, now.Add(10*time.Second), true, false)
		take(t, key, rate, now.Add(25*time.Second), true, false)
		take(t, key, rate, now.Add(time.Hour), true, true, true, false)
	})
	t.Run("a refusal changes nothing", func(t *testing.T) {
		key := newKey()
		take(t, key, rate, now, true, true, true, false, false, false, false, false)
		take(t, key, rate, now.Add(10*time.Second), true, false)
	})
	t.Run("a hundred callers at once take as many as there are", func(t *testing.T) {
		key := newKey()
		outcomes := atOnce(100, func() (bool, error) { return s.Take(t.Context(), key, store.Rate{Every: time.Minute, Burst: 7}, now) })
		wantSame(t, "tokens taken", trues(t, outcomes), 7)
	})
	t.Run("a refilled bucket is full", func(t *testing.T) {
		key := newKey()
		take(t, key, rate, now, true, true, true, false)
		for range 2 {
			wantErr(t, "Refill", s.Refill(t.Context(), key), nil)
		}
		take(t, key, rate, now, true, true, true, false)
	})
	t.Run("the rate may change between two uses", func(t *testing.T) {
		key := newKey()
		take(t, key, rate, now, true, true, true, false)
		take(t, key, store.Rate{Every: 10 * time.Second, Burst: 5}, now, true, true, false)
		take(t, key, store.Rate{Every: 10 * time.Second, Burst: 1}, now, false)
	})
	t.Run("fast rates are counted too", func(t *testing.T) {
		key := newKey()
		take(t, key, store.Rate{Every: 100 * time.Microsecond, Burst: 2}, now, true, true, false)
		take(t, key, store.Rate{Every: 100 * time.Microsecond, Burst: 2}, now.Add(100*time.Microsecond), true, false)
	})
	t.Run("a bucket of nothing is empty, and one that fills at once never is", func(t *testing.T) {
		take(t, newKey(), store.Rate{Every: time.Second}, now, false)
		take(t, newKey(), store.Rate{Every: time.Second, Burst: -1}, now, false)
		take(t, newKey(), store.Rate{Burst: 1}, now, true, true, true)
		take(t, newKey(), store.Rate{Every: 1 << 62, Burst: 1 << 62}, now, true)
		if got, err := s.Take(t.Context(), credential.Hash{}, rate, now); err == nil || got {
			t.Errorf("Take without a key: got %v, %v", got, err)
		}
	})
}
