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
	// Groups limits the scope to users who are in one of these; empty means every
	// user. Clients that act for themselves belong to no group.
	Groups []string
}

// GrantableTo reports whether a user with these groups may be granted the scope.
func (s *Scope) GrantableTo(groups []string) bool {
	return len(s.Groups) == 0 || slices.ContainsFunc(s.Groups, func(g string) bool { return slices.Contains(groups, g) })
}
