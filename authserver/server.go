package authserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver/assertion"
	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/page"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// Secrets are those that a catalog only names.
type Secrets interface {
	client.Secrets
	// ProviderSecret returns our client secret at an upstream provider, "" where we
	// are a public client there. Its errors quote no secret.
	ProviderSecret(ctx context.Context, p *catalog.OIDCProvider) (string, error)
}

// Options is what a Server works with. Catalog, Keys, Store and Secrets are
// required.
type Options struct {
	// Catalog returns the current snapshot, nil while there is none. It is called
	// once for every request and must be cheap.
	Catalog func() *catalog.Catalog
	// Keys returns the current ring, nil while there is none.
	Keys    func() *keyring.Ring
	Store   store.Store
	Secrets Secrets
	// Audit receives what security teams ask for; the zero value discards it.
	Audit audit.Log
	// ClusterIssuer tells the issuer of the cluster's own ServiceAccount tokens and
	// its keys; nil where the server runs in no cluster.
	ClusterIssuer func(ctx context.Context) (issuer string, keys assertion.Keys, err error)
	// Logger is for operators; nil means slog.Default.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// HTTPClient reaches upstream providers; nil means one with a timeout of 10 s.
	HTTPClient *http.Client
}

// Server is the authorization server. It is safe for concurrent use.
type Server struct {
	opts Options

	pages      *page.Renderer
	endpoints  map[string]endpoint
	grantTypes map[string]grant
	clients    *client.Directory
	feed       *feed
	limits     limits

	mu      sync.Mutex // held while a new view is made
	current atomic.Pointer[view]
}

// upstreamTimeout bounds one request to an upstream provider.
const upstreamTimeout = 10 * time.Second

// New checks the options and makes a Server. It needs no catalog and no keys
// yet: until both are there it answers 503.
func New(o Options) (*Server, error) {
	if o.Catalog == nil || o.Keys == nil || o.Store == nil || o.Secrets == nil {
		return nil, errors.New("authserver: Catalog, Keys, Store and Secrets are required")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Timeout: upstreamTimeout}
	}
	pages, err := page.New()
	if err != nil {
		return nil, fmt.Errorf("authserver: %w", err)
	}
	s := &Server{opts: o, pages: pages, limits: newLimits(), feed: newFeed(o.Store)}
	s.clients = client.NewDirectory(client.DirectoryOptions{
		Registrations: o.Store, Once: o.Store, Secrets: o.Secrets, Now: o.Now, Logger: o.Logger,
		Throttle: strangers{s},
	})
	s.endpoints, s.grantTypes = s.routes(), s.grants()
	return s, nil
}

// pingTimeout bounds what a readiness probe waits for the store.
const pingTimeout = 2 * time.Second

// Ready says why the server cannot serve, or nil.
func (s *Server) Ready() error {
	switch {
	case s.opts.Catalog() == nil:
		return errors.New("there is no catalog yet")
	case s.opts.Keys() == nil:
		return errors.New("there is no key ring yet")
	}
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	if err := s.opts.Store.Ping(ctx); err != nil {
		return fmt.Errorf("the store does not answer: %w", err)
	}
	return nil
}

const (
	cleaningInterval = time.Minute
	cleaningBatch    = 500
)

// Run cleans the store in the background until ctx ends, and then returns nil.
func (s *Server) Run(ctx context.Context) error {
	ticker := time.NewTicker(cleaningInterval)
	defer ticker.Stop()
	for {
		s.clean(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (s *Server) clean(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := s.opts.Store.DeleteExpired(ctx, s.opts.Now(), cleaningBatch)
		if err != nil {
			if ctx.Err() == nil {
				s.opts.Logger.ErrorContext(ctx, "cleaning the store failed; trying again later", "error", err)
			}
			return
		}
		if n < cleaningBatch {
			return
		}
	}
}
