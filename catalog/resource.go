package catalog

import (
	"slices"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
)

// Resource is one protected MCP server as the authorization server knows it.
type Resource struct {
	ID oauth.ResourceID
	// URL is the resource identifier that users type, byte for byte.
	URL string
	// DisplayName is what the consent page calls it; never empty.
	DisplayName string
	// Scopes are ordered by name.
	Scopes []*Scope
	// AccessTokenLifetime is between 5 and 60 minutes.
	AccessTokenLifetime time.Duration
	// RefreshTokenIdle is how long an unused refresh token lives, and
	// RefreshTokenMax how long a grant can be refreshed at all.
	RefreshTokenIdle time.Duration
	RefreshTokenMax  time.Duration
	// Registration narrows, for this resource, which unknown clients may come; nil
	// leaves it at what the authorization server says.
	Registration *Registration
	// RequireDPoP refuses tokens that are not bound to a key (RFC 9449).
	RequireDPoP bool
	// OpenID offers "openid" and "email": a client that is granted openid gets an
	// ID token.
	OpenID bool
}

// Audience is the "aud" of the resource's tokens: its URL and its id, since
// validating libraries in the field compare one or the other.
func (r *Resource) Audience() []string { return []string{r.URL, string(r.ID)} }

// Scope finds one of the resource's scopes by name, or nil.
func (r *Resource) Scope(name string) *Scope {
	i := slices.IndexFunc(r.Scopes, func(s *Scope) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return r.Scopes[i]
}

// ScopeNames is the set of all the resource's scopes.
func (r *Resource) ScopeNames() oauth.ScopeSet {
	names := make([]string, 0, len(r.Scopes))
	for _, scope := range r.Scopes {
		names = append(names, scope.Name)
	}
	return oauth.NewScopeSet(names...)
}

// DefaultScopes is what a request that names no scope asks for.
func (r *Resource) DefaultScopes() oauth.ScopeSet {
	var names []string
	for _, scope := range r.Scopes {
		if scope.Default {
			names = append(names, scope.Name)
		}
	}
	return oauth.NewScopeSet(names...)
}

// Scope is a permission on one resource.
type Scope struct {
	Name string
	// Description is what the consent page says; never empty.
	Description string
	// Default scopes are granted to requests that name none.
	Default bool
	// Groups limits the scope to those who are in one of these; empty means
	// everybody. Clients that act for themselves belong to no group.
	Groups []string
	// Organizations limits the scope to members of one of these; empty means
	// everybody.
	Organizations []string
	// Condition is a further rule over whoever would hold the token; nil means none.
	// It is safe for concurrent use, and a rule that fails refuses.
	Condition func(Grantee) bool
}

// Grantee is whoever would hold a token with a scope: a user through a client, or
// a client that acts for itself.
type Grantee struct {
	// Subject is the token's; Email, Groups, Organization and Provider describe a
	// user and are empty for clients.
	Subject      string
	Email        string
	Groups       []string
	Organization string
	// Provider is the identity provider or trusted issuer that vouched.
	Provider string
	// ClientID is the client that asks, and GrantType how.
	ClientID  string
	GrantType string
}

// GrantableTo reports whether the grantee may be granted the scope. All of the
// scope's rules must hold.
func (s *Scope) GrantableTo(g Grantee) bool {
	inGroup := func(group string) bool { return slices.Contains(g.Groups, group) }
	switch {
	case len(s.Groups) > 0 && !slices.ContainsFunc(s.Groups, inGroup):
		return false
	case len(s.Organizations) > 0 && (g.Organization == "" || !slices.Contains(s.Organizations, g.Organization)):
		return false
	}
	return s.Condition == nil || s.Condition(g)
}
