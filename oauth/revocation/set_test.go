package revocation

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2031, time.May, 4, 10, 20, 30, 0, time.UTC)

func revoked(after time.Duration, ids ...string) []Revocation {
	var made []Revocation
	for _, id := range ids {
		made = append(made, Revocation{ID: id, Expires: now.Add(after)})
	}
	return made
}

func TestASetContainsWhatWasRevokedAndNothingElse(t *testing.T) {
	var s Set
	if s.Contains("grant-1") || s.Contains() || s.Contains("") {
		t.Error("the empty set contains something")
	}
	s.Add(revoked(time.Hour, "grant-1", "jti-1", ""), now)
	for _, ids := range [][]string{{"grant-1"}, {"jti-1"}, {"", "jti-1"}, {"other", "grant-1"}} {
		if !s.Contains(ids...) {
			t.Errorf("it does not contain %q", ids)
		}
	}
	for _, ids := range [][]string{nil, {""}, {"grant"}, {"grant-1 "}, {"GRANT-1"}, {"other", "", "third"}} {
		if s.Contains(ids...) {
			t.Errorf("it contains one of %q", ids)
		}
	}
	if s.Len() != 2 {
		t.Errorf("it holds %d", s.Len())
	}
}

func TestAddTellsWhatIsNew(t *testing.T) {
	var s Set
	first := revoked(time.Hour, "a", "b")
	if diff := cmp.Diff(first, s.Add(first, now)); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	second := append(revoked(2*time.Hour, "a"), revoked(time.Hour, "c", "c")...)
	second = append(second, revoked(-2*time.Minute, "expired")...)
	if diff := cmp.Diff(revoked(time.Hour, "c"), s.Add(second, now)); diff != "" {
		t.Errorf("then (-want +got):\n%s", diff)
	}
	if s.Contains("expired") {
		t.Error("it remembers what has expired")
	}
}

func TestARevocationIsRememberedUntilNoClockTakesItsTokens(t *testing.T) {
	var s Set
	s.Add(revoked(time.Hour, "a"), now)
	s.Add(revoked(2*time.Hour, "later"), now)
	s.Add(revoked(time.Hour, "later"), now) // the later end counts
	for _, tt := range []struct {
		after    time.Duration
		a, later bool
	}{
		{time.Hour, true, true},
		{time.Hour + slack - time.Second, true, true},
		{time.Hour + slack, false, true},
		{2*time.Hour + slack, false, false},
	} {
		s.Add(nil, now.Add(tt.after))
		if s.Contains("a") != tt.a || s.Contains("later") != tt.later {
			t.Errorf("after %s: %v, %v", tt.after, s.Contains("a"), s.Contains("later"))
		}
	}
	if s.Len() != 0 || len(s.order) != 0 || s.Dropped() != 0 {
		t.Errorf("%d and %d entries are left, %d were dropped", s.Len(), len(s.order), s.Dropped())
	}
}

func TestAFullSetForgetsFirstWhatMattersLeast(t *testing.T) {
	s := Set{Size: 100}
	for n := range 1000 {
		s.Add(revoked(time.Duration(n+1)*time.Minute, fmt.Sprint(n)), now)
		if s.Len() > 100 || len(s.order) > 100 {
			t.Fatalf("it holds %d in %d entries", s.Len(), len(s.order))
		}
	}
	if s.Contains("899") || !s.Contains("900") || !s.Contains("999") || s.Dropped() != 900 {
		t.Errorf("899 %v, 900 %v, 999 %v; %d dropped", s.Contains("899"), s.Contains("900"), s.Contains("999"), s.Dropped())
	}
}

func TestOneIDThatIsRevokedOverAndOverTakesNoRoom(t *testing.T) {
	s := Set{Size: 10}
	for n := range 1000 {
		s.Add(revoked(time.Duration(n+1)*time.Second, "a"), now)
	}
	if !s.Contains("a") || s.Len() != 1 || len(s.order) > 10 || s.Dropped() != 0 {
		t.Errorf("%v, %d of them in %d entries, %d dropped", s.Contains("a"), s.Len(), len(s.order), s.Dropped())
	}
}

func TestContainsAllocatesNothing(t *testing.T) {
	var s Set
	grant, jti := strings.Repeat("g", 40), strings.Repeat("j", 40)
	look := func() { s.Contains(grant, jti) }
	if got := testing.AllocsPerRun(100, look); got != 0 {
		t.Errorf("an empty set allocates %v times", got)
	}
	s.Add(revoked(time.Hour, "other"), now)
	if got := testing.AllocsPerRun(100, look); got != 0 {
		t.Errorf("a set with entries allocates %v times", got)
	}
}

func TestASetIsReadWhileItIsWritten(t *testing.T) {
	s := Set{Size: 50}
	s.Add(revoked(100*time.Hour, "stays"), now)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for m := range 200 {
				s.Add(revoked(time.Duration(m)*time.Minute, fmt.Sprint(n, m)), now)
			}
		})
		wg.Go(func() {
			for range 200 {
				if !s.Contains("", "stays") {
					t.Error("what stays was not there for a moment")
				}
				s.Len()
			}
		})
	}
	wg.Wait()
}

func BenchmarkContains(b *testing.B) {
	grant, jti := strings.Repeat("g", 22), strings.Repeat("j", 22)
	for _, size := range []int{0, 1, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var s Set
			for n := range size {
				s.Add(revoked(time.Hour, fmt.Sprint(n)), now)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					s.Contains(grant, jti)
				}
			})
		})
	}
}
