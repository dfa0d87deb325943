package relay

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestACancelledRequestEndsAtOnce has the context end at each step of an exchange.
func TestACancelledRequestEndsAtOnce(t *testing.T) {
	big := make([]byte, 64<<20) // more than any socket's buffers
	send := func(body []byte) func(context.Context, *Pool) error {
		return func(ctx context.Context, p *Pool) error {
			res, err := p.Request(http.MethodPost, "/").Send(ctx, body, nil)
			if err == nil {
				res.Close()
				return errors.New("it was answered")
			}
			return err
		}
	}
	begin := func(then func(*Response) error) func(context.Context, *Pool) error {
		return func(ctx context.Context, p *Pool) error {
			res, err := p.Request(http.MethodGet, "/").Send(ctx, nil, nil)
			if err != nil {
				return err
			}
			defer res.Close()
			return then(res)
		}
	}
	for _, tt := range []struct {
		name string
		// serve calls reached when the client is where the context shall end.
		serve func(p *peer, reached func())
		do    func(context.Context, *Pool) error
	}{
		{"while a body is written", func(_ *peer, reached func()) {
			reached()
			time.Sleep(50 * time.Millisecond)
		}, send(big)},
		{"while the head is awaited", func(p *peer, reached func()) {
			p.request()
			reached()
			p.drain()
		}, send([]byte("{}"))},
		{"within the head", func(p *peer, reached func()) {
			p.request()
			p.say(ok + "Conte")
			reached()
			p.drain()
		}, send([]byte("{}"))},
		{"after a hint", func(p *peer, reached func()) {
			p.request()
			p.say("HTTP/1.1 103 Early Hints\r\n\r\n")
			reached()
			p.drain()
		}, send([]byte("{}"))},
		{"within a body of a length", func(p *peer, reached func()) {
			p.request()
			p.say(ok + "Content-Length: 9\r\n\r\nhi")
			reached()
			p.drain()
		}, begin(func(res *Response) error {
			_, err := io.ReadAll(res)
			return err
		})},
		{"within a chunk", func(p *peer, reached func()) {
			p.request()
			p.say(ok + "Transfer-Encoding: chunked\r\n\r\n9\r\nhi")
			reached()
			p.drain()
		}, begin(func(res *Response) error {
			_, err := io.ReadAll(res)
			return err
		})},
		{"while a stream is silent", func(p *peer, reached func()) {
			p.request()
			p.say(ok + "Transfer-Encoding: chunked\r\n\r\n")
			reached()
			p.drain()
		}, begin(func(res *Response) error { return res.Wait() })},
	} {
		for _, secure := range []bool{false, true} {
			name := tt.name
			if secure {
				name += ", over TLS"
			}
			t.Run(name, func(t *testing.T) {
				leavesNoGoroutine(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var s *server
				var p *Pool
				if secure {
					s, p = secured(t, func(p *peer, _ func(bool)) { tt.serve(p, cancel) })
				} else {
					s = listen(t, func(p *peer) { tt.serve(p, cancel) })
					p = s.pool(t)
				}
				within(t, "the request gives up", func() {
					if err := tt.do(ctx, p); !errors.Is(err, context.Canceled) {
						t.Errorf("it fails with %v", err)
					}
				})
				eventually(t, "the connection is closed", func() bool { return s.open.Load() == 0 })
				if n := len(p.idle); n != 0 {
					t.Errorf("%d connections wait for the next request", n)
				}
			})
		}
	}
}

func TestADeadlineEndsARequest(t *testing.T) {
	leavesNoGoroutine(t)
	s := listen(t, func(p *peer) { p.drain() })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	within(t, "the request gives up", func() {
		_, err := s.pool(t).Request(http.MethodGet, "/").Send(ctx, nil, nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it fails with %v", err)
		}
	})
}

func TestARequestIsCancelledWhileItDials(t *testing.T) {
	leavesNoGoroutine(t)
	s, p := secured(t, nil)
	_ = s.Close() // nobody accepts what the kernel does
	silent := listen(t, func(p *peer) { p.drain() })
	p.address = silent.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		eventually(t, "it dials", func() bool { return silent.open.Load() > 0 })
		cancel()
	}()
	within(t, "the request gives up", func() {
		if _, err := p.Request(http.MethodGet, "/").Send(ctx, nil, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("it fails with %v", err)
		}
	})
}

func TestNothingIsSentForWhoIsGone(t *testing.T) {
	s := listen(t, answers(textOf("hi")))
	p := s.pool(t)
	mustAsk(t, p, http.MethodGet)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Request(http.MethodPost, "/").Send(ctx, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("it fails with %v", err)
	}
	mustAsk(t, p, http.MethodGet)
	if a, n := s.accepted.Load(), s.requests.Load(); a != 1 || n != 2 {
		t.Errorf("there were %d connections and %d requests", a, n)
	}
}

// TestAContextThatEndsAfterTheAnswerHurtsNobody races the end of one request's context
// with the next request on the same connection.
func TestAContextThatEndsAfterTheAnswerHurtsNobody(t *testing.T) {
	leavesNoGoroutine(t)
	s := listen(t, answers(textOf(strings.Repeat("x", 100))))
	p := s.pool(t)
	for range 500 {
		ctx, cancel := context.WithCancel(t.Context())
		res, err := p.Request(http.MethodPost, "/").Send(ctx, []byte("{}"), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(res)
		go cancel()
		res.Close()
		if a, err := ask(p, http.MethodPost, []byte("{}")); err != nil || a.Failed {
			t.Fatalf("%+v, %v", a, err)
		}
	}
}

func TestAConnectionWhoseContextHasEndedIsNotUsedAgain(t *testing.T) {
	s := listen(t, answers(textOf("hi")))
	p := s.pool(t)
	ctx, cancel := context.WithCancel(t.Context())
	res, err := p.Request(http.MethodGet, "/").Send(ctx, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(res)
	cancel() // and its deadline will be set
	res.Close()
	if n := len(p.idle); n != 0 {
		t.Errorf("%d connections wait", n)
	}
}
