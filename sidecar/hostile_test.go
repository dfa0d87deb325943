package sidecar

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// hostile is the port of a server that answers every request on every connection with the
// same bytes, whatever they are.
func hostile(t *testing.T, answer string) int32 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go answerAll(conn, answer)
		}
	}()
	return int32(l.Addr().(*net.TCPAddr).Port)
}

func answerAll(conn net.Conn, answer string) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	requests := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}
