package transparency_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// front puts a token into each request, for clients that cannot. It works on the
// bytes of the connections: all other bytes pass as they come, in both directions.
type front struct {
	listener      net.Listener
	target, token string

	mu    sync.Mutex
	ended bool
	open  map[net.Conn]bool
	work  sync.WaitGroup
}

// newFront listens; pass lets it begin, once the target is known.
func newFront(t *testing.T) *front {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{listener: listener, open: make(map[net.Conn]bool)}
	t.Cleanup(f.close)
	return f
}

func (f *front) url() string { return "http://" + f.listener.Addr().String() }

// pass leads to the target from now on.
func (f *front) pass(target, token string) {
	f.target, f.token = target, token
	f.work.Go(func() {
		for {
			client, err := f.listener.Accept()
			if err != nil {
				return
			}
			f.work.Go(func() { f.connect(client) })
		}
	})
}

func (f *front) close() {
	_ = f.listener.Close()
	f.mu.Lock()
	f.ended = true
	for connection := range f.open {
		_ = connection.Close()
	}
	f.mu.Unlock()
	f.work.Wait()
}

// track closes connections with the front; it reports false if that is over.
func (f *front) track(connections ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, connection := range connections {
		f.open[connection] = true
	}
	return !f.ended
}

func (f *front) connect(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", f.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if !f.track(client, server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		relay(server, client, func() error { return insertToken(server, bufio.NewReader(client), f.token) })
	})
	both.Go(func() {
		relay(client, server, func() error { _, err := io.Copy(client, server); return err })
	})
	both.Wait()
}

// relay tells the receiver of an orderly end; any other end is everybody's.
func relay(to, from net.Conn, pass func() error) {
	if err := pass(); err != nil && !errors.Is(err, io.EOF) {
		_, _ = to.Close(), from.Close()
		return
	}
	if closer, ok := to.(interface{ CloseWrite() error }); ok {
		_ = closer.CloseWrite()
	}
}

// insertToken passes requests on, each with one more header behind its first line.
func insertToken(to io.Writer, from *bufio.Reader, token string) error {
	for {
		first, err := from.ReadString('\n')
		if err != nil {
			return err
		}
		rest, err := readLines(from)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(to, first+"Authorization: Bearer "+token+"\r\n"+rest); err != nil {
			return err
		}
		header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(rest))).ReadMIMEHeader()
		if err == nil {
			err = passBody(to, from, http.Header(header))
		}
		if err != nil {
			return err
		}
	}
}

// readLines reads up to the next empty line, and that too.
func readLines(from *bufio.Reader) (string, error) {
	var lines strings.Builder
	for {
		line, err := from.ReadString('\n')
		lines.WriteString(line)
		if err != nil || line == "\r\n" {
			return lines.String(), err
		}
	}
}

func passBody(to io.Writer, from *bufio.Reader, header http.Header) error {
	if header.Get("Transfer-Encoding") == "chunked" {
		return passChunks(to, from)
	}
	length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	if err != nil {
		return nil // no body
	}
	_, err = io.CopyN(to, from, length)
	return err
}

func passChunks(to io.Writer, from *bufio.Reader) error {
	for {
		line, err := from.ReadString('\n')
		if err != nil {
			return err
		}
		if _, err := io.WriteString(to, line); err != nil {
			return err
		}
		digits, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		size, err := strconv.ParseInt(digits, 16, 64)
		if err != nil {
			return fmt.Errorf("the size of a chunk: %w", err)
		}
		if size == 0 {
			trailer, err := readLines(from)
			if err == nil {
				_, err = io.WriteString(to, trailer)
			}
			return err
		}
		if _, err := io.CopyN(to, from, size+int64(len("\r\n"))); err != nil {
			return err
		}
	}
}

func TestTheProxyThatAddsTheTokenTouchesNoOtherByte(t *testing.T) {
	const authorization = "Authorization: Bearer t\r\n"
	requests := []struct{ first, rest string }{
		{"GET /mcp?q=%41 HTTP/1.1\r\n", "host:evil.example.com\r\nX-Odd:  spaces \r\n\r\n"},
		{"POST /mcp HTTP/1.1\r\n", "Host: a\r\ncontent-length: 5\r\n\r\nab\r\nc"},
		{"POST /mcp HTTP/1.1\r\n", "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\na\r\n\r\n0\r\nTrailing: 1\r\n\r\n"},
		{"DELETE /mcp HTTP/1.1\r\n", "Host: a\r\n\r\n"},
	}
	var sent, want strings.Builder
	for _, r := range requests {
		sent.WriteString(r.first + r.rest)
		want.WriteString(r.first + authorization + r.rest)
	}
	const answer = "HTTP/1.1 299 Odd\r\nx-lower: 1\r\n\r\nno length\x00\r\n"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	arrived := make(chan []byte, 1)
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = connection.Close() }()
		all, _ := io.ReadAll(connection) // compared below
		arrived <- all
		_, _ = io.WriteString(connection, answer)
	}()
	f := newFront(t)
	f.pass(listener.Addr().String(), "t")
	client := dial(t, f.listener.Addr().String())
	write(t, client, sent.String())
	if err := client.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(client)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(receive(t, arrived, "the requests"))); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if !bytes.Equal(got, []byte(answer)) {
		t.Errorf("the answer became %q", got)
	}
}
