package transparency_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// upstream is an MCP server that does as a test says, path by path.
type upstream struct {
	server *httptest.Server

	mu       sync.Mutex
	handlers map[string]http.HandlerFunc
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{handlers: make(map[string]http.HandlerFunc)}
	u.server = httptest.NewServer(u)
	t.Cleanup(u.server.Close)
	return u
}

func (u *upstream) address() string { return u.server.Listener.Addr().String() }

// url is the one that a sidecar's policy names.
func (u *upstream) url() string { return u.server.URL + "/mcp" }

// handle says what happens at a path below the URL, and returns the whole path.
func (u *upstream) handle(below string, handler http.HandlerFunc) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	path := "/mcp/" + strings.ReplaceAll(below, " ", "-")
	u.handlers[path] = handler
	return path
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	handler := u.handlers[r.URL.Path]
	u.mu.Unlock()
	if handler == nil {
		http.Error(w, "no test handles "+r.URL.Path, http.StatusNotFound)
		return
	}
	handler(w, r)
}

// verbatim answers with bytes and closes the connection, whatever they say. The
// line that announces the close is added to them.
func verbatim(answer string) http.HandlerFunc {
	return withConnection(answer, func(*net.TCPConn) {})
}

// withConnection is verbatim, with a last word before the close.
func withConnection(answer string, last func(*net.TCPConn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // what is unread would reset the connection
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = connection.Close() }()
		before, head, interim := "", answer, strings.HasPrefix(answer, "HTTP/1.1 1")
		if interim {
			at := strings.LastIndex(answer, "\r\n\r\nHTTP/1.1 ") + len("\r\n\r\n")
			before, head = answer[:at], answer[at:]
		}
		status, rest, _ := strings.Cut(head, "\r\n")
		_, _ = io.WriteString(connection, before+status+"\r\nConnection: close\r\n"+rest)
		last(connection.(*net.TCPConn))
	}
}

// side is one way to the MCP server.
type side struct{ name, address string }

// sides runs a sidecar for each opening and returns all ways through one.
func (u *upstream) sides(t *testing.T) []side {
	t.Helper()
	var all []side
	for _, opening := range openings {
		all = append(all, side{opening.name, protect(t, u.url(), opening.open)})
	}
	return all
}

// flush sends on what was written.
func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }
