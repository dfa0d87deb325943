package dpop

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// Defaults of NewReplays.
const (
	// DefaultLifetime is for how long a proof can be used at most, within
	// DefaultWindow.
	DefaultLifetime = DefaultWindow + DefaultWindow/2
	// DefaultReplays is how many proofs are remembered, which take about 10 MiB:
	// nearly three thousand a second.
	DefaultReplays = 1 << 18
)

// ErrBusy says that no more proofs can be remembered at the moment. The proof may be
// good; the answer is 503 rather than 401.
var ErrBusy = errors.New("more DPoP proofs were used in a short time than can be remembered")

// periods is into how many parts a lifetime is divided. A proof is forgotten with
// the whole of its part, so that forgetting costs nothing.
const periods = 4

// Replays remembers in memory which proofs were used, until they are too old to be
// used at all. It takes memory as it is used, and when it is full it refuses: were
// it to forget, whoever sees many proofs could make it forget one of them. It is safe
// for concurrent use. Each process has its own, so that one of several replicas takes
// a proof that another has seen.
type Replays struct {
	period time.Duration
	size   int

	mu sync.Mutex
	// used has the proofs of the last periods, the newest first, and one more, since
	// the newest has only begun.
	used  [periods + 1]map[replay]struct{}
	count int
	// began is when the newest period did.
	began time.Time
}

// replay stands for a Proof.ReplayKey. It has one length whatever the client sends.
type replay [16]byte

// NewReplays makes a memory for size proofs, each of which can be used within
// lifetime after its first use: a window and a half (Expectation.Window). Zero means
// DefaultLifetime or DefaultReplays.
func NewReplays(lifetime time.Duration, size int) *Replays {
	if lifetime == 0 {
		lifetime = DefaultLifetime
	}
	if size == 0 {
		size = DefaultReplays
	}
	return &Replays{period: max(lifetime/periods, 1), size: size}
}

// Use notes that a proof was used. It fails with ErrReplayed where it was used before
// and with ErrBusy where that could not be remembered.
func (r *Replays) Use(p *Proof, now time.Time) error {
	sum := sha256.Sum256([]byte(p.ReplayKey()))
	key := replay(sum[:])
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	for _, used := range r.used {
		if _, ok := used[key]; ok {
			return ErrReplayed
		}
	}
	if r.count >= r.size {
		return ErrBusy
	}
	if r.used[0] == nil {
		r.used[0] = make(map[replay]struct{})
	}
	r.used[0][key] = struct{}{}
	r.count++
	return nil
}

// forget begins as many new periods as have passed. A clock that goes back begins
// none.
func (r *Replays) forget(now time.Time) {
	passed := int64(now.Sub(r.began) / r.period)
	if passed < 1 {
		return
	}
	for range min(passed, int64(len(r.used))) {
		r.count -= len(r.used[len(r.used)-1])
		copy(r.used[1:], r.used[:])
		r.used[0] = nil
	}
	r.began = now
}
