package relay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience ends every wait.
const patience = 20 * time.Second

// server is a server of which every byte is under control.
type server struct {
	net.Listener
	// accepted and open count connections, requests what was read of them.
	accepted, open, requests atomic.Int64
	done                     sync.WaitGroup
}

// peer is the server's end of one connection. nth counts them from one.
type peer struct {
	net.Conn
	*bufio.Reader
	server *server
	nth    int
}

// listen has each connection served by serve, which closes it by returning. When the test
// ends all of them must be over.
func listen(t testing.TB, serve func(*peer)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, serve)
}

func serveOn(t testing.TB, l net.Listener, serve func(*peer)) *server {
	s := &server{Listener: l}
	var all sync.Map // of what was accepted
	s.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p := &peer{c, bufio.NewReader(c), s, int(s.accepted.Add(1))}
			s.open.Add(1)
			all.Store(c, nil)
			s.done.Go(func() {
				defer s.open.Add(-1)
				defer c.Close()
				serve(p)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		eventually(t, "no connection is left at the server", func() bool { return s.open.Load() == 0 })
		all.Range(func(c, _ any) bool {
			_ = c.(net.Conn).Close() // a test that has failed ends as well
			return true
		})
		s.done.Wait()
	})
	return s
}

// pool is a Pool for the server, closed before it.
func (s *server) pool(t testing.TB) *Pool {
	p := New(&url.URL{Scheme: "http", Host: s.Addr().String()})
	t.Cleanup(p.Close)
	return p
}

// request reads a request with its body; nil when there is none.
func (p *peer) request() *http.Request {
	r, err := http.ReadRequest(p.Reader)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.server.requests.Add(1)
	return r
}

// say writes; that nobody listens is for the test to find out.
func (p *peer) say(text string) { _, _ = io.WriteString(p.Conn, text) }

// drain waits until the other side closes.
func (p *peer) drain() { _, _ = io.Copy(io.Discard, p.Reader) }

// answers answers every request alike.
func answers(text string) func(*peer) {
	return func(p *peer) {
		for p.request() != nil {
			p.say(text)
		}
	}
}

func textOf(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// answer is all that a caller learns.
type answer struct {
	Status  int
	Header  http.Header
	Body    string
	Trailer http.Header
	// Failed says that there is no answer, or no end of it.
	Failed bool
}

func read(res *http.Response, body io.Reader) answer {
	data, err := io.ReadAll(body)
	a := answer{res.StatusCode, res.Header, string(data), res.Trailer, err != nil}
	if len(a.Trailer) == 0 {
		a.Trailer = nil
	}
	return a
}

// ask sends a request and reads all of its answer.
func ask(p *Pool, method string, body []byte) (answer, error) {
	res, err := p.Request(method, "/mcp").Send(context.Background(), body, nil)
	if err != nil {
		return answer{Failed: true}, err
	}
	defer res.Close()
	return read(res.Response, res), nil
}

func mustAsk(t testing.TB, p *Pool, method string) string {
	t.Helper()
	a, err := ask(p, method, nil)
	if err != nil || a.Failed {
		t.Fatalf("%s: %+v, %v", method, a, err)
	}
	return a.Body
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("waited %v in vain: %s", patience, what)
			return
		}
	}
}

// within runs what must return.
func within(t testing.TB, what string, run func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("waited %v in vain: %s", patience, what)
	}
}

// leavesNoGoroutine looks again when the test is over. It is called first, so that it
// looks last.
func leavesNoGoroutine(t *testing.T) {
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		failed := t.Failed()
		eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
		if !failed && t.Failed() {
			var all strings.Builder
			_ = pprof.Lookup("goroutine").WriteTo(&all, 1)
			t.Log(all.String())
		}
	})
}

// secured serves like listen, over TLS. Each connection's writes can be held back and sent
// as one, and the pool trusts the server.
func secured(t testing.TB, serve func(p *peer, hold func(bool))) (*server, *Pool) {
	t.Helper()
	web := httptest.NewUnstartedServer(nil) // for its certificate
	web.StartTLS()
	certificates := web.TLS.Certificates
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	web.Close()
	s := listen(t, func(p *peer) {
		below := &holding{Conn: p.Conn}
		c := tls.Server(below, &tls.Config{Certificates: certificates})
		p.Conn, p.Reader = c, bufio.NewReader(c)
		serve(p, below.hold)
	})
	p := New(&url.URL{Scheme: "https", Host: s.Addr().String()})
	p.tls.RootCAs = roots
	t.Cleanup(p.Close)
	return s, p
}

// holding keeps what is written until it is told to send it in one piece.
type holding struct {
	net.Conn
	held bytes.Buffer
	on   bool
}

func (h *holding) hold(on bool) {
	if h.on = on; !on {
		_, _ = h.held.WriteTo(h.Conn)
	}
}

func (h *holding) Write(b []byte) (int, error) {
	if h.on {
		return h.held.Write(b)
	}
	return h.Conn.Write(b)
}

// listen6 is a server that answers with the Host that it was asked for.
func listen6(t testing.TB) (*server, error) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return nil, err
	}
	return serveOn(t, l, func(p *peer) {
		for r := p.request(); r != nil; r = p.request() {
			p.say(textOf(r.Host))
		}
	}), nil
}
