package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// MaxIDLength bounds a client id that a request may name, in bytes.
const MaxIDLength = 512

var (
	// ErrUnknown says that no client has the id.
	ErrUnknown = errors.New("no client has this id")
	// ErrBlocked says that operators refuse the client. It is an ErrUnknown.
	ErrBlocked = fmt.Errorf("%w: operators blocked it", ErrUnknown)
)

// Resolver finds clients under one catalog snapshot. It is safe for concurrent
// use.
type Resolver struct {
	options DirectoryOptions
	catalog *catalog.Catalog
	fetched *fetched
}

// Resolve finds a client by its id. It fails with ErrUnknown, which ErrBlocked is
// too, with a *DocumentError, or with Throttle's; any other error is a failure of
// the store. A
// declared client always wins, so that nothing in the store and no document can
// stand in for it.
func (r *Resolver) Resolve(ctx context.Context, id string) (*Client, error) {
	if id == "" || len(id) > MaxIDLength {
		return nil, ErrUnknown
	}
	if r.catalog.Registration().Blocks(id) {
		return nil, ErrBlocked
	}
	if declared := r.catalog.Client(id); declared != nil {
		return r.declared(declared), nil
	}
	if IsDocumentID(id) {
		return r.document(ctx, id)
	}
	if !r.catalog.Registration().Dynamic {
		return nil, ErrUnknown // as where documents are not taken: who may not come may not stay
	}
	registration, err := r.options.Registrations.Registration(ctx, id, r.options.Now())
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("look up client: %w", err)
	}
	return r.registered(registration), nil
}

func (r *Resolver) declared(c *catalog.Client) *Client {
	client := &Client{
		ID: c.ID, Name: c.Name, Origin: Declared,
		GrantTypes: c.GrantTypes, RedirectURIs: c.RedirectURIs, AuthMethod: c.AuthMethod,
		Scopes:                c.Scopes,
		RequirePushedRequests: c.RequirePushedRequests, RequireDPoP: c.RequireDPoP,
		Workloads: c.Workloads,
		resources: append([]oauth.ResourceID{}, c.Resources...),
		secrets:   r.options.Secrets.ClientSecrets(c.ID),
	}
	if c.AuthMethod == oauth.AuthMethodPrivateKeyJWT {
		client.keys = keys(r.fetched.trusted, c.JWKS, c.JWKSURI)
	}
	return client
}

// registered applies today's registration policy to what was registered under
// yesterday's: a redirect host that is no longer allowed stops working.
func (r *Resolver) registered(g store.Registration) *Client {
	client := &Client{
		ID: g.ClientID, Name: g.Name, Origin: Registered,
		GrantTypes: g.GrantTypes, AuthMethod: g.AuthMethod,
		RedirectURIs:          allowedRedirects(r.catalog.Registration(), g.RedirectURIs),
		RequirePushedRequests: g.RequirePushedRequests, RequireDPoP: g.RequireDPoP,
		secrets: []credential.Hash{g.Secret},
	}
	if g.Resource != "" {
		client.resources = []oauth.ResourceID{g.Resource}
	}
	if g.AuthMethod == oauth.AuthMethodPrivateKeyJWT {
		client.keys = keys(r.fetched.strangers, g.JWKS, g.JWKSURI)
	}
	return client
}

// document finds the client whose id is the URL of its metadata.
func (r *Resolver) document(ctx context.Context, id string) (*Client, error) {
	policy := r.catalog.Registration()
	if !policy.MetadataDocuments {
		return nil, ErrUnknown
	}
	if err := ValidDocumentID(id); err != nil {
		return nil, &DocumentError{ID: id, Reason: err.Error() + askPublisher}
	}
	host := documentHost(id)
	if !policy.AllowsDocumentHost(host) {
		return nil, &DocumentError{ID: id, Reason: "this server serves no apps of its host" + askOperators}
	}
	d, err := r.documentAt(ctx, id)
	var refused *oauth.Error
	if errors.As(err, &refused) {
		return nil, refused
	}
	if err != nil {
		return nil, newDocumentError(id, err)
	}
	redirects := allowedRedirects(policy, d.redirectURIs)
	if len(redirects) == 0 {
		return nil, &DocumentError{ID: id, Reason: "this server sends users to none of its redirect_uris" + askOperators}
	}
	client := &Client{
		ID: id, Name: cmp.Or(d.name, host), Origin: Document, Host: host, URI: d.uri,
		GrantTypes: d.grantTypes, RedirectURIs: redirects, AuthMethod: d.authMethod,
		RequirePushedRequests: d.requirePushed, RequireDPoP: d.requireDPoP,
	}
	if d.authMethod == oauth.AuthMethodPrivateKeyJWT {
		client.keys = keys(r.fetched.strangers, d.keys, d.keysURI)
	}
	return client, nil
}

// documentAt reads what operators pinned, which is never fetched.
func (r *Resolver) documentAt(ctx context.Context, id string) (*document, error) {
	if text, pinned := r.catalog.Registration().Documents[id]; pinned {
		return parseDocument(id, []byte(text), r.fetched.outbound.Check)
	}
	// What would not be dialled costs nobody else a fetch.
	if err := r.fetched.outbound.Check(id); err != nil {
		return nil, err
	}
	// A document that is known is fetched again once for everybody, whoever asks.
	if r.options.Throttle != nil && !r.fetched.documents.Known(id) {
		if err := r.options.Throttle.Fetch(ctx); err != nil {
			return nil, err
		}
	}
	return r.fetched.documents.Get(ctx, id)
}
