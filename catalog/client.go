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
	// JWKS is the client's public key set as JSON, or JWKSURI where it publishes
	// one; both are empty where it does not sign.
	JWKS    string
	JWKSURI string
	// RequirePushedRequests refuses authorization requests that were not pushed
	// (RFC 9126 §6).
	RequirePushedRequests bool
	// RequireDPoP refuses to issue the client tokens that are not bound to a key
	// (RFC 9449 §5.2).
	RequireDPoP bool
	// Workloads are those that may act as the client by their own assertions, with
	// the jwt-bearer grant.
	Workloads []Workload
}

// Workload names the holder of an assertion of a trusted issuer.
type Workload struct {
	// TrustedIssuer is the name of one in the catalog.
	TrustedIssuer string
	// Subject is the assertion's "sub", byte for byte.
	Subject string
}
