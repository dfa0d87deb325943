package sidecar

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/policy"
)

// patience bounds every wait of these tests.
const patience = 10 * time.Second

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %s in vain for %s", patience, what)
		panic("unreachable")
	}
}

// open sends a request and leaves the response's body to the test.
func open(t *testing.T, r *http.Request) *http.Response {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func event(w http.ResponseWriter, data string) {
	_, _ = fmt.Fprintf(w, "data: %s\n\n", data)
	_ = http.NewResponseController(w).Flush()
}

func TestFirstEventArrivesBeforeTheServerIsDone(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		t.Run(method, func(t *testing.T) {
			b := protect(t)
			read, finished := make(chan struct{}), make(chan struct{})
			b.handler = func(w http.ResponseWriter, _ *http.Request) {
				defer close(finished)
				w.Header().Set("Content-Type", "text/event-stream")
				event(w, "first")
				select {
				case <-read:
				case <-time.After(patience):
				}
				event(w, "second")
			}
			r := b.request(t, token(t, "todo:read"), call("list_tasks"))
			if method == http.MethodGet {
				r.Method, r.Body, r.ContentLength = method, nil, 0
			}
			res := open(t, r)
			lines := bufio.NewReader(res.Body)
			if line, err := lines.ReadString('\n'); err != nil || line != "data: first\n" {
				t.Fatalf("first line %q, %v", line, err)
			}
			select {
			case <-finished:
				t.Fatal("the server was done before its first event arrived")
			default:
			}
			close(read)
			rest, err := io.ReadAll(lines)
			if err != nil || !strings.Contains(string(rest), "data: second") {
				t.Errorf("the rest: %q, %v", rest, err)
			}
			await(t, finished, "the server to finish")
		})
	}
}

func TestAnswersOfKnownLengthAreNotHeldBack(t *testing.T) {
	b := protect(t)
	read, heldBack := make(chan struct{}), make(chan bool, 1)
	b.handler = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "01234")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-read:
			heldBack <- false
		case <-time.After(patience / 2):
			heldBack <- true
		}
		_, _ = io.WriteString(w, "56789")
	}
	res := open(t, b.request(t, token(t, "todo:read"), call("list_tasks")))
	half := make([]byte, 5)
	if _, err := io.ReadFull(res.Body, half); err != nil || string(half) != "01234" {
		t.Errorf("first half %q, %v", half, err)
	}
	close(read)
	if await(t, heldBack, "the server to go on") {
		t.Error("the first half came only with the second")
	}
}

func TestClosingTheClientCancelsTheServersWork(t *testing.T) {
	for _, stage := range []string{"before the response", "within the stream"} {
		t.Run(stage, func(t *testing.T) {
			b := protect(t)
			began, cancelled := make(chan struct{}), make(chan struct{})
			b.handler = func(w http.ResponseWriter, r *http.Request) {
				if stage == "within the stream" {
					w.Header().Set("Content-Type", "text/event-stream")
					event(w, "first")
				}
				close(began)
				<-r.Context().Done()
				close(cancelled)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := b.request(t, token(t, "todo:read"), call("list_tasks")).WithContext(ctx)
			go func() {
				if res, err := http.DefaultTransport.RoundTrip(r); err == nil {
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
			}()
			await(t, began, "the call to reach the MCP server")
			cancel()
			await(t, cancelled, "the MCP server's request to be cancelled")
		})
	}
}

func TestBigStreamArrivesWhole(t *testing.T) {
	const events = 20_000
	b := protect(t)
	filler := strings.Repeat("x", 500)
	b.handler = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range events {
			_, _ = fmt.Fprintf(w, "data: %d %s\n\n", i, filler)
		}
	}
	res := open(t, b.request(t, token(t, "todo:read"), call("list_tasks")))
	lines := bufio.NewScanner(res.Body)
	next := 0
	for lines.Scan() {
		if lines.Text() == "" {
			continue
		}
		if want := fmt.Sprintf("data: %d %s", next, filler); lines.Text() != want {
			t.Fatalf("event %d: %.40q", next, lines.Text())
		}
		next++
	}
	if err := lines.Err(); err != nil || next != events {
		t.Errorf("%d of %d events, %v", next, events, err)
	}
}

func TestResponsesPassUnchanged(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		status  int
		body    string
	}{
		{"202 without a body", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }, 202, ""},
		{"a 404 for a lost session", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "session not found")
		}, 404, "session not found"},
		{"a 400 that clients fall back on", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"code":-32022}}`)
		}, 400, `{"error":{"code":-32022}}`},
		{"a redirect", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example/")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, 307, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := protect(t)
			b.handler = tt.handler
			got := b.post(t, token(t, "todo:read"), call("list_tasks"))
			wantStatus(t, got, tt.status)
			if got.body != tt.body {
				t.Errorf("body %q, want %q", got.body, tt.body)
			}
		})
	}
}

func TestInformationalResponsesAndTrailersPass(t *testing.T) {
	b := protect(t)
	b.handler = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Progress", "half")
		w.WriteHeader(http.StatusProcessing)
		w.Header().Del("X-Progress")
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
	}
	progress := make(chan int, 8)
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		progress <- code
		return nil
	}}
	r := b.request(t, token(t, "todo:read"), call("list_tasks"), header("Origin", "https://mcp.example.com"))
	res := open(t, r.WithContext(httptrace.WithClientTrace(t.Context(), trace)))
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	if code := await(t, progress, "an informational response"); code != http.StatusProcessing {
		t.Errorf("informational response %d", code)
	}
	if res.Trailer.Get("X-Sum") != "42" {
		t.Errorf("trailers: %v", res.Trailer)
	}
	if res.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Error("the final response lost its CORS headers to the informational one")
	}
}

func TestTransportHeadersPassBothWays(t *testing.T) {
	b := protect(t)
	b.handler = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Mcp-Session-Id", "s1")
		w.Header().Set("Mcp-Whatever", "new")
	}
	sent := map[string]string{
		"Mcp-Session-Id": "s0", "Last-Event-Id": "7", "Mcp-Protocol-Version": "2026-07-28",
		"Mcp-Param-Region": "eu", "Accept-Encoding": "br", "Accept": "text/event-stream", "Traceparent": "00-1-2-01",
	}
	got := b.do(t, http.MethodGet, testPath+"?resume=1", token(t, ""), func(r *http.Request) {
		for name, value := range sent {
			r.Header.Set(name, value)
		}
	})
	if got.Header.Get("Mcp-Session-Id") != "s1" || got.Header.Get("Mcp-Whatever") != "new" {
		t.Errorf("response headers: %v", got.Header)
	}
	r, _ := b.last(t)
	for name, value := range sent {
		if r.Header.Get(name) != value {
			t.Errorf("%s = %q, want %q", name, r.Header.Get(name), value)
		}
	}
	if r.RequestURI != "/mcp?resume=1" {
		t.Errorf("request target %q", r.RequestURI)
	}
}

func TestPathsAreMappedToTheWorkloads(t *testing.T) {
	tests := []struct {
		resource, upstream, path, want string
	}{
		{"https://h.example/public/mcp", "/mcp", "/public/mcp", "/mcp"},
		{"https://h.example/public/mcp", "/mcp", "/public/mcp/", "/mcp/"},
		{"https://h.example/public/mcp", "/mcp", "/public/mcp/messages", "/mcp/messages"},
		{"https://h.example/public/mcp", "", "/public/mcp", "/"},
		{"https://h.example/public/mcp", "", "/public/mcp/x", "/x"},
		{"https://h.example", "/mcp", "/", "/mcp"},
		{"https://h.example", "/mcp", "/x/y", "/mcp/x/y"},
		{"https://h.example/mcp/", "/mcp/", "/mcp/", "/mcp/"},
		{"https://h.example/mcp/", "/mcp/", "/mcp/x", "/mcp/x"},
		{"https://h.example/mcp/", "/mcp/", "/mcp", ""},
		{"https://h.example/public/mcp", "/mcp", "/public/mcpx", ""},
		{"https://h.example/public/mcp", "/mcp", "/public", ""},
		{"https://h.example/public/mcp", "/mcp", "/mcp", ""},
		{"https://h.example/public/mcp", "/mcp", "/Public/Mcp", ""},
	}
	for _, tt := range tests {
		t.Run(tt.resource+" "+tt.path, func(t *testing.T) {
			b := protect(t, func(p *policy.Policy) {
				p.Resource, p.Audiences = tt.resource, []string{testResource}
				p.Upstream.URL = strings.TrimSuffix(p.Upstream.URL, "/mcp") + tt.upstream
			})
			got := b.do(t, http.MethodGet, tt.path, token(t, ""))
			if tt.want == "" {
				wantStatus(t, got, http.StatusNotFound)
				b.untouched(t)
				return
			}
			wantStatus(t, got, http.StatusOK)
			if r, _ := b.last(t); r.URL.Path != tt.want {
				t.Errorf("the MCP server saw %s, want %s", r.URL.Path, tt.want)
			}
		})
	}
}

func TestServerThatIsDownIs502InJSON(t *testing.T) {
	p := todoPolicy()
	p.Upstream.Port = closedPort(t)
	b := newBench(t, p)
	got := b.post(t, token(t, "todo:read"), call("list_tasks"))
	wantStatus(t, got, http.StatusBadGateway)
	want := `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"the MCP server does not answer"}}` + "\n"
	if got.body != want {
		t.Errorf("body %s, want %s", got.body, want)
	}
	stop(t, b)
	if !strings.Contains(b.audits.String(), "upstream_failed") {
		t.Errorf("audit: %s", b.audits)
	}
}

// closedPort is a port of loopback on which nothing listens.
func closedPort(t *testing.T) int32 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return int32(l.Addr().(*net.TCPAddr).Port)
}

func TestStoppingEndsStreamsAndSparesCalls(t *testing.T) {
	b := protect(t)
	streaming, calling, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	b.handler = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		event(w, "first")
		if r.Method == http.MethodGet {
			close(streaming)
			<-r.Context().Done()
			return
		}
		close(calling)
		select {
		case <-release:
			event(w, "result")
		case <-r.Context().Done():
		}
	}
	bearer := token(t, "todo:read")
	get := b.request(t, bearer, "")
	get.Method, get.Body, get.ContentLength = http.MethodGet, nil, 0
	stream := open(t, get)
	await(t, streaming, "the stream to open")
	post := open(t, b.request(t, bearer, call("list_tasks")))
	await(t, calling, "the call to begin")

	b.sidecar.EndStreams()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, stream.Body)
	}()
	await(t, ended, "the stream to end")
	close(release)
	body, err := io.ReadAll(post.Body)
	if err != nil || !strings.Contains(string(body), "data: result") {
		t.Errorf("the call that ran on: %q, %v", body, err)
	}
}
