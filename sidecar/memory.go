package sidecar

import (
	"bytes"
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// largeBytes is what all large bodies and lists may take together. They are bounded one
	// by one as well, but many at once would have the whole sidecar killed.
	largeBytes = 32 << 20
	// small is from which length on they are counted.
	small = 64 << 10
	// roomTimeout is how long they wait for others to be done.
	roomTimeout = 5 * time.Second

	// keptBody is the longest memory that is lent again.
	keptBody = 64 << 10
	// chunk is how much of an answer passes at once. Events are small, and many streams
	// are open at once.
	chunk = 8 << 10
)

// memory lends what bodies are read into and what answers pass through.
type memory struct {
	bodies, chunks sync.Pool
	large          *semaphore.Weighted
}

// room waits for memory of a size, if that is large, and returns what gives it back; nil
// where none was to be had in time.
func (m *memory) room(ctx context.Context, size int64) (leave func()) {
	if size <= small {
		return func() {}
	}
	size = min(size, largeBytes)
	ctx, cancel := context.WithTimeout(ctx, roomTimeout)
	defer cancel()
	if m.large.Acquire(ctx, size) != nil {
		return nil
	}
	return func() { m.large.Release(size) }
}

// shrink gives back what was waited for beyond a size that is known now.
func (m *memory) shrink(leave func(), size int64) func() {
	if leave == nil {
		return nil
	}
	leave()
	if size <= small {
		return nil
	}
	if size = min(size, largeBytes); !m.large.TryAcquire(size) {
		return nil // others were quicker; what is there is there already
	}
	return func() { m.large.Release(size) }
}

// body is the memory of one body.
type body struct{ bytes.Buffer }

func (m *memory) borrow() *body {
	if b, ok := m.bodies.Get().(*body); ok {
		return b
	}
	return &body{}
}

// lend takes back what nobody refers to any more; nil is nothing.
func (m *memory) lend(b *body) {
	if b == nil || b.Cap() > keptBody {
		return
	}
	b.Reset()
	m.bodies.Put(b)
}

func (m *memory) borrowChunk() *[]byte {
	if c, ok := m.chunks.Get().(*[]byte); ok {
		return c
	}
	c := make([]byte, chunk)
	return &c
}

func (m *memory) lendChunk(c *[]byte) { m.chunks.Put(c) }
