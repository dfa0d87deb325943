package relay

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

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
