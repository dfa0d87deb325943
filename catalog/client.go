package catalog

import (
	"github.com/mcpauth/mcpauth/oauth"
)

// Client is an OAuth client that was registered beforehand, by an OAuthClient.
type Client struct {
	ID string
	// Name is what the consent page calls it; never empty.
	Name string
	// Resources are those that the client may reach.
	Resources    []oauth.ResourceID
	GrantTypes   []string
	RedirectURIs []string
	// AuthMethod is the one way in which the client may authenticate.
	AuthMethod string
	// Scopes limits what the client may be granted; empty means every scope of
	// its resources.
	Scopes oauth.ScopeSet
}
