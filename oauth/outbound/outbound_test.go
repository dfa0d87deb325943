package outbound

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/oauth/outbound/outboundtest"
)

const anyType = "*/*"

func TestADocumentIsFetchedWithNothingOfOurs(t *testing.T) {
	var got *http.Request
	s := httpsSite(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Content-Type", "application/json")
		says(`{}`)(w, r)
	})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/keys?x=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{
		"Accept": {"application/json"}, "Cookie": {"a=b"}, "Authorization": {"Bearer x"}, "User-Agent": {"someone"}, "X-Other": {"y"},
	}
	response, err := (&http.Client{Transport: near(t, s).Transport()}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	want := http.Header{"Accept": {"application/json"}, "User-Agent": {"mcpauth"}, "Connection": {"close"}}
	if len(got.Header) != len(want) {
		t.Errorf("the request's header is %v, want %v", got.Header, want)
	}
	for name := range want {
		if got.Header.Get(name) != want.Get(name) {
			t.Errorf("%s: got %q, want %q", name, got.Header.Get(name), want.Get(name))
		}
	}
	if got.URL.String() != "/keys?x=1" || got.Method != http.MethodGet {
		t.Errorf("the request is %s %s", got.Method, got.URL)
	}
}

func TestGetReturnsBodyAndHeader(t *testing.T) {
	s := httpsSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		says("hello")(w, r)
	})
	response, err := near(t, s).Get(t.Context(), s.URL, anyType, 5)
	if err != nil || string(response.Body) != "hello" || MaxAge(response.Header, 0) != time.Minute {
		t.Errorf("got %+v, %v", response, err)
	}
}

func TestAPrivateHostMayBePlainAndOnAnyPort(t *testing.T) {
	s := httpSite(t, says("hello"))
	var n outboundtest.Names
	n.Say("inside.test.", "127.0.0.1")
	c := newClient(t, Options{PrivateHosts: []string{"Inside.test"}, Resolver: n.Resolver()})
	if _, err := c.Get(t.Context(), "http://inside.TEST:"+s.port()+"/", anyType, 100); err != nil {
		t.Errorf("Get: %v", err)
	}
}

func TestNoProxyOfTheEnvironmentIsUsed(t *testing.T) {
	proxy, s := httpSite(t, says("proxied")), httpSite(t, says("hello"))
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	var n outboundtest.Names
	n.Say("inside.test.", "127.0.0.1")
	c := newClient(t, Options{PrivateHosts: []string{"inside.test"}, Resolver: n.Resolver()})
	if _, err := c.Get(t.Context(), "http://inside.test:"+s.port(), anyType, 100); err != nil || proxy.visits.Load() != 0 {
		t.Errorf("%v, and the proxy was asked %d times", err, proxy.visits.Load())
	}
}

func TestABundleWithoutCertificatesIsAnError(t *testing.T) {
	if _, err := New(Options{CABundle: "-----BEGIN NOTHING-----"}); err == nil {
		t.Error("it was accepted")
	}
}

func TestAnUnknownAuthorityIsNotTrusted(t *testing.T) {
	s := httpsSite(t, says("hello"))
	_, err := newClient(t, Options{PrivateHosts: []string{"127.0.0.1"}}).Get(t.Context(), s.URL, anyType, 100)
	if !errors.Is(err, ErrUnreachable) || s.visits.Load() != 0 {
		t.Errorf("got %v after %d visits", err, s.visits.Load())
	}
}

// The addresses of RFC 6890 and its updates: the first and the last of each range.
var forbidden = []string{
	"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "100.100.100.200",
	"127.0.0.0", "127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.170.2", "169.254.255.255",
	"172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.170", "192.0.0.255", "192.0.2.1", "192.31.196.1", "192.52.193.1",
	"192.88.99.1", "192.168.0.0", "192.168.255.255", "192.175.48.1", "198.18.0.0", "198.19.255.255", "198.51.100.1",
	"203.0.113.255", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.254", "255.255.255.255", "168.63.129.16",
	"::", "::1", "::2", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1",
	"64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "64:ff9b:1:ffff::a00:1", "100::1", "100:0:0:1::1",
	"2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff:ffff::1", "2001:db8::1", "2002::1",
	"2002:7f00:1::", "2002:a00:1::1", "2620:4f:8000::1", "3fff::1", "3fff:fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
	"fdff:ffff::1", "fe80::1", "febf::1", "fec0::1", "ff00::1", "ff02::1", "ffff::1", "4000::1",
}

func TestAttack22_AddressesThatAreNotPublic(t *testing.T) {
	for _, text := range forbidden {
		if isPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is taken for public", text)
		}
	}
	for _, text := range []string{"fe80::1%eth0", "2606:4700::1111%eth0"} {
		if isPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is taken for public", text)
		}
	}
	if isPublic(netip.Addr{}) {
		t.Error("no address at all is taken for public")
	}
	for _, text := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
		"198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::1", "2001:4860:4860::8888", "2606:4700::1111", "2a00::1", "3ffe::1",
	} {
		if !isPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is not taken for public", text)
		}
		if err := mayDial(false)("tcp", netip.AddrPortFrom(netip.MustParseAddr(text), 443).String(), nil); err != nil {
			t.Errorf("%s may not be dialled: %v", text, err)
		}
	}
}

func TestAttack22_ANameAtAForbiddenAddressIsNotDialled(t *testing.T) {
	var n outboundtest.Names
	c := newClient(t, Options{Resolver: n.Resolver()})
	for _, address := range forbidden {
		if isPublic(netip.MustParseAddr(address).Unmap()) {
			continue // is dialled as the public IPv4 address that it is
		}
		n.Say("rebind.test.", address)
		if _, err := c.Get(t.Context(), "https://rebind.test/", anyType, 100); !errors.Is(err, ErrForbiddenAddress) {
			t.Errorf("%s: got %v, want ErrForbiddenAddress", address, err)
		}
	}
	n.Say("rebind.test.", "127.0.0.1", "169.254.169.254", "::1", "10.0.0.1")
	if _, err := c.Get(t.Context(), "https://rebind.test/", anyType, 100); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("several at once: %v", err)
	}
}

func TestAttack22_ANameThatChangesItsAnswer(t *testing.T) {
	s := httpSite(t, says("hello"))
	var n outboundtest.Names
	address := "http://inside.test:" + s.port() + "/"
	c := newClient(t, Options{PrivateHosts: []string{"inside.test"}, Resolver: n.Resolver()})
	for _, step := range []struct {
		answer string
		want   error
	}{
		{"127.0.0.1", nil}, {"169.254.169.254", ErrForbiddenAddress}, {"0.0.0.0", ErrForbiddenAddress}, {"127.0.0.1", nil},
		{"fe80::1", ErrForbiddenAddress}, {"224.0.0.1", ErrForbiddenAddress}, {"::ffff:169.254.169.254", ErrForbiddenAddress},
	} {
		n.Say("inside.test.", step.answer)
		if err := c.Check(address); err != nil {
			t.Fatalf("Check, which looks nothing up: %v", err)
		}
		if _, err := c.Get(t.Context(), address, anyType, 100); !errors.Is(err, step.want) {
			t.Errorf("now at %s: got %v, want %v", step.answer, err, step.want)
		}
	}
	if got := s.visits.Load(); got != 2 {
		t.Errorf("%d visits, want 2", got)
	}
}

func TestAttack22_APrivateHostOpensNoOther(t *testing.T) {
	s := httpsSite(t, says("secret"))
	var n outboundtest.Names
	n.Say("other.test.", "127.0.0.1")
	c := newClient(t, Options{PrivateHosts: []string{"inside.test"}, CABundle: bundleOf(s), Resolver: n.Resolver()})
	for _, address := range []string{
		"https://other.test/", "https://inside.test.other.test/", "https://xinside.test/", "https://127.0.0.1/", "https://[::1]/", "https://localhost/",
	} {
		if _, err := c.Get(t.Context(), address, anyType, 100); err == nil {
			t.Errorf("%s was fetched", address)
		}
	}
	if s.visits.Load() != 0 {
		t.Error("the site was reached")
	}
}

func TestAttack22_URLsThatAreNeverFetched(t *testing.T) {
	c := newClient(t, Options{PrivateHosts: []string{"inside.test"}})
	for _, address := range []string{
		"", "/", "keys", "https:", "https://", "https:///x", "https:example.com", "//example.com/x", "http://example.com/",
		"HTTP://example.com", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "data:,x", "javascript:alert(1)",
		"https://example.com:80/", "https://example.com:8443/", "https://example.com:/", "https://example.com:0/", "https://example.com:99999/",
		"https://user@example.com/", "https://user:secret@example.com/", "https://@example.com/", "https://a@b@example.com/",
		"https://inside.test@example.com/", "http://inside.test@127.0.0.1/", "https://example.com\\@inside.test/",
		"https://example.com/#x", "https://example.com/#",
		"https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/",
		"https://127.1/", "https://127.0.1/", "https://0/", "https://0x/", "https://1.2.3.4.5/", "https://127.0.0.1.0x/", "https://256.1.1.1/",
		"https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[fe80::1%25lo]/", "https://[::1%25lo]/", "https://[v1.x]/",
		"https://exa%6dple.com/", "https://127%2e0.0.1/", "https://ex ample.com/", "https://exämple.com/", "https://127。0。0。1/", "https://①②⑦.0.0.1/",
		"https://a..b/", "https://.example.com/", "https://" + strings.Repeat("a", 64) + ".com/", "https://" + strings.Repeat("a.", 130) + "com/",
		"https://example.com/" + strings.Repeat("x", 2048), "https://example.com/\x00", "https://example.com\n/",
	} {
		if err := c.Check(address); !errors.Is(err, ErrURL) {
			t.Errorf("Check(%q) = %v, want ErrURL", address, err)
		}
		if _, err := c.Get(t.Context(), address, anyType, 100); !errors.Is(err, ErrURL) {
			t.Errorf("Get(%q): %v, want ErrURL", address, err)
		}
	}
	for _, address := range []string{
		"https://example.com", "https://example.com/", "HTTPS://Example.COM/x?y=z", "https://example.com:443/", "https://xn--exmple-cua.com/",
		"https://a_b.example.com/", "https://example.com./", "https://1.1.1.1/", "https://[2606:4700::1111]/", "https://4chan.org/", "https://0xcafe.example/",
		"http://inside.test/", "https://INSIDE.test:8443/",
	} {
		if err := c.Check(address); err != nil {
			t.Errorf("Check(%q) = %v", address, err)
		}
	}
}

func TestAttack22_ARedirectIsNotFollowed(t *testing.T) {
	inner := httpsSite(t, says("secret"))
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
		s := httpsSite(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", inner.URL)
			w.WriteHeader(status)
		})
		c := near(t, s, func(o *Options) { o.CABundle += bundleOf(inner) })
		if _, err := c.Get(t.Context(), s.URL, anyType, 100); !errors.Is(err, ErrStatus) {
			t.Errorf("Get, %d: %v", status, err)
		}
		response, err := (&http.Client{Transport: c.Transport()}).Get(s.URL)
		if err == nil {
			_ = response.Body.Close()
		}
		if !errors.Is(err, ErrStatus) {
			t.Errorf("by an http.Client that follows redirects, %d: %v", status, err)
		}
	}
	if inner.visits.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestAttack22_AnswersAreBounded(t *testing.T) {
	const limit = 5 << 10
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    error
	}{
		"as large as allowed": {says(strings.Repeat("x", limit)), nil},
		"one byte more":       {says(strings.Repeat("x", limit+1)), ErrTooLarge},
		"1 MiB":               {says(strings.Repeat("x", 1<<20)), ErrTooLarge},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, ErrTooLarge},
		"an endless header": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		}, ErrUnreachable},
		"compressed, unasked": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			says("not what it seems")(w, r)
		}, nil}, // the bytes as they came, which no parser takes
		"404": {http.NotFound, ErrStatus},
		"204": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, ErrStatus},
		"500": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, ErrStatus},
	} {
		t.Run(name, func(t *testing.T) {
			s := httpsSite(t, test.handler)
			_, err := near(t, s).Get(t.Context(), s.URL, anyType, limit)
			if !errors.Is(err, test.want) || test.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestAttack22_TheTransportBoundsAnswersToo(t *testing.T) {
	s := httpsSite(t, says(strings.Repeat("x", maxBody+1)))
	response, err := (&http.Client{Transport: near(t, s).Transport()}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	buffer := make([]byte, 1<<16)
	for err == nil {
		_, err = response.Body.Read(buffer)
	}
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("reading ended with %v", err)
	}
}

func TestAttack22_WhoeverIsSlowIsNotWaitedFor(t *testing.T) {
	release := make(chan struct{})
	for name, handler := range map[string]http.HandlerFunc{
		"a slow header": func(http.ResponseWriter, *http.Request) { <-release },
		"a slow body": func(w http.ResponseWriter, r *http.Request) {
			says("x")(w, r)
			w.(http.Flusher).Flush()
			<-release
		},
	} {
		s := httpsSite(t, handler)
		t.Run(name, func(t *testing.T) {
			c := near(t, s, func(o *Options) { o.Timeout = 200 * time.Millisecond })
			_, err := c.Get(t.Context(), s.URL, anyType, 100)
			if !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) || !Transient(err) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Cleanup(func() { close(release) }) // before the servers wait for their handlers
	t.Run("a host that accepts and says nothing", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		c := newClient(t, Options{PrivateHosts: []string{"127.0.0.1"}, Timeout: 200 * time.Millisecond})
		if _, err := c.Get(t.Context(), "https://"+listener.Addr().String(), anyType, 100); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOnlyAGetIsSent(t *testing.T) {
	s := httpsSite(t, says("hello"))
	response, err := (&http.Client{Transport: near(t, s).Transport()}).Post(s.URL, "text/plain", strings.NewReader("x"))
	if err == nil {
		_ = response.Body.Close()
	}
	if !errors.Is(err, ErrURL) || s.visits.Load() != 0 {
		t.Errorf("a POST: %v, %d visits", err, s.visits.Load())
	}
}

func TestWhatIsTransient(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&StatusError{Status: 500}, true}, {&StatusError{Status: 503}, true}, {&StatusError{Status: 429}, true}, {&StatusError{Status: 408}, true},
		{&StatusError{Status: 404}, false}, {&StatusError{Status: 410}, false}, {&StatusError{Status: 302}, false}, {&StatusError{Status: 204}, false},
		{failure("x", errors.New("refused")), true}, {ErrBusy, true},
		{failure("x", &net.OpError{Err: ErrForbiddenAddress}), false}, {ErrURL, false}, {ErrTooLarge, false}, {errors.New("not JSON"), false},
	} {
		if got := Transient(test.err); got != test.want {
			t.Errorf("Transient(%v) = %v", test.err, got)
		}
	}
}
