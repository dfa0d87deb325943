package transparency_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asked is all that an MCP server can tell of a request.
type asked struct {
	Method, URI string
	Header      http.Header
	Body        string
}

// The headers in which the sidecar speaks to the MCP server, and those that it
// keeps: the token, what lets a client speak in its place, and how a body comes.
var (
	sidecarSays  = []string{"X-Mcp-Auth-", "X-Forwarded-"}
	sidecarKeeps = []string{"Authorization", "Expect", "Content-Length", "Trailer"}
)

// tell reads a request whole and sends it to the test.
func tell(r *http.Request, to chan<- asked) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		text = []byte("broken: " + err.Error())
	}
	a := asked{r.Method, r.RequestURI, endToEnd(r.Header), short(string(text))}
	for name := range a.Header {
		for _, prefix := range sidecarSays {
			if strings.HasPrefix(name, prefix) {
				delete(a.Header, name)
			}
		}
	}
	for _, name := range sidecarKeeps {
		a.Header.Del(name)
	}
	to <- a
}

func TestARequestIsTheClientsByteForByte(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	arrived := make(chan asked, 1)
	const path = "/mcp/requests"
	u.handle("requests", func(w http.ResponseWriter, r *http.Request) {
		tell(r, arrived)
		w.WriteHeader(http.StatusAccepted)
	})
	sides := u.sides(t)
	call := message("tools/call")
	typed := "Content-Type: application/json"
	tests := []struct{ name, request string }{
		{"a call", post(t, path, call)},
		{"JSON that another program would not write in this way", post(t, path, " \n{\"jsonrpc\" :\"2.0\",\"id\":1.0,\"method\":\"tools\\/call\",\"params\":{\"name\":\"w\\u006frk\",\"x\":1e400}}\r\n")},
		{"a batch", post(t, path, "["+call+",\n"+call+"]")},
		{"a notification", post(t, path, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)},
		{"an answer to the server", post(t, path, `{"jsonrpc":"2.0","id":"s-1","result":{"action":"accept"}}`)},
		{"an error to the server", post(t, path, `{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"no"}}`)},
		{"a method that nobody knows", post(t, path, `{"jsonrpc":"2.0","id":1,"method":"odd/method","params":[1,2]}`)},
		{"one MiB", post(t, path, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"work","arguments":{"x":"`+strings.Repeat("é ", 1<<20/3)+`"}}}`)},
		{"chunks", request(t, http.MethodPost, path, typed, "Transfer-Encoding: chunked") + chunks(call) + "0\r\n\r\n"},
		{"chunks with extensions", request(t, http.MethodPost, path, typed, "Transfer-Encoding: chunked") +
			fmt.Sprintf("1;a=b\r\n%s\r\n%X;c\r\n%s\r\n000\r\n\r\n", call[:1], len(call)-1, call[1:])},
		{"headers of MCP", post(t, path, call, "Mcp-Method: tools/call", "Mcp-Name: work", "MCP-Protocol-Version: 2026-07-28", "mcp-param-region: eu", "Mcp-Odd: 1", "Mcp-Odd: 2")},
		{"a name in base64", post(t, path, call, "Mcp-Method: tools/call", "Mcp-Name: =?base64?d29yaw==?=")},
		{"headers of tracing", post(t, path, call, "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "Tracestate: a=b", "Baggage: c=d")},
		{"headers of a browser", post(t, path, call, "Accept-Encoding: gzip, br, zstd", "Accept-Language: de", "Cookie: a=1; b=2", "User-Agent: odd/1.0 (x)", "Sec-Fetch-Mode: cors", "Dnt: 1")},
		{"headers of odd values", post(t, path, call, "X-Empty:", "X-Latin: caf\xe9", "X-Odd: 2", "X-Odd: 1", "X-Long: "+strings.Repeat("x", 8<<10))},
		{"a type of another spelling", request(t, http.MethodPost, path, `Content-Type: Application/JSON; Charset=UTF-8`, fmt.Sprintf("Content-Length: %d", len(call))) + call},
		{"a query", post(t, path+"?a=%41&b&c=%2f+d&a=1;d=e&%C3%A9=", call)},
		{"an empty query", post(t, path+"?", call)},
		{"a stream", request(t, http.MethodGet, path, "Accept: text/event-stream")},
		{"a stream that goes on", request(t, http.MethodGet, path, "Accept: text/event-stream", "Last-Event-ID: s_1-\xe9/0")},
		{"an end of a session", request(t, http.MethodDelete, path)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			exchange(t, u.address(), test.request)
			want := receive(t, arrived, "the request")
			for _, side := range sides {
				answer := exchange(t, side.address, test.request)
				if answer.Status != http.StatusAccepted {
					t.Errorf("%s: %+v", side.name, answer)
					continue
				}
				if diff := cmp.Diff(want, receive(t, arrived, "the request")); diff != "" {
					t.Errorf("%s (-straight +through the sidecar):\n%s", side.name, diff)
				}
			}
		})
	}
}

func TestASessionPassesInBothDirections(t *testing.T) {
	t.Parallel()
	const id = "s!~1868a90c"
	u := newUpstream(t)
	arrived := make(chan asked, 1)
	path := u.handle("session", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Mcp-Session-Id", id)
		w.Header().Set("Content-Type", "application/json")
		tell(r, arrived)
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	})
	const session = "Mcp-Session-Id: " + id
	steps := []struct{ name, request string }{
		{"begin", post(t, path, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`)},
		{"go on", post(t, path, message("tools/call"), session, "MCP-Protocol-Version: 2025-11-25")},
		{"listen", request(t, http.MethodGet, path, "Accept: text/event-stream", session)},
		{"listen again", request(t, http.MethodGet, path, "Accept: text/event-stream", session, "Last-Event-ID: 7")},
		{"end", request(t, http.MethodDelete, path, session)},
	}
	for _, side := range u.sides(t) {
		t.Run(side.name, func(t *testing.T) {
			for _, step := range steps {
				answer := exchange(t, u.address(), step.request)
				arrivedStraight := receive(t, arrived, "the request")
				compare(t, step.name, answer, exchange(t, side.address, step.request))
				if diff := cmp.Diff(arrivedStraight, receive(t, arrived, "the request")); diff != "" {
					t.Fatalf("%s: the request (-straight +through the sidecar):\n%s", step.name, diff)
				}
			}
		})
	}
}

func TestAClientThatAsksBeforeItSendsABodyIsToldToGoOn(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	arrived := make(chan asked, 1)
	path := u.handle("expect", func(w http.ResponseWriter, r *http.Request) {
		tell(r, arrived)
		w.WriteHeader(http.StatusAccepted)
	})
	text := message("tools/call")
	head := strings.TrimSuffix(post(t, path, text, "Expect: 100-continue"), text)
	for _, side := range append(u.sides(t), side{"straight", u.address()}) {
		t.Run(side.name, func(t *testing.T) {
			connection := dial(t, side.address)
			write(t, connection, head)
			from := bufio.NewReader(connection)
			const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
			told := make([]byte, len(goOn))
			if _, err := io.ReadFull(from, told); err != nil || string(told) != goOn {
				t.Fatalf("told %q, %v", told, err)
			}
			write(t, connection, text)
			if got := receive(t, arrived, "the request"); got.Body != text {
				t.Errorf("the body arrived as %q", got.Body)
			}
			if got := hear(t, from, head); got.Status != http.StatusAccepted || got.Broken {
				t.Errorf("answered %+v", got)
			}
		})
	}
}

func TestAnAnswerFromBeforeTheEndOfTheBodyArrives(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	path := u.handle("early", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, odd)
	})
	long := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"work","x":"` + strings.Repeat("x", 2<<20) + `"}}`
	for _, side := range u.sides(t) {
		t.Run(side.name, func(t *testing.T) {
			const rounds = 20
			asked := post(t, path, long)
			want := exchange(t, u.address(), asked)
			for range rounds {
				compare(t, side.name, want, exchange(t, side.address, asked))
			}
		})
	}
}
