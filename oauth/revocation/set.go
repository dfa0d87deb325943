package revocation

import (
	"container/heap"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultSize is how many revocations a Set holds: those of an hour at 70 a second,
// in about 30 MiB.
const DefaultSize = 1 << 18

// slack is for how much longer than it has to a Set remembers: verifiers tolerate
// that clocks differ.
const slack = time.Minute

// Set is what was revoked, each until it does not matter any more. The zero value is
// empty, holds DefaultSize and is safe for concurrent use.
type Set struct {
	// Size is how many it holds; zero means DefaultSize. It is set before the first
	// use. When there are more, those go first that would be forgotten first: they
	// leave the least time to a token that should be dead.
	Size int

	// filled says that there is something to look for. Mostly there is not, and then
	// nobody waits for the lock.
	filled atomic.Bool

	mu    sync.RWMutex
	until map[string]int64 // seconds
	// order has an entry for each of until, and those that a later one replaced.
	order   byExpiry
	dropped int64
}

// Contains reports whether one of the ids was revoked. Empty ids are passed over. It
// allocates nothing.
func (s *Set) Contains(ids ...string) bool {
	if !s.filled.Load() {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, id := range ids {
		if id == "" {
			continue
		}
		if _, ok := s.until[id]; ok {
			return true
		}
	}
	return false
}

// Add remembers revocations, and forgets those that have expired at now. It returns
// those of the given ones that it did not know and that still matter.
func (s *Set) Add(revocations []Revocation, now time.Time) []Revocation {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now.Add(-slack).Unix())
	var added []Revocation
	for _, r := range revocations {
		if r.Expires.Add(slack).After(now) && s.add(r.ID, secondAfter(r.Expires)) {
			added = append(added, r)
		}
	}
	for size := s.size(); len(s.order) > size; {
		if s.pop() {
			s.dropped++
		}
	}
	s.filled.Store(len(s.until) > 0)
	return added
}

func (s *Set) size() int {
	if s.Size == 0 {
		return DefaultSize
	}
	return s.Size
}

// add reports whether the id was not there. Of two expiries the later one counts.
func (s *Set) add(id string, until int64) bool {
	old, known := s.until[id]
	if id == "" || known && old >= until {
		return false
	}
	if s.until == nil {
		s.until = make(map[string]int64)
	}
	s.until[id] = until
	heap.Push(&s.order, expiry{until, id})
	return !known
}

// forget removes what ended at that second or before.
func (s *Set) forget(second int64) {
	for len(s.order) > 0 && s.order[0].until <= second {
		s.pop()
	}
}

// pop removes the entry that ends first, and reports whether its id is forgotten with
// it: it may have got a later end since.
func (s *Set) pop() bool {
	first := heap.Pop(&s.order).(expiry)
	if s.until[first.id] != first.until {
		return false
	}
	delete(s.until, first.id)
	return true
}

// Len is how many revocations are remembered.
func (s *Set) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.until)
}

// Dropped is how many were forgotten before their time, because there were too many.
func (s *Set) Dropped() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.dropped
}

// expiry is when an id can be forgotten.
type expiry struct {
	until int64
	id    string
}

// byExpiry is a heap, the earliest first.
type byExpiry []expiry

func (h byExpiry) Len() int           { return len(h) }
func (h byExpiry) Less(i, j int) bool { return h[i].until < h[j].until }
func (h byExpiry) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byExpiry) Push(x any)        { *h = append(*h, x.(expiry)) }
func (h *byExpiry) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = expiry{}
	*h = (*h)[:last]
	return x
}
