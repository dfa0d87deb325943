package client

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// Client is an OAuth client, wherever it was registered. It is immutable.
type Client struct {
	ID   string
	Name string
	// Declared says that somebody who runs this installation registered it; the
	// name of any other client is its own claim.
	Declared     bool
	GrantTypes   []string
	RedirectURIs []string
	// AuthMethod is the one way in which the client may authenticate.
	AuthMethod string
	// Scopes limits what the client may be granted; empty means every scope.
	Scopes oauth.ScopeSet

	// resources are those that the client may reach; nil means all.
	resources []oauth.ResourceID
	secrets   []credential.Hash
}

// Confidential reports whether the client has to prove who it is.
func (c *Client) Confidential() bool { return c.AuthMethod != oauth.AuthMethodNone }

// MayUse reports whether the client registered for the grant type.
func (c *Client) MayUse(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// MayReach reports whether the client is for the resource.
func (c *Client) MayReach(id oauth.ResourceID) bool {
	return c.resources == nil || slices.Contains(c.resources, id)
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

// AllowedRedirect says why a client that registered itself may not have users
// sent to uri under the policy, or nil. The list of hosts concerns https; a
// loopback or private-use redirect stays on the user's own machine.
func AllowedRedirect(policy catalog.Registration, uri string) error {
	if err := oauth.ValidRedirectURI(uri); err != nil {
		return err
	}
	u, err := url.Parse(uri)
	if err != nil {
		return fmt.Errorf("it is not a URL: %w", err)
	}
	if u.Scheme != "https" || len(policy.RedirectHosts) == 0 {
		return nil
	}
	host := strings.ToLower(u.Hostname())
	if !slices.ContainsFunc(policy.RedirectHosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return errRedirectHostForbidden
	}
	return nil
}
