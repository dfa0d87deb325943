package authserver

import (
	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// requestedScope is what a request asks for, as far as resource and client allow
// it. Scopes that the resource does not have are dropped, because deployed
// clients ask every server for "openid"; a request that names nothing we know
// asks for the defaults. It fails with invalid_scope where nothing is left,
// unless the resource has no scopes at all: its tokens carry none.
func requestedScope(resource *catalog.Resource, c *client.Client, requested oauth.ScopeSet) (oauth.ScopeSet, error) {
	if len(resource.Scopes) == 0 {
		return oauth.ScopeSet{}, nil
	}
	scope := c.Limit(requested.Intersect(resource.ScopeNames()))
	if scope.Empty() {
		scope = c.Limit(resource.DefaultScopes())
	}
	if scope.Empty() {
		return oauth.ScopeSet{}, oauth.Errorf(oauth.InvalidScope, "none of the requested scopes can be granted to this client; the resource has: %s",
			resource.ScopeNames())
	}
	return scope, nil
}

// grantableScope keeps the scopes that somebody in these groups may be granted
// and that the resource still has. Every grant passes through it whenever it
// issues a token.
func grantableScope(resource *catalog.Resource, scope oauth.ScopeSet, groups []string) oauth.ScopeSet {
	var kept []string
	for _, name := range scope.Names() {
		if s := resource.Scope(name); s != nil && s.GrantableTo(groups) {
			kept = append(kept, name)
		}
	}
	return oauth.NewScopeSet(kept...)
}

// refusesAll reports whether groups leave nothing of a scope that was not empty.
func refusesAll(resource *catalog.Resource, granted oauth.ScopeSet) bool {
	return len(resource.Scopes) > 0 && granted.Empty()
}
