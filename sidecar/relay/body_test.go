package relay

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// digest answers every request with what arrived of its body.
func digest(p *peer) {
	for r := p.request(); r != nil; r = p.request() {
		body, _ := io.ReadAll(r.Body)
		p.say(textOf(fmt.Sprintf("%v %d %x", r.Header["Content-Length"], len(body), sha256.Sum256(body))))
	}
}

// TestABodyArrivesAndIsTheCallersAgain changes each body as soon as the answer is closed.
func TestABodyArrivesAndIsTheCallersAgain(t *testing.T) {
	leavesNoGoroutine(t)
	s := listen(t, digest)
	p := s.pool(t)
	memory := make([]byte, 4<<20)
	for round := range 3 {
		for _, size := range []int{0, 1, 31 << 10, inOnePiece, inOnePiece + 1, 33 << 10, 4 << 20} {
			body := memory[:size]
			for i := range body {
				body[i] = byte(i>>8) + byte(round)
			}
			want := fmt.Sprintf("[%d] %d %x", size, size, sha256.Sum256(body))
			a, err := ask(p, http.MethodPost, body)
			if err != nil || a.Body != want {
				t.Errorf("of %d bytes arrived %+v, %v; want %s", size, a, err, want)
			}
			clear(body)
		}
	}
	if a, err := ask(p, http.MethodGet, nil); err != nil || a.Body != fmt.Sprintf("[] 0 %x", sha256.Sum256(nil)) {
		t.Errorf("of no body arrived %+v, %v", a, err)
	}
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
}

// TestAServerMayAnswerBeforeItHasReadABody makes sure that its answer arrives, that the
// rest of the body does not, and that the body is the caller's again.
func TestAServerMayAnswerBeforeItHasReadABody(t *testing.T) {
	const early = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno"
	for name, end := range map[string]func(*peer){
		"and wait":  func(p *peer) { p.drain() },
		"and close": func(*peer) {},
	} {
		t.Run(name, func(t *testing.T) {
			leavesNoGoroutine(t)
			closed := make(chan struct{})
			rest := make(chan []byte, 1)
			s := listen(t, func(p *peer) {
				if _, err := http.ReadRequest(p.Reader); err != nil {
					t.Error(err)
				}
				p.say(early)
				if name == "and wait" {
					<-closed
					all, _ := io.ReadAll(p.Reader)
					rest <- all
				}
				end(p)
			})
			body := bytes.Repeat([]byte("x"), 32<<20)
			within(t, "the answer is read", func() {
				a, err := ask(s.pool(t), http.MethodPost, body)
				// A close resets the connection, and may overtake the answer.
				if err == nil && (a.Status != http.StatusRequestEntityTooLarge || a.Body != "no") || err != nil && name == "and wait" {
					t.Errorf("%+v, %v", a, err)
				}
			})
			for i := range body {
				body[i] = 'y'
			}
			close(closed)
			if name == "and wait" {
				within(t, "the server learns that nobody sends", func() {
					if all := <-rest; bytes.Contains(all, []byte("y")) || len(all) == len(body) {
						t.Errorf("the server read %d bytes on, also of what the caller wrote later", len(all))
					}
				})
			}
			eventually(t, "the connection is closed", func() bool { return s.open.Load() == 0 })
		})
	}
}

func TestCloseWaitsUntilTheBodyIsLetGo(t *testing.T) {
	for name, fails := range map[string]bool{"it is still written": false, "it was not taken": true} {
		t.Run(name, func(t *testing.T) {
			p := New(&url.URL{Scheme: "http", Host: "mcp.example"})
			c := &early{answer: strings.NewReader(textOf("hi")), fails: fails, closed: make(chan struct{})}
			p.put(newConn(c, c))
			a, err := ask(p, http.MethodPost, make([]byte, inOnePiece+1))
			if err != nil || a.Body != "hi" {
				t.Errorf("%+v, %v", a, err)
			}
			if !c.letGo.Load() || len(p.idle) != 0 {
				t.Errorf("let go: %t; %d connections wait", c.letGo.Load(), len(p.idle))
			}
		})
	}
}
