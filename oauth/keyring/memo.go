package keyring

import (
	"maps"
	"sync"
	"sync/atomic"
)

// memoSize is more than this project has purposes or types.
const memoSize = 32

// memo remembers what was derived from each of a few words. When it is full, a new
// word is derived every time, so that no caller can make it grow. The zero value
// is empty. It is safe for concurrent use, and a read takes no lock.
type memo[V any] struct {
	mu    sync.Mutex // held to add
	known atomic.Pointer[map[string]V]
}

// of returns what derive makes of word. An error is not remembered.
func (m *memo[V]) of(word string, derive func(word string) (V, error)) (V, error) {
	if known := m.known.Load(); known != nil {
		if v, ok := (*known)[word]; ok {
			return v, nil
		}
	}
	v, err := derive(word)
	if err == nil {
		m.add(word, v)
	}
	return v, err
}

func (m *memo[V]) add(word string, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[string]V{}
	if known := m.known.Load(); known != nil {
		if len(*known) >= memoSize {
			return
		}
		next = maps.Clone(*known)
	}
	next[word] = v
	m.known.Store(&next)
}
