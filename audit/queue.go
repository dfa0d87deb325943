package audit

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Output takes events from a Queue: encoded one by one, sent many at once.
type Output interface {
	// Append appends the encoded event to b and returns it. It is called by many
	// goroutines at once.
	Append(b []byte, e Event) []byte
	// Send delivers n events, which is what Append made of them one after another. It
	// returns how many of them arrived, always the first ones, and why no more did.
	// The batch is not its own after it has returned. It gives up when ctx ends, if
	// it can.
	Send(ctx context.Context, batch []byte, n int) (int, error)
}

// QueueOptions say how much a Queue holds back, and for how long.
type QueueOptions struct {
	// Limit is how many bytes of encoded events may wait; what comes beyond is lost.
	// As many can be on their way to the output at the same time. 2 MiB when zero.
	Limit int
	// Batch is how many bytes are sent together, and from how many waiting bytes on
	// nothing waits for more; 32 KiB when zero.
	Batch int
	// Delay is how long fewer bytes wait for more; 50 ms when zero.
	Delay time.Duration
	// Logger is told when the output begins to fail, and when it works again. Nobody
	// is when nil, which is right where the output is the log itself.
	Logger *slog.Logger
}

// Queue is a Sink that never waits for its output. Callers encode into memory; one
// goroutine sends what has come together. When the output is slower than the
// events for so long that Limit is reached, events are lost. They are counted, and
// an EventsLost says so in the place of those that are missing.
type Queue struct {
	out     Output
	options QueueOptions
	buffers buffers

	// begun says that an empty queue has got its first event, filled that a batch is
	// full. Each holds one token, so that nobody waits to leave it.
	begun, filled chan struct{}
	closing, done chan struct{}
	sending       context.Context
	stopSending   context.CancelFunc

	mu      sync.Mutex
	waiting []batch
	size    int      // of what is waiting, in bytes
	free    [][]byte // buffers of batches that were sent
	closed  bool
	written uint64
	lost    uint64
	told    uint64 // of those lost
}

// batch is what is sent together. Bytes are kept in many of these rather than in
// one that grows, so that a burst costs no copies and leaves no memory behind.
type batch struct {
	encoded []byte
	events  int
}

// maxFree is how many buffers are kept for batches to come.
const maxFree = 2

// NewQueue starts a queue in front of the output. Close ends it.
func NewQueue(out Output, options QueueOptions) *Queue {
	options.Limit = cmp.Or(options.Limit, 2<<20)
	options.Batch = min(cmp.Or(options.Batch, 32<<10), options.Limit)
	options.Delay = cmp.Or(options.Delay, 50*time.Millisecond)
	q := &Queue{
		out: out, options: options,
		begun: make(chan struct{}, 1), filled: make(chan struct{}, 1),
		closing: make(chan struct{}), done: make(chan struct{}),
	}
	q.sending, q.stopSending = context.WithCancel(context.Background())
	go q.run()
	return q
}

// Write implements Sink. It costs the caller the encoding and a copy, and at most
// the time that others take for theirs.
func (q *Queue) Write(_ context.Context, e Event) {
	encoded := q.buffers.get()
	defer q.buffers.put(encoded)
	*encoded = q.out.Append(*encoded, e)
	q.mu.Lock()
	before := q.size
	after := before + len(*encoded)
	if q.closed || after > q.options.Limit {
		q.lost++
		q.mu.Unlock()
		return
	}
	q.add(*encoded)
	q.mu.Unlock()
	if before == 0 {
		leave(q.begun)
	}
	if before < q.options.Batch && after >= q.options.Batch {
		leave(q.filled)
	}
}

// add puts the event into the last batch, or begins one. The lock is held.
func (q *Queue) add(encoded []byte) {
	last := len(q.waiting) - 1
	if last < 0 || len(q.waiting[last].encoded)+len(encoded) > q.options.Batch {
		q.waiting = append(q.waiting, batch{encoded: q.buffer()})
		last++
	}
	q.waiting[last].encoded = append(q.waiting[last].encoded, encoded...)
	q.waiting[last].events++
	q.size += len(encoded)
}

func (q *Queue) buffer() []byte {
	last := len(q.free) - 1
	if last < 0 {
		return make([]byte, 0, q.options.Batch)
	}
	b := q.free[last]
	q.free = q.free[:last]
	return b
}

// Written returns how many events have arrived at the output.
func (q *Queue) Written() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.written
}

// Lost returns how many events never will: those that found the queue full or
// closed, and those that the output failed to take.
func (q *Queue) Lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}

// Close sends what is waiting and ends the queue. When ctx ends before that, what
// still waits is lost, and the error says so. Events that come later are lost too.
// It may be called again.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.closing)
	}
	q.mu.Unlock()
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
	}
	q.stopSending()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, waiting := range q.waiting {
		q.lost += uint64(waiting.events)
	}
	q.waiting, q.size = nil, 0
	return fmt.Errorf("send the last audit events: %d are lost so far: %w", q.lost, ctx.Err())
}

func leave(token chan struct{}) {
	select {
	case token <- struct{}{}:
	default:
	}
}
