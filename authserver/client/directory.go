package client

import (
	"context"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/authserver/assertion"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/oauth/outbound"
)

// Bounds on metadata documents
// (draft-ietf-oauth-client-id-metadata-document-02 §5 and §6).
const (
	maxDocument    = 5 << 10 // bytes
	keptDocuments  = 1000
	minDocumentAge = time.Minute
	maxDocumentAge = 24 * time.Hour
	// usualDocumentAge is that of a document that does not say.
	usualDocumentAge = 10 * time.Minute
	// maxDocumentStale is for how long a document serves on while its host is away.
	maxDocumentStale = 24 * time.Hour
	// documentEvery and documentBurst bound how many documents strangers can have us
	// fetch, whichever they are.
	documentEvery = time.Second
	documentBurst = 60
)

// How many key sets are kept.
const (
	strangersKeySets = 500
	trustedKeySets   = 2000
)

// Secrets finds the secrets of declared clients, which are not in the catalog.
type Secrets interface {
	// ClientSecrets returns the living secrets of a declared client: two while one
	// replaces the other, none where the client is public or not ready yet.
	ClientSecrets(clientID string) []credential.Hash
}

// Registrations finds clients that registered themselves; a store.Store is one.
type Registrations interface {
	// Registration fails with store.ErrNotFound.
	Registration(ctx context.Context, clientID string, now time.Time) (store.Registration, error)
}

// Once remembers what may be used once, over all replicas; a store.Store is one.
type Once interface {
	UseOnce(ctx context.Context, key credential.Hash, expires time.Time) (bool, error)
}

// DirectoryOptions say what a Directory works with. All but Now, Logger, DNS and
// Throttle are required.
type DirectoryOptions struct {
	Registrations Registrations
	Once          Once
	Secrets       Secrets
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger is told when keys cannot be fetched; nil means silence.
	Logger *slog.Logger
	// DNS looks up the names that strangers wrote; nil means the system's.
	DNS *net.Resolver
	// Throttle bounds what one stranger can cause; nil lets everybody.
	Throttle Throttle
}

// Throttle says why a caller may cause no more for now, or nil. The context is the
// request's; the errors are the answer to it.
type Throttle interface {
	// Fetch is asked before a metadata document is fetched for the first time.
	Fetch(ctx context.Context) error
	// Assert is asked before an assertion of a client that nobody declared is
	// remembered.
	Assert(ctx context.Context, clientID string) error
}

// Directory knows clients for as long as the server lives, with what it fetched of
// them. It is safe for concurrent use and runs nothing in the background.
type Directory struct {
	options DirectoryOptions

	mu sync.Mutex // held to replace fetched
	// fetched is nil before the first Resolver.
	fetched atomic.Pointer[fetched]
}

// fetched is what came from outside, under one catalog.Outbound.
type fetched struct {
	allowed   catalog.Outbound
	outbound  *outbound.Client
	documents *outbound.Cache[*document]
	// trusted holds key sets that operators named, strangers those that clients
	// named themselves: what the latter are many of takes no place from the former.
	trusted, strangers *assertion.KeySets
}

// NewDirectory makes a Directory that has fetched nothing yet.
func NewDirectory(o DirectoryOptions) *Directory {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Directory{options: o}
}

// Resolver is the directory under one catalog. What was fetched is kept as long as
// catalogs allow the same to be fetched. It fails where the catalog's CA bundle
// cannot be read.
func (d *Directory) Resolver(c *catalog.Catalog) (*Resolver, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	current := d.fetched.Load()
	if current == nil || !reflect.DeepEqual(current.allowed, c.Outbound()) {
		fresh, err := d.newFetched(c.Outbound())
		if err != nil {
			return nil, err
		}
		d.fetched.Store(fresh)
		current = fresh
	}
	return &Resolver{options: d.options, catalog: c, fetched: current}, nil
}

func (d *Directory) newFetched(allowed catalog.Outbound) (*fetched, error) {
	out, err := outbound.New(outbound.Options{
		PrivateHosts: allowed.PrivateHosts, CABundle: allowed.CABundle, Resolver: d.options.DNS,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare to fetch what clients name: %w", err)
	}
	f := &fetched{allowed: allowed, outbound: out}
	f.documents = outbound.NewCache(outbound.CacheOptions{
		Size: keptDocuments, MinAge: minDocumentAge, MaxAge: maxDocumentAge, MaxStale: maxDocumentStale,
		Every: documentEvery, Burst: documentBurst, Now: d.options.Now,
	}, f.fetchDocument)
	keys := assertion.KeySetsOptions{Outbound: out, Size: trustedKeySets, Logger: d.options.Logger, Now: d.options.Now}
	f.trusted = assertion.NewKeySets(keys)
	keys.Size = strangersKeySets
	f.strangers = assertion.NewKeySets(keys)
	return f, nil
}

func (f *fetched) fetchDocument(ctx context.Context, id string) (*document, time.Duration, error) {
	response, err := f.outbound.Get(ctx, id, "application/json", maxDocument)
	if err != nil {
		return nil, 0, err
	}
	media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
		return nil, 0, fault("its Content-Type is not application/json")
	}
	parsed, err := parseDocument(id, response.Body, f.outbound.Check)
	return parsed, outbound.MaxAge(response.Header, usualDocumentAge), err
}

// keys are those of a client that signs.
func keys(sets *assertion.KeySets, written, uri string) assertion.Keys {
	if uri != "" {
		return sets.Published(uri)
	}
	return sets.Written(written)
}

// TrustedKeys are the keys of a trusted issuer, by the latest Resolver's catalog.
// Those of the cluster that the server runs in are not to be had here.
func (d *Directory) TrustedKeys(t *catalog.TrustedIssuer) assertion.Keys {
	f := d.fetched.Load()
	switch {
	case f == nil || t.Cluster:
		return unavailable{}
	case t.JWKS == "" && t.JWKSURI == "":
		return f.trusted.Discovered(t.Issuer)
	}
	return keys(f.trusted, t.JWKS, t.JWKSURI)
}

// unavailable are keys that nobody told us where to find.
type unavailable struct{}

// Candidates implements assertion.Keys.
func (unavailable) Candidates(context.Context, string, string) ([]jose.JSONWebKey, error) {
	return nil, assertion.ErrKeysUnavailable
}
