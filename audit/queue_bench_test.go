package audit

import (
	"context"
	"io"
	"testing"
	"time"
)

// BenchmarkQueue is what an event costs its caller, while the queue's goroutine
// uses another core. One caller at full speed is a hundred times the sidecar's
// load, so that some may be lost.
func BenchmarkQueue(b *testing.B) {
	q := NewQueue(NewLines(io.Discard), QueueOptions{})
	log, e := Log{Sink: q}, full()
	b.ReportAllocs()
	for b.Loop() {
		log.Write(context.Background(), e)
	}
	b.StopTimer()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := q.Close(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(q.Lost())/float64(b.N), "lost/op")
}

// BenchmarkFullQueue is what it costs when the output takes nothing.
func BenchmarkFullQueue(b *testing.B) {
	stuck := make(blocked)
	q := NewQueue(NewLines(stuck), QueueOptions{Limit: 64 << 10})
	log, e := Log{Sink: q}, full()
	b.ReportAllocs()
	for b.Loop() {
		log.Write(context.Background(), e)
	}
	b.StopTimer()
	close(stuck)
	if err := q.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}
