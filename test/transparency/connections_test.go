package transparency_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// echo answers with the body and who asks, so that answers cannot be mistaken.
func echo(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Mcp-Echo", r.Header.Get("Mcp-Number"))
	_, _ = w.Write(text)
}

func numbered(t *testing.T, path string, number int) string {
	t.Helper()
	return post(t, path, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"work"}}`, number),
		fmt.Sprintf("Mcp-Number: %d", number))
}

func wantEcho(t *testing.T, got heard, number int) {
	t.Helper()
	text := fmt.Sprintf(`"id":%d,`, number)
	if got.Status != http.StatusOK || got.Broken || got.Header.Get("Mcp-Echo") != fmt.Sprint(number) || !strings.Contains(got.Body, text) {
		t.Fatalf("request %d was answered %+v", number, got)
	}
}

func TestRequestsOnOneConnectionAreAnsweredInTheirOrder(t *testing.T) {
	t.Parallel()
	const requests = 40
	u := newUpstream(t)
	path := u.handle("echo", echo)
	for _, side := range append(u.sides(t), side{"straight", u.address()}) {
		t.Run("one behind the other, "+side.name, func(t *testing.T) {
			connection := dial(t, side.address)
			from := bufio.NewReader(connection)
			for number := range requests {
				asked := numbered(t, path, number)
				write(t, connection, asked)
				wantEcho(t, hear(t, from, asked), number)
			}
		})
		t.Run("without waiting, "+side.name, func(t *testing.T) {
			connection := dial(t, side.address)
			var all strings.Builder
			for number := range requests {
				all.WriteString(numbered(t, path, number))
			}
			write(t, connection, all.String())
			from := bufio.NewReader(connection)
			for number := range requests {
				wantEcho(t, hear(t, from, "POST"), number)
			}
		})
	}
}

func TestSlowCallsHoldUpNobody(t *testing.T) {
	t.Parallel()
	const slow = 64
	u := newUpstream(t)
	fast := u.handle("fast", echo)
	for _, side := range u.sides(t) {
		t.Run(side.name, func(t *testing.T) {
			began, release := make(chan struct{}, slow), make(chan struct{})
			path := u.handle("slow", func(w http.ResponseWriter, r *http.Request) {
				began <- struct{}{}
				select {
				case <-release:
				case <-r.Context().Done():
				}
				echo(w, r)
			})
			waiting := make([]net.Conn, slow)
			for number := range waiting {
				waiting[number] = dial(t, side.address)
				write(t, waiting[number], numbered(t, path, number))
			}
			for range slow {
				receive(t, began, "a slow call to reach the server")
			}
			wantEcho(t, exchange(t, side.address, numbered(t, fast, -1)), -1)
			close(release)
			for number, connection := range waiting {
				wantEcho(t, hear(t, bufio.NewReader(connection), "POST"), number)
			}
		})
	}
}

// restartable is an MCP server that comes back at the same address.
type restartable struct {
	address string
	idle    time.Duration // after which it closes connections; zero is never
	server  *http.Server
	done    chan error
	meeting atomic.Pointer[meeting]
}

// meeting keeps calls until all that are expected are there.
type meeting struct {
	missing atomic.Int64
	full    chan struct{}
}

func (m *meeting) attend(ctx context.Context) {
	if m.missing.Add(-1) == 0 {
		close(m.full)
	}
	select {
	case <-m.full:
	case <-ctx.Done():
	}
}

func (r *restartable) start(t *testing.T) {
	t.Helper()
	address := r.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	r.address, r.done = listener.Addr().String(), make(chan error, 1)
	r.server = &http.Server{IdleTimeout: r.idle, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if m := r.meeting.Load(); m != nil {
			m.attend(req.Context())
		}
		echo(w, req)
	})}
	server, done := r.server, r.done
	go func() { done <- server.Serve(listener) }()
}

// stop ends the server and all its connections at once.
func (r *restartable) stop(t *testing.T) {
	t.Helper()
	if err := r.server.Close(); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, r.done, "the server to end"); !errors.Is(err, http.ErrServerClosed) {
		t.Fatal(err)
	}
}

// line is a client's connection.
type line struct {
	net.Conn
	from *bufio.Reader
}

func newLine(t *testing.T, address string) line {
	t.Helper()
	connection := dial(t, address)
	return line{connection, bufio.NewReader(connection)}
}

// call makes a call on the connection and says what is wrong with its answer.
func (l line) call(request string, number int) error {
	if _, err := io.WriteString(l, request); err != nil {
		return fmt.Errorf("call %d: %w", number, err)
	}
	answer, err := http.ReadResponse(l.from, nil)
	if err != nil {
		return fmt.Errorf("call %d: %w", number, err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("call %d: %w", number, err)
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Mcp-Echo") != fmt.Sprint(number) {
		return fmt.Errorf("call %d was answered %s, %q", number, answer.Status, text)
	}
	return nil
}

// together makes calls at once, so that each needs a connection of its own to the
// server.
func (r *restartable) together(t *testing.T, address string, calls int) {
	t.Helper()
	m := &meeting{full: make(chan struct{})}
	m.missing.Store(int64(calls))
	r.meeting.Store(m)
	defer r.meeting.Store(nil)
	results := make(chan error, calls)
	for number := range calls {
		l, request := newLine(t, address), numbered(t, "/mcp", number)
		go func() {
			results <- l.call(request, number)
			_ = l.Close()
		}()
	}
	for range calls {
		if err := receive(t, results, "a call's answer"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARestartOfTheServerFailsNoCallThatComesAfterIt(t *testing.T) {
	t.Parallel()
	const rounds, connections = 8, 8
	for _, opening := range openings {
		t.Run(opening.name, func(t *testing.T) {
			t.Parallel()
			r := &restartable{}
			r.start(t)
			address := protect(t, "http://"+r.address+"/mcp", opening.open)
			for range rounds {
				r.together(t, address, connections)
				r.stop(t)
				r.start(t)
			}
			r.together(t, address, connections)
			r.stop(t)
			if got := exchange(t, address, numbered(t, "/mcp", 0)); got.Status != http.StatusBadGateway {
				t.Errorf("with no server: %+v", got)
			}
		})
	}
}

// Node.js and uvicorn close a connection that was idle for 5 s: a call that is
// written just then would be lost.
func TestConnectionsThatWereIdleForLongFailNoCall(t *testing.T) {
	t.Parallel()
	const idle, connections = 5 * time.Second, 24
	r := &restartable{idle: idle}
	r.start(t)
	t.Cleanup(func() { r.stop(t) })
	address := protect(t, "http://"+r.address+"/mcp", openings[1].open)
	results := make(chan error, connections)
	lines := make([]line, connections)
	for number := range lines {
		lines[number] = newLine(t, address)
		if err := lines[number].call(numbered(t, "/mcp", number), number); err != nil {
			t.Fatal(err)
		}
	}
	r.together(t, address, connections)
	// As many connections are idle now, and as many calls come shortly before, at and
	// after the server's close of them. Their clients' connections are old as well.
	for number, l := range lines {
		request := numbered(t, "/mcp", number)
		go func() {
			time.Sleep(idle + time.Duration(number-connections/2)*4*time.Millisecond)
			results <- l.call(request, number)
		}()
	}
	for range connections {
		if err := receive(t, results, "a call's answer"); err != nil {
			t.Error(err)
		}
	}
}
