package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const patience = 20 * time.Second

// never is a delay that no test waits for.
const never = time.Hour

// blocked is a writer that takes nothing before it is closed.
type blocked chan struct{}

func (b blocked) Write(p []byte) (int, error) {
	<-b
	return len(p), nil
}

// writer is a writer that does as hook says before it takes what it is given.
type writer struct {
	calls
	hook func() error
}

func (w *writer) Write(p []byte) (int, error) {
	if err := w.hook(); err != nil {
		return 0, err
	}
	return w.calls.Write(p)
}

// all are the lines as "type lost".
func (c *calls) all(t *testing.T) []string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var got []string
	for line := range strings.Lines(strings.Join(c.lines, "")) {
		var event struct {
			Msg  string
			Lost uint64
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("not a line: %q", line)
		}
		got = append(got, fmt.Sprintf("%s %d", event.Msg, event.Lost))
	}
	return got
}

// tally counts the events that arrived, and those that are told as lost.
func (c *calls) tally(t *testing.T) (arrived, told uint64) {
	t.Helper()
	for _, line := range c.all(t) {
		var kind string
		var lost uint64
		if _, err := fmt.Sscan(line, &kind, &lost); err != nil {
			t.Fatal(err)
		}
		if told += lost; kind != EventsLost {
			arrived++
		}
	}
	return arrived, told
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

func closed(t *testing.T, q *Queue) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := q.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestAQueueWritesManyEventsAtOnceAndInOrder(t *testing.T) {
	var c calls
	q := NewQueue(NewLines(&c), QueueOptions{Delay: never})
	var want []string
	for i := range 20 {
		q.Write(t.Context(), Event{Type: fmt.Sprintf("e%d", i)})
		want = append(want, fmt.Sprintf("e%d 0", i))
	}
	closed(t, q)
	if diff := cmp.Diff(want, c.all(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(c.lines) != 1 {
		t.Errorf("it took %d writes", len(c.lines))
	}
	if q.Written() != 20 || q.Lost() != 0 {
		t.Errorf("counted %d written and %d lost", q.Written(), q.Lost())
	}
}

func TestAQueueSendsWithoutBeingClosed(t *testing.T) {
	tests := []struct {
		name    string
		options QueueOptions
	}{
		{"what has waited long enough", QueueOptions{Delay: time.Millisecond}},
		{"what fills a batch", QueueOptions{Delay: never, Batch: 100}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c calls
			q := NewQueue(NewLines(&c), tt.options)
			defer closed(t, q)
			for round := range 3 { // the first one is not different
				q.Write(t.Context(), Event{Type: "token.issued", Client: strings.Repeat("x", 100)})
				eventually(t, "the event", func() bool { return len(c.all(t)) == round+1 })
			}
		})
	}
}

func TestABlockedWriterBlocksNobody(t *testing.T) {
	const events, limit = 5000, 16 << 10
	unblocked := make(chan struct{})
	w := &writer{hook: func() error { <-unblocked; return nil }}
	q := NewQueue(NewLines(w), QueueOptions{Limit: limit, Delay: time.Millisecond})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range events {
			q.Write(context.Background(), Event{Type: "tool.called"})
		}
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("waited %s for events to be written while the writer is blocked", patience)
	}
	q.mu.Lock()
	waiting := 0
	for _, b := range q.waiting {
		waiting += cap(b.encoded)
	}
	q.mu.Unlock()
	if waiting > 2*limit { // batches are not filled to the last byte
		t.Errorf("%d bytes are waiting, the limit is %d", waiting, limit)
	}
	if q.Lost() == 0 {
		t.Error("no event was counted as lost")
	}
	close(unblocked)
	closed(t, q)
	arrived, told := w.tally(t)
	if arrived != q.Written() || told != q.Lost() || arrived+told != events {
		t.Errorf("%d arrived (counted %d), %d told lost (counted %d), of %d", arrived, q.Written(), told, q.Lost(), events)
	}
}

// Whatever the writer does, every event either arrives or is told as lost.
func TestNoEventIsForgotten(t *testing.T) {
	const goroutines, each = 4, 2000
	var turn atomic.Int64
	tests := []struct {
		name string
		hook func() error
	}{
		{"a quick writer", func() error { return nil }},
		{"a slow writer", func() error { time.Sleep(time.Millisecond); return nil }},
		{"a writer that fails every second time", func() error {
			if turn.Add(1)%2 == 1 {
				return errors.New("no space left on device")
			}
			return nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &writer{hook: tt.hook}
			q := NewQueue(NewLines(w), QueueOptions{Limit: 8 << 10, Batch: 1 << 10, Delay: time.Millisecond})
			var group sync.WaitGroup
			for range goroutines {
				group.Go(func() {
					for range each {
						q.Write(context.Background(), Event{Type: "tool.called"})
					}
				})
			}
			group.Wait()
			// Two more, as the writer that fails may have failed last.
			for range 2 {
				before := q.Written() + q.Lost()
				q.Write(t.Context(), Event{Type: "tool.called"})
				eventually(t, "the last event", func() bool { return q.Written()+q.Lost() > before && q.Written()+q.Lost() >= goroutines*each })
			}
			closed(t, q)
			arrived, told := w.tally(t)
			if arrived != q.Written() || arrived+q.Lost() != goroutines*each+2 {
				t.Errorf("%d arrived (counted %d), %d lost, of %d", arrived, q.Written(), q.Lost(), goroutines*each+2)
			}
			if told > q.Lost() || (tt.name != "a writer that fails every second time" && told != q.Lost()) {
				t.Errorf("%d told lost, counted %d", told, q.Lost())
			}
		})
	}
}

func TestAQueueSaysOnceHowManyAreMissing(t *testing.T) {
	var failing atomic.Bool
	failing.Store(true)
	w := &writer{hook: func() error {
		if failing.Load() {
			return errors.New("no space left on device")
		}
		return nil
	}}
	var logged calls
	q := NewQueue(NewLines(w), QueueOptions{Delay: time.Millisecond, Logger: slog.New(slog.NewJSONHandler(&logged, nil))})
	for i := range uint64(3) {
		q.Write(t.Context(), Event{Type: "missing"})
		eventually(t, "the loss", func() bool { return q.Lost() == i+1 })
	}
	failing.Store(false)
	for i := range uint64(2) {
		q.Write(t.Context(), Event{Type: "arrived"})
		eventually(t, "the event", func() bool { return q.Written() == i+1 })
	}
	closed(t, q)
	if diff := cmp.Diff([]string{"arrived 0", "audit.lost 3", "arrived 0"}, w.all(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"audit events are lost 1", "audit events arrive again 3"}, logged.all(t)); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
}

func TestAPartOfABatchThatWasWrittenIsNotLost(t *testing.T) {
	line := appendLine(nil, &Event{Type: "e"})
	w := &flaky{takes: []int{2*len(line) + 5}}
	q := NewQueue(NewLines(w), QueueOptions{Delay: never})
	for range 5 {
		q.Write(t.Context(), Event{Type: "e"})
	}
	closed(t, q)
	if q.Written() != 2 || q.Lost() != 3 {
		t.Errorf("counted %d written and %d lost", q.Written(), q.Lost())
	}
	whole := 0
	for line := range bytes.Lines(w.Bytes()) {
		if json.Valid(line) {
			whole++
		}
	}
	if whole != 3 || !bytes.Contains(w.Bytes(), []byte(`"lost":3`)) {
		t.Errorf("want two events, a torn one, and how many were lost: %s", w)
	}
}

func TestClosingEndsWithItsContextAlthoughTheWriterIsStuck(t *testing.T) {
	stuck := make(blocked)
	defer close(stuck)
	q := NewQueue(NewLines(stuck), QueueOptions{Delay: time.Millisecond})
	q.Write(t.Context(), Event{Type: "on its way"})
	eventually(t, "the writer to have it", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.size == 0
	})
	q.Write(t.Context(), Event{Type: "waiting"})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := q.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the time was over", err)
	}
	if q.Lost() != 1 {
		t.Errorf("counted %d lost, want the one that was waiting", q.Lost())
	}
	q.Write(t.Context(), Event{Type: "late"})
	if q.Lost() != 2 {
		t.Errorf("counted %d lost, want the late one as well", q.Lost())
	}
}

func TestAClosedQueueLosesWhatComesLater(t *testing.T) {
	var c calls
	q := NewQueue(NewLines(&c), QueueOptions{})
	closed(t, q)
	closed(t, q)
	q.Write(t.Context(), Event{Type: "late"})
	if q.Lost() != 1 || len(c.all(t)) != 0 {
		t.Errorf("counted %d lost, and %v was written", q.Lost(), c.all(t))
	}
}

func TestTheMemoryOfABurstIsGivenBack(t *testing.T) {
	const batch, events = 1 << 10, 1000
	q := NewQueue(NewLines(&calls{}), QueueOptions{Batch: batch, Delay: never})
	for range events {
		q.Write(t.Context(), Event{Type: "tool.called"})
	}
	eventually(t, "nothing to wait", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.size < batch
	})
	closed(t, q)
	if q.Written() != events || len(q.free) > maxFree {
		t.Errorf("%d of %d were written, and %d buffers are kept", q.Written(), events, len(q.free))
	}
}

func TestAnEventLargerThanABatchIsSentByItself(t *testing.T) {
	var c calls
	q := NewQueue(NewLines(&c), QueueOptions{Batch: 500, Delay: never})
	for _, size := range []int{1, 1000, 1} {
		q.Write(t.Context(), Event{Type: "e", Client: strings.Repeat("x", size)})
	}
	closed(t, q)
	if diff := cmp.Diff([]string{"e 0", "e 0", "e 0"}, c.all(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
