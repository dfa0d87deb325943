package sidecar

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const fine = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

// fickle is a server that treats each request on a connection as the test wishes: serve
// gets how many came before it there, and reports whether the connection goes on.
func fickle(t *testing.T, serve func(conn net.Conn, before int) bool) (port int32, requests *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	requests = new(atomic.Int64)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(patience))
				reader := bufio.NewReader(conn)
				for before := 0; ; before++ {
					r, err := http.ReadRequest(reader)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					requests.Add(1)
					if !serve(conn, before) {
						return
					}
				}
			}()
		}
	}()
	return int32(l.Addr().(*net.TCPAddr).Port), requests
}

func behind(t *testing.T, port int32) *bench {
	t.Helper()
	p := todoPolicy()
	p.Upstream.Port = port
	return newBench(t, p)
}

// A server that closes without an answer may have done what it was asked.
func TestACallIsNeverSentTwice(t *testing.T) {
	port, requests := fickle(t, func(conn net.Conn, before int) bool {
		if before > 0 {
			return false
		}
		_, err := io.WriteString(conn, fine)
		return err == nil
	})
	b := behind(t, port)
	bearer := token(t, "todo:read")
	wantStatus(t, b.post(t, bearer, call("get_task")), 200)
	wantStatus(t, b.post(t, bearer, call("get_task")), 502)
	if got := requests.Load(); got != 2 {
		t.Errorf("the server was asked %d times, want 2", got)
	}
	wantStatus(t, b.post(t, bearer, call("get_task")), 200)
	wantStatus(t, b.do(t, http.MethodDelete, testPath, bearer), 502)
	if got := requests.Load(); got != 4 {
		t.Errorf("the server was asked %d times, want 4", got)
	}
	// A stream changes nothing, and is asked for again on another connection.
	wantStatus(t, b.post(t, bearer, call("get_task")), 200)
	wantStatus(t, b.do(t, http.MethodGet, testPath, bearer), 200)
	if got := requests.Load(); got != 7 {
		t.Errorf("the server was asked %d times, want 7", got)
	}
}

func TestAConnectionThatTheServerHasClosedIsNotUsed(t *testing.T) {
	closed := make(chan error)
	port, requests := fickle(t, func(conn net.Conn, _ int) bool {
		_, _ = io.WriteString(conn, fine)
		closed <- conn.Close() // without having said so
		return false
	})
	b := behind(t, port)
	for range 10 {
		wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task")), 200)
		if err := await(t, closed, "the server to close the connection"); err != nil {
			t.Fatal(err)
		}
	}
	if got := requests.Load(); got != 10 {
		t.Errorf("the server was asked %d times, want 10", got)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var connections atomic.Int64
	port, _ := fickle(t, func(conn net.Conn, before int) bool {
		if before == 0 {
			connections.Add(1)
		}
		_, err := io.WriteString(conn, fine)
		return err == nil
	})
	b := behind(t, port)
	for range 50 {
		wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task")), 200)
	}
	if got := connections.Load(); got > 2 {
		t.Errorf("50 calls in a row took %d connections", got)
	}
}

func TestBodiesArriveWholeWhateverTheirLength(t *testing.T) {
	b := protect(t)
	for _, length := range []int{1, 4 << 10, 32 << 10, 32<<10 + 1, 1 << 20, DefaultMaxBody - 200} {
		body := strings.Replace(call("get_task"), "hunter2", strings.Repeat("x", length), 1)
		wantStatus(t, b.post(t, token(t, "todo:read"), body), 200)
		if _, got := b.last(t); got != body {
			t.Errorf("%d bytes: %d arrived", len(body), len(got))
		}
	}
}

func TestAnAnswerThatBreaksOffIsNotTakenForWhole(t *testing.T) {
	for name, half := range map[string]string{
		"within its length": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"half\":",
		"within a chunk":    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{\"half\":",
		"between chunks":    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"half\":\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			port, _ := fickle(t, func(conn net.Conn, _ int) bool {
				_, _ = io.WriteString(conn, half)
				return false
			})
			b := behind(t, port)
			res, err := http.DefaultTransport.RoundTrip(b.request(t, token(t, "todo:read"), call("get_task")))
			if err != nil {
				return // it broke off before its head
			}
			defer func() { _ = res.Body.Close() }()
			if body, err := io.ReadAll(res.Body); err == nil {
				t.Errorf("it looks whole: %s", body)
			}
		})
	}
}
