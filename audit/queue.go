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
	// Batch is from how many waiting bytes on they are sent at once; 32 KiB when zero.
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
	waiting []byte
	events  int // in waiting
	closed  bool
	written uint64
	lost    uint64
	told    uint64 // of those lost
}

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
	before := len(q.waiting)
	after := before + len(*encoded)
	if q.closed || after > q.options.Limit {
		q.lost++
		q.mu.Unlock()
		return
	}
	q.waiting = append(q.waiting, *encoded...)
	q.events++
	q.mu.Unlock()
	if before == 0 {
		leave(q.begun)
	}
	if before < q.options.Batch && after >= q.options.Batch {
		leave(q.filled)
	}
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
	q.lost += uint64(q.events)
	q.waiting, q.events = nil, 0
	return fmt.Errorf("send the last audit events: %d are lost so far: %w", q.lost, ctx.Err())
}

// run sends batches until the queue is closed and empty.
func (q *Queue) run() {
	defer close(q.done)
	defer q.stopSending()
	s := sender{q: q}
	timer := time.NewTimer(q.options.Delay)
	for {
		select {
		case <-q.begun:
		case <-q.closing:
			s.send()
			s.send() // tells what the one before lost, or does nothing
			return
		}
		timer.Reset(q.options.Delay)
		select {
		case <-q.filled:
		case <-timer.C:
		case <-q.closing:
		}
		s.send()
	}
}

// sender is the queue's goroutine.
type sender struct {
	q       *Queue
	spare   []byte
	failing bool
}

// send sends all that is waiting, and how many events are missing from it.
func (s *sender) send() {
	q := s.q
	q.mu.Lock()
	batch, events, untold := q.waiting, q.events, q.lost-q.told
	q.waiting, q.events = s.spare[:0], 0
	q.mu.Unlock()
	s.spare = nil
	sent := events
	if untold > 0 {
		batch = q.out.Append(batch, Event{Time: time.Now(), Type: EventsLost, Lost: untold})
		sent++
	}
	if sent > 0 {
		arrived, err := q.out.Send(q.sending, batch, sent)
		q.mu.Lock()
		q.written += uint64(min(arrived, events))
		q.lost += uint64(events - min(arrived, events))
		if arrived == sent {
			q.told += untold
		}
		q.mu.Unlock()
		s.log(events-min(arrived, events), err)
	}
	// A burst's memory is given back.
	if cap(batch) <= 4*q.options.Batch {
		s.spare = batch
	}
}

// log tells of the first failure and of the end of it.
func (s *sender) log(lost int, err error) {
	failed := err != nil
	if s.q.options.Logger == nil || failed == s.failing {
		return
	}
	s.failing = failed
	if failed {
		s.q.options.Logger.Error("audit events are lost", "lost", lost, "error", err)
		return
	}
	s.q.options.Logger.Info("audit events arrive again", "lost", s.q.Lost())
}

func leave(token chan struct{}) {
	select {
	case token <- struct{}{}:
	default:
	}
}
