package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// script says what it holds, once each.
type script struct {
	requests [][]byte
	answered func(status int, body []byte) error
}

func (s *script) Next() []byte {
	if len(s.requests) == 0 {
		return nil
	}
	next := s.requests[0]
	s.requests = s.requests[1:]
	return next
}

func (s *script) Answered(status int, body []byte) error { return s.answered(status, body) }

func address(server *httptest.Server) string { return server.Listener.Addr().String() }

func TestEveryRequestIsAnsweredAndTimed(t *testing.T) {
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		_ = r.ParseForm()
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.Form.Get("fixed"), r.Form.Get("one"))
	}))
	defer server.Close()
	scripts := make([]Script, 4)
	for i := range scripts {
		form := NewForm("bench", "/x", []string{"X-More: 1"}, url.Values{"fixed": {"a b"}}, "one")
		want, left := "", 10
		scripts[i] = &scriptOf{next: func() []byte {
			if left--; left < 0 {
				return nil
			}
			value := strings.Repeat("v", left+1)
			want = "POST a b " + value
			return form.With(value)
		}, answered: func(status int, body []byte) error {
			if status != http.StatusCreated || string(body) != want {
				return fmt.Errorf("got %d %q, want %q", status, body, want)
			}
			return nil
		}}
	}
	result, err := Run(t.Context(), address(server), time.Minute, scripts)
	if err != nil {
		t.Fatal(err)
	}
	if result.Requests() != 40 || served.Load() != 40 {
		t.Errorf("%d requests were answered and %d served, want 40", result.Requests(), served.Load())
	}
	if result.PerSecond() <= 0 || result.Quantile(0.5) <= 0 || result.Quantile(0.99) < result.Quantile(0.5) || result.Quantile(1) > result.Elapsed {
		t.Errorf("the times do not fit: %v", result)
	}
}

// scriptOf makes a Script of functions.
type scriptOf struct {
	next     func() []byte
	answered func(int, []byte) error
}

func (s *scriptOf) Next() []byte                           { return s.next() }
func (s *scriptOf) Answered(status int, body []byte) error { return s.answered(status, body) }

func TestConnectionsLastForSeveralRuns(t *testing.T) {
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	connections, err := Dial(t.Context(), address(server), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer connections.Close()
	for range 3 {
		var scripts []Script
		for range 2 {
			scripts = append(scripts, &script{requests: [][]byte{Get("bench", "/"), Get("bench", "/")}, answered: func(int, []byte) error { return nil }})
		}
		if result, err := connections.Run(t.Context(), time.Minute, scripts); err != nil || result.Requests() != 4 {
			t.Errorf("%d requests, %v", result.Requests(), err)
		}
	}
	if n := opened.Load(); n != 2 {
		t.Errorf("%d connections were opened", n)
	}
	if _, err := connections.Run(t.Context(), time.Minute, make([]Script, 3)); err == nil {
		t.Error("three scripts shared two connections")
	}
}

func TestWhereNobodyListensNothingRuns(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	gone := address(server)
	server.Close()
	if _, err := Run(t.Context(), gone, time.Minute, make([]Script, 1)); err == nil {
		t.Error("it connected")
	}
}

func TestARunEndsWhenItsTimeIsUp(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer server.Close()
	endless := &scriptOf{next: func() []byte { return Get("bench", "/") }, answered: func(int, []byte) error { return nil }}
	result, err := Run(t.Context(), address(server), 20*time.Millisecond, []Script{endless})
	if err != nil || result.Requests() == 0 {
		t.Errorf("%d requests, %v", result.Requests(), err)
	}
}

func TestARunEndsWithItsContext(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	endless := &scriptOf{next: func() []byte { return Get("bench", "/") }, answered: func(int, []byte) error { stop(); return nil }}
	if _, err := Run(ctx, address(server), time.Minute, []Script{endless}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestWhatTheScriptRefusesEndsTheRun(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	refusal := errors.New("not found")
	_, err := Run(t.Context(), address(server), time.Minute, []Script{&script{
		requests: [][]byte{Get("bench", "/")},
		answered: func(status int, _ []byte) error {
			if status == http.StatusNotFound {
				return refusal
			}
			return nil
		},
	}})
	if !errors.Is(err, refusal) {
		t.Errorf("error is %v", err)
	}
}

func TestAnswersThatCannotBeReadEndTheRun(t *testing.T) {
	tests := []struct{ name, answer string }{
		{"nothing", ""},
		{"no HTTP", "hello, this is no HTTP\r\n\r\n"},
		{"no status", "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"},
		{"no length", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"a bad length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"},
		{"cut short", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"},
		{"too long", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nlong"},
		{"endless header", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxAnswer)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 1024))
				_, _ = io.WriteString(conn, tt.answer)
			}()
			one := &script{requests: [][]byte{Get("bench", "/")}, answered: func(int, []byte) error { return nil }}
			if _, err := Run(t.Context(), listener.Addr().String(), time.Minute, []Script{one}); err == nil {
				t.Error("it was accepted")
			}
		})
	}
}
