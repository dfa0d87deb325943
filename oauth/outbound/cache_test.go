package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// source publishes a number that counts up, for an hour, unless it fails.
type source struct {
	fetches atomic.Int64
	age     time.Duration
	fails   error
	delay   time.Duration
}

func (s *source) fetch(ctx context.Context, _ string) (int64, time.Duration, error) {
	n := s.fetches.Add(1)
	select {
	case <-time.After(s.delay):
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	return n, s.age, s.fails
}

var bounds = CacheOptions{
	Size: 10, MinAge: time.Minute, MaxAge: 24 * time.Hour, MaxStale: 24 * time.Hour, Every: time.Second, Burst: 100,
}

func TestAValueIsKeptForAsLongAsItSaysWithinOurBounds(t *testing.T) {
	for _, test := range []struct{ says, want time.Duration }{
		{0, time.Minute}, {time.Second, time.Minute}, {time.Hour, time.Hour}, {1000 * time.Hour, 24 * time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &source{age: test.says}
			c := NewCache(bounds, s.fetch)
			expect(t, c, 1)
			time.Sleep(test.want - time.Second)
			expect(t, c, 1)
			time.Sleep(time.Second)
			expect(t, c, 2)
		})
	}
}

func expect(t *testing.T, c *Cache[int64], want int64) {
	t.Helper()
	if got, err := c.Get(t.Context(), "a"); err != nil || got != want {
		t.Errorf("got %d, %v, want %d", got, err, want)
	}
}

func TestAFailureIsNeverKept(t *testing.T) {
	s := &source{fails: &StatusError{Status: 500}}
	c := NewCache(bounds, s.fetch)
	for n := range 3 {
		if _, err := c.Get(t.Context(), "a"); !errors.Is(err, ErrStatus) || s.fetches.Load() != int64(n+1) {
			t.Errorf("attempt %d: %v after %d fetches", n, err, s.fetches.Load())
		}
	}
	s.fails = nil
	expect(t, c, 4)
}

func TestAGoodValueServesOnWhileItsHostIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{age: time.Hour}
		c := NewCache(bounds, s.fetch)
		expect(t, c, 1)
		s.fails = fmt.Errorf("fetch: %w", ErrUnreachable)
		time.Sleep(time.Hour)
		for range 5 {
			expect(t, c, 1)
		}
		if got := s.fetches.Load(); got != 2 {
			t.Errorf("%d fetches, want 2: it is not tried again at once", got)
		}
		time.Sleep(time.Minute)
		expect(t, c, 1)
		if got := s.fetches.Load(); got != 3 {
			t.Errorf("%d fetches, want 3", got)
		}
		time.Sleep(24 * time.Hour)
		if _, err := c.Get(t.Context(), "a"); !errors.Is(err, ErrUnreachable) {
			t.Errorf("a day behind its life: %v", err)
		}
		s.fails = nil
		expect(t, c, 5)
	})
}

func TestAValueThatItsHostTookBackIsGone(t *testing.T) {
	for _, why := range []error{&StatusError{Status: 404}, errors.New("it is not valid any more"), ErrForbiddenAddress} {
		synctest.Test(t, func(t *testing.T) {
			s := &source{}
			c := NewCache(bounds, s.fetch)
			expect(t, c, 1)
			time.Sleep(time.Minute)
			s.fails = why
			if _, err := c.Get(t.Context(), "a"); !errors.Is(err, why) {
				t.Errorf("got %v, want %v", err, why)
			}
			s.fails = ErrUnreachable
			if _, err := c.Get(t.Context(), "a"); !errors.Is(err, ErrUnreachable) || c.Len() != 0 {
				t.Errorf("it came back: %v", err)
			}
		})
	}
}

func TestEverybodyWhoAsksAtOnceSharesOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{delay: time.Second}
		c := NewCache(bounds, s.fetch)
		ctx, leave := context.WithTimeout(t.Context(), time.Millisecond)
		defer leave()
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := c.Get(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) || !Transient(err) {
				t.Errorf("the one who left: %v", err)
			}
		})
		for range 50 {
			group.Go(func() { expect(t, c, 1) })
		}
		group.Wait()
	})
}

func TestAttack22_TheFetchesThatStrangersCauseAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		o := bounds
		o.Burst = 20
		c := NewCache(o, s.fetch)
		expect(t, c, 1)
		busy := 0
		for n := range 5000 {
			if _, err := c.Get(t.Context(), fmt.Sprintf("random-%d", n)); errors.Is(err, ErrBusy) {
				busy++
			}
		}
		if got := s.fetches.Load(); got != 20 || busy != 4981 || c.Len() > o.Size {
			t.Errorf("%d fetches, %d refusals, %d kept", got, busy, c.Len())
		}
		time.Sleep(time.Second)
		if _, err := c.Get(t.Context(), "b"); err != nil {
			t.Errorf("after a second: %v", err)
		}
	})
}

func TestMaxAge(t *testing.T) {
	for _, test := range []struct {
		header string
		want   time.Duration
	}{
		{"", time.Hour}, {"public", time.Hour}, {"max-age=60", time.Minute}, {`Public, Max-Age="120"`, 2 * time.Minute}, {"max-age=0", 0},
		{"no-store", 0}, {"max-age=60, no-cache", 0}, {"max-age=-5", time.Hour}, {"max-age=99999999999999999999", time.Hour},
	} {
		if got := MaxAge(http.Header{"Cache-Control": {test.header}}, time.Hour); got != test.want {
			t.Errorf("%q: %s, want %s", test.header, got, test.want)
		}
	}
}
