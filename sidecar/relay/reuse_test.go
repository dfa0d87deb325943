package relay

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestConnectionsAreUsedAgain(t *testing.T) {
	leavesNoGoroutine(t)
	s := listen(t, answers(textOf("hi")))
	p := s.pool(t)
	for range 1000 {
		mustAsk(t, p, http.MethodGet)
	}
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("%d connections for requests one after the other", n)
	}
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for range 100 {
				if a, err := ask(p, http.MethodPost, []byte("{}")); err != nil || a.Body != "hi" {
					t.Errorf("%+v, %v", a, err)
					return
				}
			}
		})
	}
	callers.Wait()
	if n := s.accepted.Load(); n > 16 {
		t.Errorf("%d connections for 16 callers", n)
	}
	if n := s.requests.Load(); n != 1000+16*100 {
		t.Errorf("the server saw %d requests", n)
	}
}

// TestAConnectionIsUsedAgainAfterEachKindOfAnswer is about the answers after which both
// sides know where the next one begins, and those after which they may not.
func TestAConnectionIsUsedAgainAfterEachKindOfAnswer(t *testing.T) {
	for _, tt := range []struct {
		name, method, wire string
		again              bool
	}{
		{"a length", "GET", textOf("hi"), true},
		{"no body", "GET", textOf(""), true},
		{"chunks", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", true},
		{"trailers", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n", true},
		{"HEAD", "HEAD", ok + "Content-Length: 5\r\n\r\n", true},
		{"204", "DELETE", "HTTP/1.1 204 No Content\r\n\r\n", true},
		{"204 with a length of nothing", "DELETE", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", true},
		{"304 with the length that it would have", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", true},
		{"HTTP/1.0 that goes on", "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", true},
		{"an early hint", "GET", "HTTP/1.1 103 Early Hints\r\n\r\n" + textOf("hi"), true},
		{"Connection: close", "GET", ok + "Connection: close\r\nContent-Length: 2\r\n\r\nhi", false},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", false},
		{"204 with a body", "DELETE", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", false},
		{"204 with chunks", "DELETE", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", false},
		{"more than was announced", "GET", textOf("hi") + "!", false},
		{"two answers", "GET", textOf("hi") + textOf("ho"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := listen(t, answers(tt.wire))
			p := s.pool(t)
			for range 3 {
				if a, err := ask(p, tt.method, nil); err != nil || a.Failed || a.Body == "ho" {
					t.Fatalf("%+v, %v", a, err)
				}
			}
			if again := s.accepted.Load() == 1; again != tt.again {
				t.Errorf("%d connections for three requests", s.accepted.Load())
			}
		})
	}
}

func TestAConnectionWhoseAnswerIsNotReadToItsEndIsClosed(t *testing.T) {
	leavesNoGoroutine(t)
	s := listen(t, answers(ok+"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"))
	p := s.pool(t)
	res, err := p.Request(http.MethodGet, "/").Send(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.Read(make([]byte, 9)); n != 2 || err != nil {
		t.Errorf("Read = %d, %v", n, err)
	}
	res.Close()
	eventually(t, "the server learns that nobody reads", func() bool { return s.open.Load() == 0 })
}

func TestASecondCloseLeavesTheConnectionAlone(t *testing.T) {
	s := listen(t, answers(textOf("hi")))
	p := s.pool(t)
	res, err := p.Request(http.MethodGet, "/").Send(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(res)
	res.Close()
	next, err := p.Request(http.MethodGet, "/").Send(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Close()
	if got := read(next.Response, next); got.Body != "hi" || got.Failed {
		t.Errorf("who has the connection now gets %+v", got)
	}
	next.Close()
	mustAsk(t, p, http.MethodGet)
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("there are %d connections", n)
	}
}

func TestConnectionsOverTLSAreUsedAgain(t *testing.T) {
	leavesNoGoroutine(t)
	s, p := secured(t, func(p *peer, _ func(bool)) { answers(textOf("hi"))(p) })
	for range 100 {
		mustAsk(t, p, http.MethodGet)
	}
	big := []byte(strings.Repeat("x", 1<<20))
	if a, err := ask(p, http.MethodPost, big); err != nil || a.Body != "hi" {
		t.Errorf("%+v, %v", a, err)
	}
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestACertificateThatNobodyVouchesForIsRefused(t *testing.T) {
	leavesNoGoroutine(t)
	s, p := secured(t, func(p *peer, _ func(bool)) { answers(textOf("hi"))(p) })
	p.tls.RootCAs = nil
	if a, err := ask(p, http.MethodGet, nil); err == nil {
		t.Errorf("it answered %+v", a)
	}
	if n := s.requests.Load(); n != 0 {
		t.Errorf("it saw %d requests", n)
	}
}
