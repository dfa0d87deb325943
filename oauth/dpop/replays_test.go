package dpop

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func proof(id string) *Proof { return &Proof{Thumbprint: exampleJKT, ID: id} }

func TestAProofIsGoodForOneUseWithinItsLifetime(t *testing.T) {
	r := NewReplays(80*time.Second, 0)
	if err := r.Use(proof("a"), now); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, time.Second, 20 * time.Second, 40 * time.Second, 79 * time.Second, -time.Hour, 80 * time.Second} {
		if err := r.Use(proof("a"), now.Add(after)); !errors.Is(err, ErrReplayed) || !errors.Is(err, ErrInvalid) {
			t.Errorf("again after %s: %v", after, err)
		}
	}
	if err := r.Use(&Proof{Thumbprint: "another key", ID: "a"}, now); err != nil {
		t.Errorf("the same jti of another key: %v", err)
	}
}

// However uses are spread over time, what was used stays known for a lifetime, and
// not for much longer.
func TestWhatIsTooOldIsForgotten(t *testing.T) {
	const lifetime = 80 * time.Second
	for _, step := range []time.Duration{time.Second, 7 * time.Second, 19 * time.Second, 39 * time.Second, 61 * time.Second} {
		r := NewReplays(lifetime, 0)
		used := map[int]time.Time{}
		for n := range 200 {
			at := now.Add(time.Duration(n) * step)
			for id, since := range used {
				if at.Sub(since) > lifetime {
					continue
				}
				if err := r.Use(proof(fmt.Sprint(id)), at); !errors.Is(err, ErrReplayed) {
					t.Fatalf("steps of %s: forgotten after %s: %v", step, at.Sub(since), err)
				}
			}
			if err := r.Use(proof(fmt.Sprint(n)), at); err != nil {
				t.Fatal(err)
			}
			used[n] = at
			if most := int(2*lifetime/step) + 3; r.count > most {
				t.Fatalf("steps of %s: %d are remembered, more than %d", step, r.count, most)
			}
		}
	}
}

func TestAFullMemoryRefusesAndRecovers(t *testing.T) {
	r := NewReplays(80*time.Second, 100)
	for n := range 100 {
		if err := r.Use(proof(fmt.Sprint(n)), now); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Use(proof("one more"), now); !errors.Is(err, ErrBusy) || errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if err := r.Use(proof("0"), now); !errors.Is(err, ErrReplayed) {
		t.Errorf("a replay at a full memory: %v", err)
	}
	if err := r.Use(proof("one more"), now.Add(3*time.Minute)); err != nil {
		t.Errorf("later: %v", err)
	}
}

func TestOfManyUsesAtOnceOneSucceeds(t *testing.T) {
	r := NewReplays(0, 0)
	var wg sync.WaitGroup
	var succeeded atomic.Int64
	for range 64 {
		wg.Go(func() {
			if r.Use(proof("a"), now) == nil {
				succeeded.Add(1)
			}
		})
	}
	wg.Wait()
	if succeeded.Load() != 1 {
		t.Errorf("%d succeeded", succeeded.Load())
	}
}

func BenchmarkUse(b *testing.B) {
	r, n := NewReplays(0, 1<<30), 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		if err := r.Use(proof(fmt.Sprint(n)), now.Add(time.Duration(n)*100*time.Microsecond)); err != nil {
			b.Fatal(err)
		}
	}
}
