package relay

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatWouldEndALineEarlyIsRefused(t *testing.T) {
	type request struct{ method, target, name, value string }
	valid := func(change func(*request)) request {
		r := request{"POST", "/mcp?x=y", "X-Name", "value"}
		change(&r)
		return r
	}
	s := listen(t, answers(textOf("hi")))
	p := s.pool(t)
	send := func(r request) error {
		out := p.Request(r.method, r.target)
		out.Add(r.name, r.value)
		res, err := out.Send(context.Background(), nil, nil)
		if err == nil {
			_, _ = io.ReadAll(res)
			res.Close()
		}
		return err
	}
	if err := send(valid(func(*request) {})); err != nil {
		t.Fatalf("a good one is refused: %v", err)
	}
	for _, bad := range []string{"", " ", "\r", "\n", "\r\n", "\x00", "\x7f", "x y", "x\ry", "x\ny", "x\x00y", "x\r\nInjected: y", "x: y", "ü", "x\t"} {
		refused := map[string]request{
			"method": valid(func(r *request) { r.method = bad }),
			"name":   valid(func(r *request) { r.name = bad }),
		}
		if bad != "ü" && bad != "x: y" {
			refused["target"] = valid(func(r *request) { r.target = "/" + bad })
		}
		if strings.ContainsAny(bad, "\r\n\x00\x7f") {
			refused["value"] = valid(func(r *request) { r.value = bad })
		}
		if bad == "" || bad == "x: y" {
			delete(refused, "target")
		}
		for what, r := range refused {
			if err := send(r); !errors.Is(err, ErrMalformed) {
				t.Errorf("a %s of %q: %v", what, bad, err)
			}
		}
	}
	for _, target := range []string{"", "mcp", "*", "http://other/", "?x", " /", "\r\n/"} {
		if err := send(valid(func(r *request) { r.target = target })); !errors.Is(err, ErrMalformed) {
			t.Errorf("the target %q: %v", target, err)
		}
	}
	for _, name := range []string{"Content-Length", "content-length", "TRANSFER-ENCODING", "Connection", "host", "Trailer"} {
		if err := send(valid(func(r *request) { r.name = name })); !errors.Is(err, ErrMalformed) {
			t.Errorf("the header %s, which frames: %v", name, err)
		}
	}
	if n := s.requests.Load(); n != 1 {
		t.Errorf("the server saw %d requests", n)
	}
}

// FuzzRequest makes sure that what net/http's server reads is the one request that was
// meant, or nothing.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][4]string{
		{"POST", "/mcp", "X-Name", "value"}, {"GET", "/?a=b%20c", "x_y", " \t"}, {"DELETE", "//x", "X", "ü"},
		{"GET", "/ HTTP/1.1\r\nX: y\r\n\r\nGET /", "X", "y"}, {"GET /x", "/", "X", "y"}, {"M", "/#", "X\r\nY", "z"},
		{"GET", "/", "X", "y\r\n\r\nGET / HTTP/1.1"}, {"GET", "/", "Transfer-Encoding", "chunked"}, {"HEAD", "/\u2028", "X:", "\x00"},
		{"GET", "/%", "Pragma", "no-cache"}, {"PRI", "/", "Upgrade", "h2c"}, {"CONNECT", "/", "Content-Length", "5"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], []byte("body"))
	}
	type arrived struct {
		Method, Target, Body string
		Header               http.Header
	}
	var mu sync.Mutex
	var seen []arrived
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, name := range []string{"Content-Length", "Cache-Control"} { // the latter is made of Pragma
			r.Header.Del(name)
		}
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, arrived{r.Method, r.RequestURI, string(body), r.Header})
	}))
	f.Cleanup(web.Close)
	u, err := url.Parse(web.URL)
	if err != nil {
		f.Fatal(err)
	}
	p := New(u)
	f.Cleanup(p.Close)
	f.Fuzz(func(t *testing.T, method, target, name, value string, body []byte) {
		if strings.EqualFold(name, "Expect") || strings.EqualFold(name, "Cache-Control") {
			t.Skip("the server acts on it")
		}
		mu.Lock()
		seen = nil
		mu.Unlock()
		r := p.Request(method, target)
		r.Add(name, value)
		res, err := r.Send(context.Background(), body, nil)
		if err == nil {
			_, _ = io.ReadAll(res)
			res.Close()
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case errors.Is(err, ErrMalformed):
			if len(seen) > 0 {
				t.Fatalf("what is malformed arrived: %+v", seen)
			}
			return
		case err != nil:
			t.Fatal(err)
		case res.StatusCode == http.StatusBadRequest:
			if _, err := url.ParseRequestURI(target); err != nil && len(seen) == 0 {
				return
			}
		}
		want := []arrived{{method, target, string(body), http.Header{textproto.CanonicalMIMEHeaderKey(name): {strings.Trim(value, " \t")}}}}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Fatalf("status %d (-meant +arrived):\n%s", res.StatusCode, diff)
		}
	})
}

func TestThePoolGoesWhereTheURLSays(t *testing.T) {
	for _, tt := range []struct{ url, address, host, serverName string }{
		{"http://example.com", "example.com:80", "example.com", ""},
		{"http://example.com:", "example.com:80", "example.com", ""},
		{"http://example.com:8080/mcp?x", "example.com:8080", "example.com:8080", ""},
		{"https://example.com", "example.com:443", "example.com", "example.com"},
		{"https://example.com:8443", "example.com:8443", "example.com:8443", "example.com"},
		{"http://[::1]", "[::1]:80", "[::1]", ""},
		{"http://[::1]:8080", "[::1]:8080", "[::1]:8080", ""},
		{"http://[fe80::1%25eth0]:8080", "[fe80::1%eth0]:8080", "[fe80::1]:8080", ""},
		{"https://bücher.example", "xn--bcher-kva.example:443", "xn--bcher-kva.example", "xn--bcher-kva.example"},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		p := New(u)
		if p.address != tt.address || p.host != tt.host || p.tls != nil && p.tls.ServerName != tt.serverName || (p.tls != nil) != (tt.serverName != "") {
			t.Errorf("%s: to %s as %q, TLS %v", tt.url, p.address, p.host, p.tls)
		}
	}
	for _, host := range []string{"x\r\nInjected: y", "x y", "", "x\x00"} {
		_, err := New(&url.URL{Scheme: "http", Host: host}).Request("GET", "/").Send(context.Background(), nil, nil)
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("the host %q: %v", host, err)
		}
	}
}

func TestAServerOnIPv6IsReached(t *testing.T) {
	s, err := listen6(t)
	if err != nil {
		t.Skip("there is no IPv6 here: ", err)
	}
	if got := mustAsk(t, s.pool(t), http.MethodGet); got != s.Addr().String() {
		t.Errorf("the Host is %q, want %q", got, s.Addr())
	}
}
