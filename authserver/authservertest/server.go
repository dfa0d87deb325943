package authservertest

import (
	"log/slog"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// Server is a running authorization server. It stops when its test ends.
type Server struct {
	// Issuer is the root issuer's URL.
	Issuer string
	// Address is where the server listens: the issuer, unless the test serves another
	// one's catalog.
	Address string
	// Handler is the server itself.
	Handler *authserver.Server
	// Store records every write.
	Store *Ledger
	// Events are the audit events so far.
	Events *Events
	// Ring is the key ring in use.
	Ring *keyring.Ring

	test    testing.TB
	content func(*catalog.Content)
	catalog atomic.Pointer[catalog.Catalog]
	ahead   atomic.Int64 // nanoseconds
}

// Option changes how New makes a Server.
type Option func(*settings)

type settings struct {
	path    string
	content func(*catalog.Content)
	store   store.Store
	server  func(*authserver.Options)
}

// WithPath serves the issuer below a path such as "/auth".
func WithPath(path string) Option { return func(s *settings) { s.path = path } }

// WithContent changes the sample catalog before it is served.
func WithContent(change func(*catalog.Content)) Option {
	return func(s *settings) { s.content = change }
}

// WithStore keeps state in another store, which stays the caller's to close.
func WithStore(kept store.Store) Option { return func(s *settings) { s.store = kept } }

// WithServer changes the server's options before it is made.
func WithServer(change func(*authserver.Options)) Option {
	return func(s *settings) { s.server = change }
}

// New starts a server for the test.
func New(t testing.TB, options ...Option) *Server {
	t.Helper()
	set := settings{content: func(*catalog.Content) {}, server: func(*authserver.Options) {}}
	for _, option := range options {
		option(&set)
	}
	listener := httptest.NewUnstartedServer(nil)
	s := &Server{
		Issuer:  "http://" + listener.Listener.Addr().String() + set.path,
		Address: "http://" + listener.Listener.Addr().String() + set.path,
		Store:   newLedger(t, set.store), Events: &Events{}, test: t, content: set.content,
	}
	ring, err := keyring.New(keyring.RS256, time.Now())
	if err != nil {
		t.Fatalf("make a key ring: %v", err)
	}
	s.Ring = ring
	s.Swap(func(*catalog.Content) {})
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	o := authserver.Options{
		Catalog: s.catalog.Load, Keys: func() *keyring.Ring { return s.Ring }, Store: s.Store,
		Secrets: Secrets(),
		Audit:   audit.Log{Sink: s.Events}, Logger: logger, Now: s.Now,
	}
	set.server(&o)
	if s.Handler, err = authserver.New(o); err != nil {
		t.Fatalf("make the authorization server: %v", err)
	}
	listener.Config.Handler = s.Handler
	listener.Start()
	t.Cleanup(listener.Close)
	return s
}

// Swap makes a new catalog out of the sample, as New had it, and the change, and
// serves it from the next request on.
func (s *Server) Swap(change func(*catalog.Content)) {
	s.test.Helper()
	content := Sample(s.Issuer)
	s.content(&content)
	change(&content)
	made, err := catalog.New(content)
	if err != nil {
		s.test.Fatalf("make the catalog: %v", err)
	}
	s.catalog.Store(made)
}

// Unload takes the catalog away, as before the first one has been read.
func (s *Server) Unload() { s.catalog.Store(nil) }

// Now is the server's clock.
func (s *Server) Now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// Advance moves the server's clock ahead.
func (s *Server) Advance(d time.Duration) { s.ahead.Add(int64(d)) }

// ResourceIssuer is the issuer of the sample resource.
func (s *Server) ResourceIssuer() string { return oauth.ResourceIssuer(s.Issuer, ResourceID) }
