package sidecar

import (
	"bytes"
	"sync"
)

const (
	// keptBody is the longest memory that is lent again.
	keptBody = 64 << 10
	// chunk is how much of an answer passes at once. Events are small, and many streams
	// are open at once.
	chunk = 8 << 10
)

// memory lends what bodies are read into and what answers pass through.
type memory struct{ bodies, chunks sync.Pool }

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
