package transparency_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// heard is all that a client can tell of an answer.
type heard struct {
	// Informed are the answers of status 1xx before it.
	Informed []informed
	Status   int
	Header   http.Header
	Body     string
	Trailer  http.Header
	// Broken says that the body ended before its end.
	Broken bool
}

type informed struct {
	Status int
	Header http.Header
}

// hops are the headers that are for one connection alone (RFC 9110 §7.6.1), and
// Date, of which only the seconds could be compared.
var hops = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Te", "Upgrade", "Date"}

// endToEnd leaves out what two sides need not have in common: headers of one hop,
// and CORS, about which the policy decides and not the MCP server.
func endToEnd(header http.Header) http.Header {
	kept := make(http.Header)
	for name, values := range header {
		if !strings.HasPrefix(name, "Access-Control-") {
			kept[name] = values
		}
	}
	for _, name := range hops {
		kept.Del(name)
	}
	return kept
}

// compare demands the same answer through the sidecar. It may tell a length that the
// server left open, which is about this hop alone (RFC 9112 §6); whether the body is
// that long, the client has found out.
func compare(t *testing.T, way string, straight, through heard) {
	t.Helper()
	if straight.Header.Get("Content-Length") == "" {
		through.Header.Del("Content-Length")
	}
	if diff := cmp.Diff(straight, through); diff != "" {
		t.Errorf("%s (-straight +through the sidecar):\n%s", way, diff)
	}
}

// dial opens a connection that bears no silence longer than patience.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	patiently(t, connection)
	return connection
}

// patiently begins another wait on a connection.
func patiently(t *testing.T, connection net.Conn) {
	t.Helper()
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, to io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(to, text); err != nil {
		t.Fatalf("write a request: %v", err)
	}
}

func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %s in vain for %s", patience, what)
		panic("unreachable")
	}
}

// exchange sends a request on a connection of its own and hears the answer out.
func exchange(t *testing.T, address, request string) heard {
	t.Helper()
	connection := dial(t, address)
	write(t, connection, request)
	return hear(t, bufio.NewReader(connection), request)
}

// hear reads the answer to a request to its end.
func hear(t *testing.T, from *bufio.Reader, request string) heard {
	t.Helper()
	method, _, _ := strings.Cut(request, " ")
	h, body := hearHead(t, from, method)
	text, err := io.ReadAll(body)
	h.Body, h.Broken = short(string(text)), err != nil
	if trailer := endToEnd(body.trailer()); len(trailer) > 0 {
		h.Trailer = trailer
	}
	return h
}

// body is what follows the head of an answer.
type body struct {
	io.Reader
	answer *http.Response
}

func (b body) trailer() http.Header { return b.answer.Trailer }

// hearHead reads up to the body.
func hearHead(t *testing.T, from *bufio.Reader, method string) (heard, body) {
	t.Helper()
	var h heard
	for {
		answer, err := http.ReadResponse(from, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("read an answer: %v", err)
		}
		if answer.StatusCode < http.StatusOK {
			h.Informed = append(h.Informed, informed{answer.StatusCode, endToEnd(answer.Header)})
			continue
		}
		h.Status, h.Header = answer.StatusCode, endToEnd(answer.Header)
		return h, body{answer.Body, answer}
	}
}

// short keeps the reports of long bodies legible.
func short(text string) string {
	const limit = 4 << 10
	if len(text) <= limit {
		return text
	}
	return fmt.Sprintf("%d bytes, SHA-256 %x", len(text), sha256.Sum256([]byte(text)))
}

// request is the head of one, without a body; its headers are "Name: value".
func request(t *testing.T, method, path string, headers ...string) string {
	t.Helper()
	lines := append([]string{
		method + " " + path + " HTTP/1.1", "Host: mcp.example.com", "Authorization: Bearer " + token(t),
	}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// post is a request with a JSON body, as MCP clients make it.
func post(t *testing.T, path, text string, headers ...string) string {
	t.Helper()
	return request(t, http.MethodPost, path, append([]string{
		"Content-Type: application/json", "Accept: application/json, text/event-stream", "Content-Length: " + strconv.Itoa(len(text)),
	}, headers...)...) + text
}

// message is a JSON-RPC request.
func message(method string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{"name":"work"}}`
}

// attempt is exchange for answers that may break off even before their status; it
// reports whether one came to its end.
func attempt(t *testing.T, address, request string) (h heard, whole bool) {
	t.Helper()
	connection := dial(t, address)
	write(t, connection, request)
	from := bufio.NewReader(connection)
	if _, err := from.Peek(1); err != nil {
		return heard{}, false
	}
	h = hear(t, from, request)
	return h, !h.Broken
}
