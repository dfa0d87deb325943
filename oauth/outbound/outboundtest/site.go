package outboundtest

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Answer is what a Site says at a path.
type Answer struct {
	// Status is 200 where it is zero.
	Status int
	// Header is beside the Content-Type, which is application/json unless Header has
	// another.
	Header http.Header
	Body   string
}

// Site is an https server on 127.0.0.1, with a certificate that CABundle alone
// vouches for. Paths of which nothing was said are not found.
type Site struct {
	*httptest.Server

	mu      sync.Mutex
	answers map[string]Answer
	visits  map[string]int
}

// NewSite starts a Site that ends with the test.
func NewSite(t testing.TB) *Site {
	t.Helper()
	s := &Site{answers: make(map[string]Answer), visits: make(map[string]int)}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that end early, as many tests want
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// CABundle is the site's certificate in PEM.
func (s *Site) CABundle() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// Say answers at the path from now on.
func (s *Site) Say(path, body string) { s.Answer(path, Answer{Body: body}) }

// Answer answers at the path from now on.
func (s *Site) Answer(path string, a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[path] = a
}

// Visits is how often the path was asked for; the empty path stands for all.
func (s *Site) Visits(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if path != "" {
		return s.visits[path]
	}
	all := 0
	for _, n := range s.visits {
		all += n
	}
	return all
}

// ServeHTTP implements http.Handler.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.visits[r.URL.Path]++
	a, ok := s.answers[r.URL.Path]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(max(a.Status, http.StatusOK))
	_, _ = io.WriteString(w, a.Body)
}
