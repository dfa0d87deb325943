package relay

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
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

// TestAnAnswerTooManyIsNobodysAnswer has servers say more than they were asked.
func TestAnAnswerTooManyIsNobodysAnswer(t *testing.T) {
	for _, tt := range []struct {
		name string
		// first is how the first connection is served; said is called when all is sent.
		first func(p *peer, said func())
	}{
		{"in the same packet", func(p *peer, said func()) {
			p.request()
			p.say(textOf("first") + textOf("poison"))
			said()
		}},
		{"while the connection waits", func(p *peer, said func()) {
			p.request()
			p.say(textOf("first"))
			time.Sleep(10 * time.Millisecond)
			p.say(textOf("poison"))
			said()
		}},
		{"an error of its own while the connection waits", func(p *peer, said func()) {
			p.request()
			p.say(textOf("first"))
			p.say("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			said()
		}},
		{"before it is asked", func(p *peer, said func()) {
			p.say(textOf("first"))
			p.request()
			p.say(textOf("poison"))
			said()
		}},
		{"half of one", func(p *peer, said func()) {
			p.request()
			p.say(textOf("first") + ok)
			said()
		}},
		{"a body where there is none", func(p *peer, said func()) {
			p.request()
			p.say("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" + textOf("poison"))
			said()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leavesNoGoroutine(t)
			said := make(chan struct{})
			s := listen(t, func(p *peer) {
				if p.nth == 1 {
					tt.first(p, func() { close(said) })
					p.drain()
					return
				}
				answers(textOf("second"))(p)
			})
			p := s.pool(t)
			if got := mustAsk(t, p, http.MethodGet); got == "poison" {
				t.Errorf("the first request is answered by %q", got)
			}
			within(t, "the server has said it all", func() { <-said })
			for range 3 {
				if got := mustAsk(t, p, http.MethodGet); got != "second" {
					t.Errorf("the next request is answered by %q", got)
				}
			}
		})
	}
}

// TestAnAnswerTooManyIsNobodysAnswerOverTLS is about records, which are read ahead.
func TestAnAnswerTooManyIsNobodysAnswerOverTLS(t *testing.T) {
	short := textOf("first")
	// The rest of a record stays in TLS when the reader's buffer is full.
	full := ok + "Content-Length: 3000\r\nX: "
	full += strings.Repeat("x", readBuffer-len(full)-4-3000) + "\r\n\r\n" + strings.Repeat("y", 3000)
	if len(full) != readBuffer {
		t.Fatalf("the answer has %d bytes, want %d", len(full), readBuffer)
	}
	for _, tt := range []struct {
		name    string
		records []string
	}{
		{"in one record", []string{short + textOf("poison")}},
		{"in two records of one packet", []string{short, textOf("poison")}},
		{"in one record, behind a full buffer", []string{full + textOf("poison")}},
		{"in two records, behind a full buffer", []string{full, textOf("poison")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leavesNoGoroutine(t)
			s, p := secured(t, func(p *peer, hold func(bool)) {
				if p.nth > 1 {
					answers(textOf("second"))(p)
					return
				}
				p.request()
				hold(true)
				for _, record := range tt.records {
					p.say(record)
				}
				hold(false)
				p.drain()
			})
			if got := mustAsk(t, p, http.MethodGet); got == "poison" {
				t.Errorf("the first request is answered by %q", got)
			}
			for range 3 {
				if got := mustAsk(t, p, http.MethodGet); got != "second" {
					t.Errorf("the next request is answered by %q", got)
				}
			}
			if n := s.accepted.Load(); n != 2 {
				t.Errorf("there are %d connections", n)
			}
		})
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

// TestARequestThatMayHaveArrivedIsNotSentTwice has the server close a connection after it
// has read its second request.
func TestARequestThatMayHaveArrivedIsNotSentTwice(t *testing.T) {
	for _, tt := range []struct {
		name, method, last string
		// seen is how often the server sees the second request; answered says whether that
		// helps.
		seen     int64
		answered bool
	}{
		{"GET, no answer", "GET", "", 2, true},
		{"HEAD, no answer", "HEAD", "", 2, true},
		{"POST, no answer", "POST", "", 1, false},
		{"DELETE, no answer", "DELETE", "", 1, false},
		{"GET, half an answer", "GET", "HTTP/1.", 1, false},
		{"GET, a hint", "GET", "HTTP/1.1 103 Early Hints\r\n\r\n", 1, false},
		{"GET, half a body", "GET", ok + "Content-Length: 9\r\n\r\nhi", 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leavesNoGoroutine(t)
			s := listen(t, func(p *peer) {
				if p.nth > 1 {
					answers(textOf("hi"))(p)
					return
				}
				p.request()
				p.say(textOf("hi"))
				p.request()
				p.say(tt.last)
			})
			p := s.pool(t)
			mustAsk(t, p, http.MethodGet)
			a, err := ask(p, tt.method, nil)
			if answered := err == nil && !a.Failed; answered != tt.answered {
				t.Errorf("%+v, %v", a, err)
			}
			if n := s.requests.Load() - 1; n != tt.seen {
				t.Errorf("the server saw the request %d times", n)
			}
		})
	}
}

func TestAFreshConnectionThatGivesNoAnswerIsNotTriedAgain(t *testing.T) {
	s := listen(t, func(p *peer) { p.request() })
	if a, err := ask(s.pool(t), http.MethodGet, nil); err == nil {
		t.Errorf("it answered %+v", a)
	}
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
}

// TestConnectionsThatFailBetweenLookAndWrite puts such connections into the pool.
func TestConnectionsThatFailBetweenLookAndWrite(t *testing.T) {
	for _, tt := range []struct {
		name, method     string
		readErr, written error
		answered         bool
	}{
		{"GET, nothing goes out", "GET", io.EOF, syscall.EPIPE, true},
		{"POST, nothing goes out", "POST", io.EOF, syscall.EPIPE, true},
		{"GET, it is reset", "GET", syscall.ECONNRESET, nil, true},
		{"GET, TLS breaks off", "GET", io.ErrUnexpectedEOF, nil, true},
		{"POST, it is reset", "POST", syscall.ECONNRESET, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := listen(t, answers(textOf("hi")))
			p := s.pool(t)
			var stubs []*stub
			for range 5 {
				broken := &stub{readErr: tt.readErr, writeErr: tt.written}
				stubs = append(stubs, broken)
				p.put(newConn(broken, broken))
			}
			a, err := ask(p, tt.method, []byte("{}"))
			if answered := err == nil && a.Body == "hi"; answered != tt.answered {
				t.Errorf("%+v, %v", a, err)
			}
			want := int64(0)
			if tt.answered {
				want = 1
			}
			if n := s.requests.Load(); n != want {
				t.Errorf("the server saw %d requests", n)
			}
			for i, broken := range stubs {
				if used := tt.answered || i == len(stubs)-1; broken.closed.Load() != used {
					t.Errorf("connection %d is closed: %t", i, !used)
				}
			}
		})
	}
}

// TestServersThatCloseAtOnceLoseNoGETAndRepeatNoPOST races the close of a connection with
// its next request.
func TestServersThatCloseAtOnceLoseNoGETAndRepeatNoPOST(t *testing.T) {
	leavesNoGoroutine(t)
	var mu sync.Mutex
	seen := make(map[string]int)
	s := listen(t, func(p *peer) {
		for range 1 + p.nth%3 {
			r := p.request()
			if r == nil {
				return
			}
			mu.Lock()
			seen[r.Header.Get("Nth")]++
			mu.Unlock()
			p.say(textOf("hi"))
		}
	})
	p := s.pool(t)
	failed := 0
	for i := range 1000 {
		method, body := http.MethodGet, []byte(nil)
		if i%2 == 0 {
			method, body = http.MethodPost, []byte("{}")
		}
		r := p.Request(method, "/")
		r.Add("Nth", strconv.Itoa(i))
		res, err := r.Send(context.Background(), body, nil)
		if err != nil {
			failed++
			if method == http.MethodGet {
				t.Errorf("a GET was lost: %v", err)
			}
			continue
		}
		if got := read(res.Response, res); got.Body != "hi" {
			t.Errorf("it answered %+v", got)
		}
		res.Close()
	}
	for nth, n := range seen {
		if i, _ := strconv.Atoi(nth); i%2 == 0 && n > 1 {
			t.Errorf("POST %s was received %d times", nth, n)
		}
	}
	t.Logf("%d of 500 POSTs met a connection that was being closed", failed)
}

func TestNoRequestIsLostWhenTheServerHasRestarted(t *testing.T) {
	leavesNoGoroutine(t)
	restart := make(chan struct{})
	s := listen(t, func(p *peer) {
		if p.nth > 5 {
			answers(textOf("new"))(p)
			return
		}
		p.request()
		p.say(textOf("old"))
		<-restart
	})
	p := s.pool(t)
	var open []*Response
	for range 5 {
		res, err := p.Request(http.MethodGet, "/").Send(context.Background(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(res)
		open = append(open, res)
	}
	for _, res := range open {
		res.Close()
	}
	close(restart)
	eventually(t, "the server has closed", func() bool { return s.open.Load() == 0 })
	if a, err := ask(p, http.MethodPost, []byte("{}")); err != nil || a.Body != "new" {
		t.Errorf("%+v, %v", a, err)
	}
	if n := s.accepted.Load(); n != 6 {
		t.Errorf("there were %d connections", n)
	}
}

func TestCallersDoNotGetEachOthersAnswers(t *testing.T) {
	leavesNoGoroutine(t)
	s := listen(t, func(p *peer) {
		for n := 0; ; n++ {
			r := p.request()
			if r == nil {
				return
			}
			body, _ := io.ReadAll(r.Body)
			said := textOf(string(body))
			if n%7 == 6 {
				said += textOf("poison")
			}
			p.say(said)
		}
	})
	p := s.pool(t)
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			for i := range 100 {
				mine := fmt.Sprintf("%d of %d", i, caller)
				a, err := ask(p, http.MethodPost, []byte(mine))
				if err != nil || a.Body != mine {
					t.Errorf("who sent %q got %+v, %v", mine, a, err)
				}
			}
		})
	}
	callers.Wait()
}
