package transparency_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// events are what may come in a stream, each as it is written.
var events = []struct{ name, text string }{
	{"a comment behind a mark of the encoding", "\ufeff: keepalive\n\n"},
	{"a comment that keeps alive", ": keepalive\n\n"},
	{"a comment without a word", ":\n\n"},
	{"a ping as the Python SDK sends it", ": ping - 2026-07-28 00:00:00.000000+00:00\r\n\r\n"},
	{"an event", "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":1}}\n\n"},
	{"data of many lines", "data: {\"jsonrpc\":\"2.0\",\ndata:\"method\":\"notifications/message\",\ndata:\ndata: \"params\":{}}\n\n"},
	{"lines that end in CRLF", "event: message\r\nid: 1\r\ndata: {\"jsonrpc\":\"2.0\",\r\ndata: \"method\":\"notifications/a\"}\r\n\r\n"},
	{"lines that end in CR", "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/b\"}\r\r"},
	{"an id and a time to wait", "id: s_1/é\nretry: 1500\n\n"},
	{"a priming event", "id: 0\ndata: \n\n"},
	{"an event of another name", "event: endpoint\ndata: /messages?session_id=1\n\n"},
	{"fields that nobody knows", "odd: 1\nid\nretry: never\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/c\"}\n\n"},
	{"data that is not JSON", "data: {not json\n\n"},
	{"one MiB", "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/d\",\"params\":{\"x\":\"" + strings.Repeat("x", 1<<20) + "\"}}\n\n"},
	{"a request of the server's", "id: 2\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"sampling/createMessage\",\"params\":{}}\n\n"},
	{"the answer", "id: 3\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n"},
}

func TestEachEventArrivesBeforeTheNextOneIsWritten(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	sides := u.sides(t)
	asks := []struct{ name, method string }{{"a stream of a call", "tools/call"}, {"a stream of a list", "tools/list"}, {"a stream of its own", ""}}
	writings := []struct {
		name  string
		parts func(text string) []string
	}{
		{"in one piece", func(text string) []string { return []string{text} }},
		{"in many pieces", pieces},
	}
	for _, ask := range asks {
		for _, writing := range writings {
			for _, side := range sides {
				t.Run(ask.name+" "+writing.name+", "+side.name, func(t *testing.T) {
					next := make(chan struct{})
					path := u.handle("events", func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Content-Type", "text/event-stream")
						flush(w)
						for _, event := range events {
							select {
							case <-next:
							case <-r.Context().Done():
								return
							}
							for _, part := range writing.parts(event.text) {
								_, _ = io.WriteString(w, part)
								flush(w)
							}
						}
					})
					asked := request(t, http.MethodGet, path, "Accept: text/event-stream")
					if ask.method != "" {
						asked = post(t, path, message(ask.method))
					}
					follow(t, side.address, asked, next)
				})
			}
		}
	}
}

// follow lets the server write an event only when the one before it is read.
func follow(t *testing.T, address, asked string, next chan<- struct{}) {
	t.Helper()
	connection := dial(t, address)
	write(t, connection, asked)
	method, _, _ := strings.Cut(asked, " ")
	// The head is there before the first event.
	_, stream := hearHead(t, bufio.NewReader(connection), method)
	for _, event := range events {
		select {
		case next <- struct{}{}:
		case <-time.After(patience):
			t.Fatalf("waited %s in vain for the server to go on to %s", patience, event.name)
		}
		patiently(t, connection)
		got := make([]byte, len(event.text))
		if _, err := io.ReadFull(stream, got); err != nil {
			t.Fatalf("%s did not arrive: %v", event.name, err)
		}
		if diff := cmp.Diff(short(event.text), short(string(got))); diff != "" {
			t.Fatalf("%s (-written +read):\n%s", event.name, diff)
		}
	}
	if rest, err := io.ReadAll(stream); err != nil || len(rest) > 0 {
		t.Errorf("behind the last event: %q, %v", rest, err)
	}
}

// pieces cuts a text into its bytes, or a long one into what a packet holds.
func pieces(text string) []string {
	size := 1
	if len(text) > 1024 {
		size = 1400
	}
	var all []string
	for len(text) > 0 {
		n := min(size, len(text))
		all, text = append(all, text[:n]), text[n:]
	}
	return all
}

func TestAStreamAndACallMayBeSilentForLong(t *testing.T) {
	t.Parallel()
	// Longer than the sidecar keeps an idle connection.
	const silence = 6 * time.Second
	u := newUpstream(t)
	wait := func(r *http.Request) {
		select {
		case <-time.After(silence):
		case <-r.Context().Done():
		}
	}
	stream := u.handle("silent stream", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, text := range []string{"data: 1\n\n", "data: 2\n\n"} {
			_, _ = io.WriteString(w, text)
			flush(w)
			wait(r)
		}
	})
	call := u.handle("silent call", func(w http.ResponseWriter, r *http.Request) {
		wait(r)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, odd)
	})
	requests := []struct{ name, request, want string }{
		{"a stream", request(t, http.MethodGet, stream, "Accept: text/event-stream"), "data: 1\n\ndata: 2\n\n"},
		{"a stream of a call", post(t, stream, message("tools/call")), "data: 1\n\ndata: 2\n\n"},
		{"a call", post(t, call, message("tools/call")), odd},
	}
	for _, side := range u.sides(t) {
		for _, r := range requests {
			t.Run(r.name+", "+side.name, func(t *testing.T) {
				t.Parallel()
				if got := exchange(t, side.address, r.request); got.Body != r.want || got.Broken {
					t.Errorf("got %+v, want the body %q", got, r.want)
				}
			})
		}
	}
}

func TestAClientThatLeavesEndsTheServersWork(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	type visit struct{ began, ended chan struct{} }
	visits := make(chan visit, 1)
	stages := []struct{ name, before string }{
		{"before the answer", ""},
		{"before the first event", ": here\n\n"},
		{"between events", "data: x\n\n"},
	}
	for _, side := range u.sides(t) {
		for _, stage := range stages {
			path := u.handle("leave "+stage.name, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				v := visit{make(chan struct{}), make(chan struct{})}
				visits <- v
				if stage.before != "" {
					w.Header().Set("Content-Type", "text/event-stream")
					_, _ = io.WriteString(w, stage.before)
					flush(w)
				}
				close(v.began)
				<-r.Context().Done()
				close(v.ended)
			})
			for name, asked := range map[string]string{
				"a call":   post(t, path, message("tools/call")),
				"a list":   post(t, path, message("tools/list")),
				"a stream": request(t, http.MethodGet, path, "Accept: text/event-stream"),
			} {
				t.Run(name+" "+stage.name+", "+side.name, func(t *testing.T) {
					connection := dial(t, side.address)
					write(t, connection, asked)
					v := receive(t, visits, "the request to reach the server")
					receive(t, v.began, "the server to begin")
					if stage.before != "" {
						method, _, _ := strings.Cut(asked, " ")
						_, stream := hearHead(t, bufio.NewReader(connection), method)
						if _, err := io.ReadFull(stream, make([]byte, len(stage.before))); err != nil {
							t.Fatal(err)
						}
					}
					if err := connection.Close(); err != nil {
						t.Fatal(err)
					}
					receive(t, v.ended, "the server's request to be cancelled")
				})
			}
		}
	}
}
