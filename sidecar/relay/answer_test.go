package relay

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const ok = "HTTP/1.1 200 OK\r\n"

// wires are what servers send, as every client of HTTP/1.1 should read it.
var wires = []struct {
	name, method, wire string
	// closes says that the connection ends there.
	closes bool
	want   answer
}{
	{name: "a length", wire: ok + "Content-Length: 2\r\nX: y\r\n\r\nhi",
		want: answer{Status: 200, Header: http.Header{"Content-Length": {"2"}, "X": {"y"}}, Body: "hi"}},
	{name: "a length of nothing", wire: ok + "Content-Length: 0\r\n\r\n", want: answer{Status: 200, Header: http.Header{"Content-Length": {"0"}}}},
	{name: "chunks", wire: ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\n\r\n", want: answer{Status: 200, Body: "hi yo"}},
	{name: "trailers", wire: ok + "Transfer-Encoding: chunked\r\nTrailer: X, Z\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n",
		want: answer{Status: 200, Body: "hi", Trailer: http.Header{"X": {"y"}, "Z": nil}}},
	{name: "trailers that nobody announced", wire: ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n",
		want: answer{Status: 200, Body: "hi", Trailer: http.Header{"X": {"y"}}}},
	{name: "a trailer that is too long", wire: ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: " + strings.Repeat("y", 8<<10) + "\r\n\r\n",
		want: answer{Status: 200, Body: "hi", Failed: true}},
	{name: "a body that the end of the connection ends", wire: ok + "\r\nhi", closes: true, want: answer{Status: 200, Body: "hi"}},
	{name: "no body, and the end of the connection", wire: ok + "\r\n", closes: true, want: answer{Status: 200}},
	{name: "HTTP/1.0", wire: "HTTP/1.0 200 OK\r\n\r\nhi", closes: true, want: answer{Status: 200, Body: "hi"}},
	{name: "HTTP/1.0 that goes on", wire: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
		want: answer{Status: 200, Header: http.Header{"Connection": {"keep-alive"}, "Content-Length": {"2"}}, Body: "hi"}},
	{name: "chunks in HTTP/1.0, which knows none", wire: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", closes: true,
		want: answer{Status: 200, Body: "2\r\nhi\r\n0\r\n\r\n"}},
	{name: "Connection: close", wire: ok + "Connection: close\r\nContent-Length: 2\r\n\r\nhi", closes: true,
		want: answer{Status: 200, Header: http.Header{"Content-Length": {"2"}}, Body: "hi"}},
	{name: "204", wire: "HTTP/1.1 204 No Content\r\n\r\n", want: answer{Status: 204}},
	{name: "304 with a length", wire: "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", want: answer{Status: 304, Header: http.Header{"Content-Length": {"9"}}}},
	{name: "HEAD", method: http.MethodHead, wire: ok + "Content-Length: 9\r\n\r\n", want: answer{Status: 200, Header: http.Header{"Content-Length": {"9"}}}},
	{name: "HEAD of chunks", method: http.MethodHead, wire: ok + "Transfer-Encoding: chunked\r\n\r\n", want: answer{Status: 200}},
	{name: "a redirection is the caller's", wire: "HTTP/1.1 307 Temporary\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
		want: answer{Status: 307, Header: http.Header{"Location": {"/x"}, "Content-Length": {"0"}}}},
	{name: "what is compressed stays so", wire: ok + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nzz",
		want: answer{Status: 200, Header: http.Header{"Content-Encoding": {"gzip"}, "Content-Length": {"2"}}, Body: "zz"}},
	{name: "100 and 103 before", wire: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi",
		want: answer{Status: 200, Header: http.Header{"Content-Length": {"2"}}, Body: "hi"}},
	{name: "chunks beside a length", wire: ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", want: answer{Status: 200, Body: "hi"}},
	{name: "the same length twice", wire: ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", want: answer{Status: 200, Header: http.Header{"Content-Length": {"2"}}, Body: "hi"}},
	{name: "two lengths", wire: ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!", want: answer{Failed: true}},
	{name: "a signed length", wire: ok + "Content-Length: +2\r\n\r\nhi", want: answer{Failed: true}},
	{name: "a negative length", wire: ok + "Content-Length: -2\r\n\r\nhi", want: answer{Failed: true}},
	{name: "two codings", wire: ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", want: answer{Failed: true}},
	{name: "less than the length", wire: ok + "Content-Length: 9\r\n\r\nhi", closes: true,
		want: answer{Status: 200, Header: http.Header{"Content-Length": {"9"}}, Body: "hi", Failed: true}},
	{name: "more than the length", wire: ok + "Content-Length: 2\r\n\r\nhi there", closes: true,
		want: answer{Status: 200, Header: http.Header{"Content-Length": {"2"}}, Body: "hi"}},
	{name: "half a chunk", wire: ok + "Transfer-Encoding: chunked\r\n\r\n9\r\nhi", closes: true, want: answer{Status: 200, Body: "hi", Failed: true}},
	{name: "chunks without an end", wire: ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", closes: true, want: answer{Status: 200, Body: "hi", Failed: true}},
	{name: "chunks without the last line", wire: ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n", closes: true, want: answer{Status: 200, Body: "hi", Failed: true}},
	{name: "a chunk that is longer than it says", wire: ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi!\r\n0\r\n\r\n", want: answer{Status: 200, Body: "hi", Failed: true}},
	{name: "nothing", closes: true, want: answer{Failed: true}},
	{name: "half a head", wire: ok + "Content-Le", closes: true, want: answer{Failed: true}},
	{name: "a head without its end", wire: ok + "Content-Length: 0\r\n", closes: true, want: answer{Failed: true}},
	{name: "garbage", wire: "\x16\x03\x01\x00\xffgarbage\r\n\r\n", closes: true, want: answer{Failed: true}},
	{name: "a status that is no number", wire: "HTTP/1.1 OK 200\r\n\r\n", closes: true, want: answer{Failed: true}},
	{name: "a header without a colon", wire: ok + "Content-Length 0\r\n\r\n", closes: true, want: answer{Failed: true}},
	{name: "a space before the colon makes another header", wire: ok + "Content-Length : 0\r\n\r\nhi", closes: true,
		want: answer{Status: 200, Header: http.Header{"Content-Length ": {"0"}}, Body: "hi"}},
	{name: "a header over two lines", wire: ok + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
		want: answer{Status: 200, Header: http.Header{"X": {"a b"}, "Content-Length": {"0"}}}},
	{name: "lines that end in LF", wire: "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", want: answer{Status: 200, Header: http.Header{"Content-Length": {"2"}}, Body: "hi"}},
	{name: "a header longer than the buffer", wire: ok + "X: " + strings.Repeat("y", 3*readBuffer) + "\r\nContent-Length: 2\r\n\r\nhi",
		want: answer{Status: 200, Header: http.Header{"X": {strings.Repeat("y", 3*readBuffer)}, "Content-Length": {"2"}}, Body: "hi"}},
}

// TestAnswersAreReadAsNetHTTPReadsThem asks through the relay and through http.Transport.
func TestAnswersAreReadAsNetHTTPReadsThem(t *testing.T) {
	leavesNoGoroutine(t)
	for _, tt := range wires {
		t.Run(tt.name, func(t *testing.T) {
			method := tt.method
			if method == "" {
				method = http.MethodPost
			}
			if tt.want.Header == nil && tt.want.Status != 0 {
				tt.want.Header = http.Header{}
			}
			s := listen(t, func(p *peer) {
				r := p.request()
				if r == nil {
					return
				}
				if r.Header.Get("Slowly") == "" {
					p.say(tt.wire)
				} else {
					for _, b := range []byte(tt.wire) {
						p.say(string([]byte{b}))
					}
				}
				if !tt.closes {
					p.drain()
				}
			})
			pool := s.pool(t)
			for name, slowly := range map[string]bool{"whole": false, "byte by byte": true} {
				r := pool.Request(method, "/")
				if slowly {
					r.Add("Slowly", "1")
				}
				got := answer{Failed: true}
				if res, err := r.Send(context.Background(), nil, nil); err == nil {
					got = read(res.Response, res)
					res.Close()
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +relay):\n%s", name, diff)
				}
				pool.Close() // so that the next one has a connection of its own
			}
			if diff := cmp.Diff(tt.want, throughTransport(t, s, method)); diff != "" {
				t.Errorf("(-want +http.Transport):\n%s", diff)
			}
		})
	}
}

func throughTransport(t *testing.T, s *server, method string) answer {
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequest(method, "http://"+s.Addr().String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		return answer{Failed: true}
	}
	defer res.Body.Close()
	return read(res, res.Body)
}

// TestAnswersThatTheRelayRefuses are those about which it is stricter than net/http.
func TestAnswersThatTheRelayRefuses(t *testing.T) {
	for _, tt := range []struct{ name, wire string }{
		{"another protocol", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"},
		{"nine informational answers", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 9) + textOf("hi")},
		{"a status below 100", "HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n"},
		{"a signed status", "HTTP/1.1 +20 No\r\nContent-Length: 0\r\n\r\n"},
		{"a head of a megabyte", ok + "X: " + strings.Repeat("y", 1<<20) + "\r\nContent-Length: 0\r\n\r\n"},
		{"a head of many lines", ok + strings.Repeat("X: y\r\n", 1<<16) + "Content-Length: 0\r\n\r\n"},
		{"a long line of status", "HTTP/1.1 200 " + strings.Repeat("y", 1<<20) + "\r\n\r\n"},
		{"a head without end behind informational ones", "HTTP/1.1 103 H\r\nX: " + strings.Repeat("y", maxHead/2) + "\r\n\r\n" + ok + "X: " + strings.Repeat("y", maxHead/2) + "\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leavesNoGoroutine(t)
			s := listen(t, answers(tt.wire))
			within(t, "the answer is refused", func() {
				if a, err := ask(s.pool(t), http.MethodGet, nil); err == nil {
					t.Errorf("it was taken: %+v", a)
				}
			})
			eventually(t, "the connection is closed", func() bool { return s.open.Load() == 0 })
			if n := s.requests.Load(); n > 1 {
				t.Errorf("it was asked %d times", n)
			}
		})
	}
}

func TestALongHeadIsRefusedAsSuch(t *testing.T) {
	s := listen(t, answers(ok+"X: "+strings.Repeat("y", maxHead)))
	if _, err := ask(s.pool(t), http.MethodGet, nil); !errors.Is(err, errHeadTooLong) {
		t.Errorf("it fails with %v", err)
	}
}

func TestInformationalAnswersAreHandedOn(t *testing.T) {
	s := listen(t, answers("HTTP/1.1 100 Continue\r\n\r\n"+strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", maxInformational-1)+textOf("hi")))
	informed := 0
	res, err := s.pool(t).Request(http.MethodGet, "/").Send(context.Background(), nil, func(code int, header http.Header) {
		informed++
		if code != http.StatusEarlyHints || header.Get("Link") != "</x>" {
			t.Errorf("informed of %d, %v", code, header)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Close()
	if got := read(res.Response, res); got.Body != "hi" || informed != maxInformational-1 {
		t.Errorf("%d informational answers, then %+v", informed, got)
	}
}

func TestWaitReturnsWhenThereIsSomethingToRead(t *testing.T) {
	leavesNoGoroutine(t)
	more := make(chan struct{})
	s := listen(t, func(p *peer) {
		p.request()
		p.say(ok + "Transfer-Encoding: chunked\r\n\r\n")
		for range more {
			p.say("2\r\nhi\r\n")
		}
		p.say("0\r\n\r\n")
		p.drain()
	})
	res, err := s.pool(t).Request(http.MethodGet, "/").Send(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Close()
	within(t, "the stream is read", func() {
		b := make([]byte, 100)
		for range 3 {
			if !res.Waits() {
				t.Error("something is there before it was sent")
			}
			more <- struct{}{}
			if err := res.Wait(); err != nil || res.Waits() {
				t.Errorf("Wait = %v", err)
			}
			if n, err := res.Read(b); err != nil || string(b[:n]) != "hi" {
				t.Errorf("Read = %q, %v", b[:n], err)
			}
		}
		close(more)
		if _, err := res.Read(b); !errors.Is(err, io.EOF) {
			t.Errorf("the end is %v", err)
		}
		if err := res.Wait(); err != nil || res.Waits() {
			t.Errorf("after the end, Wait = %v", err)
		}
	})
}
