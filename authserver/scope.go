package authserver

import (
	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// identityScopes are those of OpenID Connect that a resource may offer beside its
// own. They are about the user and open nothing at the resource.
func identityScopes(resource *catalog.Resource) oauth.ScopeSet {
	if !resource.OpenID {
		return oauth.ScopeSet{}
	}
	return oauth.NewScopeSet(oauth.ScopeOpenID, oauth.ScopeEmail)
}

// offeredScopes is everything that a resource can grant.
func offeredScopes(resource *catalog.Resource) oauth.ScopeSet {
	return resource.ScopeNames().Union(identityScopes(resource))
}

// requestedScope is what a request asks for, as far as resources and client allow
// it. Scopes that no resource has are dropped, because deployed clients ask every
// server for "openid"; a request that names nothing we know asks for the defaults of
// every resource. It fails with invalid_scope where nothing is left, unless the
// resources have no scopes at all: their tokens carry none.
func requestedScope(resources []*catalog.Resource, c *client.Client, requested oauth.ScopeSet) (oauth.ScopeSet, error) {
	var scope, defaults, identity, known oauth.ScopeSet
	for _, resource := range resources {
		scope = scope.Union(c.Limit(requested.Intersect(resource.ScopeNames())))
		defaults, known = defaults.Union(c.Limit(resource.DefaultScopes())), known.Union(resource.ScopeNames())
		identity = identity.Union(requested.Intersect(identityScopes(resource)))
	}
	if scope.Empty() {
		scope = defaults
	}
	for _, resource := range resources {
		if len(resource.Scopes) > 0 && !scope.Empty() && scope.Intersect(resource.ScopeNames()).Empty() {
			return oauth.ScopeSet{}, oauth.Errorf(oauth.InvalidScope, "the request names no scope of %s; there are: %s", resource.URL, resource.ScopeNames())
		}
	}
	if scope.Empty() && !known.Empty() {
		return oauth.ScopeSet{}, oauth.Errorf(oauth.InvalidScope, "none of the requested scopes can be granted to this client; there are: %s", known)
	}
	return scope.Union(identity), nil
}

// grantableScope keeps the scopes that the grantee may be granted and that the
// resources still have. Every grant passes through it whenever it issues a token.
func grantableScope(resources []*catalog.Resource, scope oauth.ScopeSet, g catalog.Grantee) oauth.ScopeSet {
	var kept []string
	for _, name := range scope.Names() {
		for _, resource := range resources {
			if grantable(resource, name, g) {
				kept = append(kept, name)
				break
			}
		}
	}
	return oauth.NewScopeSet(kept...)
}

func grantable(resource *catalog.Resource, name string, g catalog.Grantee) bool {
	if s := resource.Scope(name); s != nil {
		return s.GrantableTo(g)
	}
	return identityScopes(resource).Has(name) && g.Provider != ""
}

// refusesAll reports whether the rules leave nothing of what resources with scopes
// could have granted.
func refusesAll(resources []*catalog.Resource, granted oauth.ScopeSet) bool {
	var known oauth.ScopeSet
	for _, resource := range resources {
		known = known.Union(resource.ScopeNames())
	}
	return !known.Empty() && granted.Intersect(known).Empty()
}

// grantee is whoever would hold a token: the user, or without one the client.
func grantee(user *store.User, clientID, grantType string) catalog.Grantee {
	g := catalog.Grantee{Subject: clientID, ClientID: clientID, GrantType: grantType}
	if user != nil {
		g.Subject, g.Email, g.Groups = user.Subject, user.Email, user.Groups
		g.Organization, g.Provider = user.Organization, user.Provider
	}
	return g
}
