package client

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/mcpauth/mcpauth/authserver/assertion"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// Origin is where a client comes from.
type Origin int

// The origins of clients.
const (
	// Declared clients were registered by somebody who runs this installation.
	Declared Origin = iota + 1
	// Registered clients registered themselves.
	Registered
	// Document clients are who a URL says.
	Document
)

// Client is an OAuth client, wherever it comes from. It is immutable.
type Client struct {
	ID string
	// Name is what the client is called. Only that of a declared one is more than
	// its own claim.
	Name   string
	Origin Origin
	// Host is the host of a Document's URL, which alone is proven of it and what
	// consent shows; empty otherwise.
	Host string
	// URI is a Document's page about itself, an https URL on its own host, for
	// display alone; empty where it has none.
	URI          string
	GrantTypes   []string
	RedirectURIs []string
	// AuthMethod is the one way in which the client may authenticate.
	AuthMethod string
	// Scopes limits what the client may be granted; empty means every scope.
	Scopes oauth.ScopeSet
	// RequirePushedRequests refuses its authorization requests unless they were
	// pushed (RFC 9126 §6), and RequireDPoP refuses it tokens that are not bound to a
	// key (RFC 9449 §5.2).
	RequirePushedRequests bool
	RequireDPoP           bool
	// Workloads are those that may act as a declared client by their assertions.
	Workloads []catalog.Workload

	// resources are those that the client may reach; nil means all.
	resources []oauth.ResourceID
	secrets   []credential.Hash
	// keys are those that the client signs with; nil where it does not.
	keys assertion.Keys
}

// Declared reports whether somebody who runs this installation registered the
// client.
func (c *Client) Declared() bool { return c.Origin == Declared }

// Confidential reports whether the client has to prove who it is.
func (c *Client) Confidential() bool { return c.AuthMethod != oauth.AuthMethodNone }

// MayUse reports whether the client registered for the grant type.
func (c *Client) MayUse(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// MayReach reports whether the client is for the resource, and the resource for
// clients of its origin.
func (c *Client) MayReach(resource *catalog.Resource) bool {
	if c.resources != nil && !slices.Contains(c.resources, resource.ID) {
		return false
	}
	policy := resource.Registration
	switch {
	case policy == nil:
		return true
	case policy.Blocks(c.ID):
		return false
	case c.Origin == Registered:
		return policy.Dynamic
	case c.Origin == Document:
		return policy.MetadataDocuments && policy.AllowsDocumentHost(c.Host)
	}
	return true
}

// MayRedirect reports whether the resource lets the client have users sent to uri,
// which is one of its own. What somebody declared, nothing limits.
func (c *Client) MayRedirect(resource *catalog.Resource, uri string) bool {
	return c.Declared() || resource.Registration == nil || AllowedRedirect(resource.Registration, uri) == nil
}

// Limit keeps the scopes that the client may be granted at all.
func (c *Client) Limit(scope oauth.ScopeSet) oauth.ScopeSet {
	if c.Scopes.Empty() {
		return scope
	}
	return scope.Intersect(c.Scopes)
}

// Errors of RedirectURI. Their text is for the error page.
var (
	ErrNoRedirectURI         = errors.New("the request names no redirect_uri and the client has not registered exactly one")
	ErrUnregisteredRedirect  = errors.New("the redirect_uri is not one that the client registered")
	errRedirectHostForbidden = errors.New("its host is not one that this server sends users to")
)

// RedirectURI is where the answer to an authorization request goes: requested
// itself if the client registered it, or its only registered one if requested
// is empty (OAuth 2.1 §2.3).
func (c *Client) RedirectURI(requested string) (string, error) {
	if requested == "" {
		if len(c.RedirectURIs) != 1 {
			return "", ErrNoRedirectURI
		}
		return c.RedirectURIs[0], nil
	}
	for _, registered := range c.RedirectURIs {
		if oauth.MatchRedirectURI(registered, requested) {
			return requested, nil
		}
	}
	return "", ErrUnregisteredRedirect
}

// AllowedRedirect says why a client that nobody declared may not have users sent
// to uri under the policy, or nil. The list of hosts concerns https; a loopback or
// private-use redirect stays on the user's own machine.
func AllowedRedirect(policy *catalog.Registration, uri string) error {
	if err := oauth.ValidRedirectURI(uri); err != nil {
		return err
	}
	u, err := url.Parse(uri)
	if err != nil {
		return fmt.Errorf("it is not a URL: %w", err)
	}
	if u.Scheme == "https" && !policy.AllowsRedirectHost(u.Hostname()) {
		return errRedirectHostForbidden
	}
	return nil
}

// allowedRedirects keeps what today's policy allows of what was registered under
// yesterday's, or by somebody who does not know it.
func allowedRedirects(policy *catalog.Registration, uris []string) []string {
	return slices.DeleteFunc(slices.Clone(uris), func(uri string) bool { return AllowedRedirect(policy, uri) != nil })
}
