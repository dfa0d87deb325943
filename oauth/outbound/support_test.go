package outbound

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// site is an https server on 127.0.0.1 that counts who comes.
type site struct {
	*httptest.Server
	visits atomic.Int64
}

func newSite(t *testing.T, start func(*httptest.Server), handler http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.visits.Add(1)
		handler(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that end early, as many tests want
	start(s.Server)
	t.Cleanup(s.Close)
	return s
}

func httpsSite(t *testing.T, handler http.HandlerFunc) *site {
	return newSite(t, (*httptest.Server).StartTLS, handler)
}

func httpSite(t *testing.T, handler http.HandlerFunc) *site {
	return newSite(t, (*httptest.Server).Start, handler)
}

func (s *site) port() string {
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	return port
}

func bundleOf(s *site) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// near trusts the site and reaches it.
func near(t *testing.T, s *site, change ...func(*Options)) *Client {
	o := Options{PrivateHosts: []string{"127.0.0.1"}}
	if s.TLS != nil {
		o.CABundle = bundleOf(s)
	}
	for _, c := range change {
		c(&o)
	}
	return newClient(t, o)
}
