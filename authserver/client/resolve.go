package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// MaxIDLength bounds a client id that a request may name, in bytes.
const MaxIDLength = 512

// ErrUnknown says that no client has the id.
var ErrUnknown = errors.New("no client has this id")

// Secrets finds the secrets of declared clients, which are not in the catalog.
type Secrets interface {
	// ClientSecrets returns the living secrets of a declared client: two while one
	// replaces the other, none where the client is public or not ready yet.
	ClientSecrets(clientID string) []credential.Hash
}

// Registrations finds clients that registered themselves; a store.Store is one.
type Registrations interface {
	Registration(ctx context.Context, clientID string) (store.Registration, error)
}

// Resolver finds clients under one catalog snapshot. It is safe for concurrent
// use once its fields are set.
type Resolver struct {
	Catalog       *catalog.Catalog
	Registrations Registrations
	Secrets       Secrets
}

// Resolve finds a client by its id. It fails with ErrUnknown; any other error
// is a failure of the store. A declared client always wins, so that nothing in
// the store can stand in for it.
func (r *Resolver) Resolve(ctx context.Context, id string) (*Client, error) {
	if id == "" || len(id) > MaxIDLength {
		return nil, ErrUnknown
	}
	if declared := r.Catalog.Client(id); declared != nil {
		return r.declared(declared), nil
	}
	registration, err := r.Registrations.Registration(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("look up client: %w", err)
	}
	return r.registered(registration), nil
}

func (r *Resolver) declared(c *catalog.Client) *Client {
	return &Client{
		ID: c.ID, Name: c.Name, Declared: true,
		GrantTypes: c.GrantTypes, RedirectURIs: c.RedirectURIs, AuthMethod: c.AuthMethod,
		Scopes:    c.Scopes,
		resources: append([]oauth.ResourceID{}, c.Resources...),
		secrets:   r.Secrets.ClientSecrets(c.ID),
	}
}

// registered applies today's registration policy to what was registered under
// yesterday's: a redirect host that is no longer allowed stops working.
func (r *Resolver) registered(g store.Registration) *Client {
	policy := r.Catalog.Registration()
	client := &Client{
		ID: g.ClientID, Name: g.Name,
		GrantTypes: g.GrantTypes, AuthMethod: g.AuthMethod,
		RedirectURIs: slices.DeleteFunc(slices.Clone(g.RedirectURIs), func(uri string) bool {
			return AllowedRedirect(policy, uri) != nil
		}),
		secrets: []credential.Hash{g.Secret},
	}
	if g.Resource != "" {
		client.resources = []oauth.ResourceID{g.Resource}
	}
	return client
}
