package relay

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"
)

// waiting is a connection that began to wait some time ago.
func waiting(p *Pool, ago time.Duration) *stub {
	s := &stub{readErr: io.EOF}
	c := newConn(s, s)
	p.put(c)
	c.since = time.Now().Add(-ago)
	return s
}

func TestWhatHasWaitedTooLongIsClosed(t *testing.T) {
	p := &Pool{}
	old, older, young := waiting(p, idleTimeout), waiting(p, idleTimeout), waiting(p, 0)
	p.sweep()
	if !old.closed.Load() || !older.closed.Load() || young.closed.Load() {
		t.Errorf("closed: %t, %t, and the young one: %t", old.closed.Load(), older.closed.Load(), young.closed.Load())
	}
	if len(p.idle) != 1 || !p.sweeping {
		t.Errorf("%d wait; another sweep is due: %t", len(p.idle), p.sweeping)
	}
	p.idle[0].since = time.Now().Add(-idleTimeout)
	p.sweep()
	if len(p.idle) != 0 || p.sweeping || !young.closed.Load() {
		t.Errorf("%d wait; another sweep is due: %t", len(p.idle), p.sweeping)
	}
}

func TestNotMoreThanSoManyConnectionsWait(t *testing.T) {
	p := &Pool{}
	for i := range maxIdle {
		if waiting(p, 0).closed.Load() {
			t.Fatalf("connection %d is closed", i)
		}
	}
	if s := waiting(p, 0); !s.closed.Load() || len(p.idle) != maxIdle {
		t.Errorf("%d connections wait", len(p.idle))
	}
	p.Close()
}

func TestTheConnectionUsedLastIsUsedNext(t *testing.T) {
	p := &Pool{}
	waiting(p, 0)
	last := waiting(p, 0)
	if c := p.pop(); c.socket != last {
		t.Error("an older one is used")
	}
	p.Close()
}

func TestAClosedPoolKeepsNothing(t *testing.T) {
	leavesNoGoroutine(t)
	s := listen(t, answers(textOf("hi")))
	p := s.pool(t)
	mustAsk(t, p, http.MethodGet)
	res, err := p.Request(http.MethodGet, "/").Send(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.put(newConn(&stub{}, &stub{}))
	p.Close()
	if got := read(res.Response, res); got.Body != "hi" || got.Failed {
		t.Errorf("a request under way is answered by %+v", got)
	}
	res.Close()
	if n := len(p.idle); n != 0 {
		t.Errorf("%d connections wait", n)
	}
	eventually(t, "the connections are closed", func() bool { return s.open.Load() == 0 })
	if got := mustAsk(t, p, http.MethodGet); got != "hi" {
		t.Errorf("a later request is answered by %q", got)
	}
	eventually(t, "its connection is closed", func() bool { return s.open.Load() == 0 })
	p.Close() // again
}

// TestAnIdleConnectionIsClosedInTime waits for the timer itself.
func TestAnIdleConnectionIsClosedInTime(t *testing.T) {
	t.Parallel()
	s := listen(t, answers(textOf("hi")))
	p := s.pool(t)
	mustAsk(t, p, http.MethodGet)
	eventually(t, "the server sees it closed", func() bool { return s.open.Load() == 0 })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sweeping || len(p.idle) > 0 {
		t.Errorf("%d wait; another sweep is due: %t", len(p.idle), p.sweeping)
	}
}
