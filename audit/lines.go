package audit

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"
)

// Lines writes events as JSON, one object a line. As a Sink it has written the
// event, in one call of the writer's Write, when Write returns; as the Output of a
// Queue it writes many at once. It is safe for concurrent use, and for one of
// these two at a time.
type Lines struct {
	w       io.Writer
	buffers buffers

	mu   sync.Mutex
	torn bool   // the writer failed within a line
	lost uint64 // since an EventsLost was written
}

// NewLines returns Lines that write to w.
func NewLines(w io.Writer) *Lines { return &Lines{w: w} }

// Write implements Sink. What the writer fails to take is lost, and told in an
// event of its own as soon as it takes something.
func (l *Lines) Write(_ context.Context, e Event) {
	line := l.buffers.get()
	defer l.buffers.put(line)
	*line = appendLine(*line, &e)
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := l.lost
	if lost > 0 {
		*line = appendLine(*line, &Event{Time: time.Now(), Type: EventsLost, Lost: lost})
	}
	switch written, _ := l.write(*line); written {
	case 0:
		l.lost++
	case 2:
		l.lost = 0
	}
}

// Append implements Output.
func (*Lines) Append(b []byte, e Event) []byte { return appendLine(b, &e) }

// Send implements Output. It waits for the writer however long that takes, as
// a write cannot be called off.
func (l *Lines) Send(_ context.Context, batch []byte, _ int) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write(batch)
}

// write returns how many whole lines were written. After a torn one it begins a
// new line, so that the next event is not lost with it.
func (l *Lines) write(batch []byte) (int, error) {
	if l.torn {
		if _, err := l.w.Write([]byte("\n")); err != nil {
			return 0, err
		}
		l.torn = false
	}
	n, err := l.w.Write(batch)
	l.torn = n > 0 && n < len(batch) && batch[n-1] != '\n'
	return bytes.Count(batch[:n], []byte("\n")), err
}

// buffers lends buffers for one event each. The zero value is ready to use.
type buffers struct{ pool sync.Pool }

func (p *buffers) get() *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 1024)
	return &b
}

func (p *buffers) put(b *[]byte) {
	*b = (*b)[:0]
	p.pool.Put(b)
}
