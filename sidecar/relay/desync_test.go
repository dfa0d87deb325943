package relay

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestAnAnswerTooManyIsNobodysAnswer has servers say more than they were asked.
func TestAnAnswerTooManyIsNobodysAnswer(t *testing.T) {
	for _, tt := range []struct {
		name string
		// first is how the first connection is served; said is called when all is sent.
		first func(p *peer, said func())
	}{
		{"in the same packet", func(p *peer, said func()) {
			p.request()
			p.say(textOf("first") + textOf("poison"))
			said()
		}},
		{"while the connection waits", func(p *peer, said func()) {
			p.request()
			p.say(textOf("first"))
			time.Sleep(10 * time.Millisecond)
			p.say(textOf("poison"))
			said()
		}},
		{"an error of its own while the connection waits", func(p *peer, said func()) {
			p.request()
			p.say(textOf("first"))
			p.say("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			said()
		}},
		{"before it is asked", func(p *peer, said func()) {
			p.say(textOf("first"))
			p.request()
			p.say(textOf("poison"))
			said()
		}},
		{"half of one", func(p *peer, said func()) {
			p.request()
			p.say(textOf("first") + ok)
			said()
		}},
		{"a body where there is none", func(p *peer, said func()) {
			p.request()
			p.say("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" + textOf("poison"))
			said()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leavesNoGoroutine(t)
			said := make(chan struct{})
			s := listen(t, func(p *peer) {
				if p.nth == 1 {
					tt.first(p, func() { close(said) })
					p.drain()
					return
				}
				answers(textOf("second"))(p)
			})
			p := s.pool(t)
			if got := mustAsk(t, p, http.MethodGet); got == "poison" {
				t.Errorf("the first request is answered by %q", got)
			}
			within(t, "the server has said it all", func() { <-said })
			for range 3 {
				if got := mustAsk(t, p, http.MethodGet); got != "second" {
					t.Errorf("the next request is answered by %q", got)
				}
			}
		})
	}
}

// TestAnAnswerTooManyIsNobodysAnswerOverTLS is about records, which are read ahead.
func TestAnAnswerTooManyIsNobodysAnswerOverTLS(t *testing.T) {
	short := textOf("first")
	// The rest of a record stays in TLS when the reader's buffer is full.
	full := ok + "Content-Length: 1000\r\nX: "
	full += strings.Repeat("x", readBuffer-len(full)-4-1000) + "\r\n\r\n" + strings.Repeat("y", 1000)
	if len(full) != readBuffer {
		t.Fatalf("the answer has %d bytes, want %d", len(full), readBuffer)
	}
	for _, tt := range []struct {
		name    string
		records []string
	}{
		{"in one record", []string{short + textOf("poison")}},
		{"in two records of one packet", []string{short, textOf("poison")}},
		{"in one record, behind a full buffer", []string{full + textOf("poison")}},
		{"in two records, behind a full buffer", []string{full, textOf("poison")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leavesNoGoroutine(t)
			s, p := secured(t, func(p *peer, hold func(bool)) {
				if p.nth > 1 {
					answers(textOf("second"))(p)
					return
				}
				p.request()
				hold(true)
				for _, record := range tt.records {
					p.say(record)
				}
				hold(false)
				p.drain()
			})
			if got := mustAsk(t, p, http.MethodGet); got == "poison" {
				t.Errorf("the first request is answered by %q", got)
			}
			for range 3 {
				if got := mustAsk(t, p, http.MethodGet); got != "second" {
					t.Errorf("the next request is answered by %q", got)
				}
			}
			if n := s.accepted.Load(); n != 2 {
				t.Errorf("there are %d connections", n)
			}
		})
	}
}

func TestCallersDoNotGetEachOthersAnswers(t *testing.T) {
	leavesNoGoroutine(t)
	s := listen(t, func(p *peer) {
		for n := 0; ; n++ {
			r := p.request()
			if r == nil {
				return
			}
			body, _ := io.ReadAll(r.Body)
			said := textOf(string(body))
			if n%7 == 6 {
				said += textOf("poison")
			}
			p.say(said)
		}
	})
	p := s.pool(t)
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			for i := range 100 {
				mine := fmt.Sprintf("%d of %d", i, caller)
				a, err := ask(p, http.MethodPost, []byte(mine))
				if err != nil || a.Body != mine {
					t.Errorf("who sent %q got %+v, %v", mine, a, err)
				}
			}
		})
	}
	callers.Wait()
}
