package authserver

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"sync"

	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/identity"
	"github.com/mcpauth/mcpauth/authserver/page"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// view is one catalog snapshot with what the server derives from it. A request
// takes one view and keeps to it.
type view struct {
	*catalog.Catalog

	// base is the issuer without a trailing slash, path its path.
	base, path string
	clients    *client.Resolver
	providers  map[string]provider
	// metadata holds documents by issuer and signing algorithm, made at first use:
	// most resources of a large installation are not asked for between two changes.
	metadata sync.Map
}

// provider is an identity provider ready to sign in; exactly one of password
// and redirect is set.
type provider struct {
	*catalog.IdentityProvider
	password identity.Password
	redirect identity.Redirect
}

// view returns the view of the current catalog, nil while there is none.
func (s *Server) view() (*view, error) {
	current := s.opts.Catalog()
	if current == nil {
		return nil, nil
	}
	if v := s.current.Load(); v != nil && v.Catalog == current {
		return v, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.current.Load()
	if old != nil && old.Catalog == current {
		return old, nil
	}
	v, err := s.newView(current, old)
	if err != nil {
		return nil, err
	}
	s.current.Store(v)
	return v, nil
}

func (s *Server) newView(c *catalog.Catalog, old *view) (*view, error) {
	u, err := url.Parse(c.Issuer())
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the catalog's issuer %q is not a URL", c.Issuer())
	}
	clients, err := s.clients.Resolver(c)
	if err != nil {
		return nil, fmt.Errorf("prepare to look clients up: %w", err)
	}
	v := &view{
		Catalog:   c,
		base:      strings.TrimSuffix(c.Issuer(), "/"),
		path:      strings.TrimSuffix(u.Path, "/"),
		clients:   clients,
		providers: make(map[string]provider, len(c.Providers())),
	}
	for _, p := range c.Providers() {
		v.providers[p.Name] = s.newProvider(p, old)
	}
	return v, nil
}

// newProvider keeps an unchanged provider of the view before, with what it has
// discovered upstream.
func (s *Server) newProvider(p *catalog.IdentityProvider, old *view) provider {
	if old != nil {
		if before, ok := old.providers[p.Name]; ok && reflect.DeepEqual(before.IdentityProvider, p) {
			return before
		}
	}
	made := provider{IdentityProvider: p}
	if p.Static != nil {
		static := identity.NewStatic(p.Name, p.Static)
		static.Now = s.opts.Now
		made.password = static
	} else if p.OIDC != nil {
		secret := func(ctx context.Context) (string, error) { return s.opts.Secrets.ProviderSecret(ctx, p.OIDC) }
		upstream := identity.NewOIDC(p.Name, p.OIDC, secret, s.opts.HTTPClient)
		upstream.Now = s.opts.Now
		made.redirect = upstream
	}
	return made
}

// site is the installation's name on pages.
func (v *view) site() string {
	if v.DisplayName() != "" {
		return v.DisplayName()
	}
	return oauth.RedirectHost(v.Issuer())
}

// pageSite is the installation as pages show it.
func (v *view) pageSite() page.Site { return page.Site{Name: v.site(), Logo: v.Logo()} }

// url is the absolute URL of one of the server's own pages.
func (v *view) url(path string) string { return v.base + path }

// issuer is who answers a request: the server itself, or the server as the
// issuer of one resource.
type issuer struct {
	*view
	// resource is nil at the root issuer.
	resource *catalog.Resource
}

// String is the "iss" of everything that is issued here.
func (i issuer) String() string {
	if i.resource == nil {
		return i.Issuer()
	}
	return oauth.ResourceIssuer(i.Issuer(), i.resource.ID)
}

// endpoint is the absolute URL of one of the issuer's endpoints.
func (i issuer) endpoint(path string) string { return strings.TrimSuffix(i.String(), "/") + path }

// assertionAudiences are those that a client's assertion may name at an endpoint.
func (i issuer) assertionAudiences(path string) client.Audiences {
	return client.Audiences{Issuer: i.String(), Endpoint: i.endpoint(path), TokenEndpoint: i.endpoint("/oauth/token")}
}

// resourceID is what a journey remembers of its issuer; empty at the root.
func (i issuer) resourceID() oauth.ResourceID {
	if i.resource == nil {
		return ""
	}
	return i.resource.ID
}

// issuer finds the issuer of a resource, or the root's for an empty id.
func (v *view) issuer(id oauth.ResourceID) (issuer, bool) {
	if id == "" {
		return issuer{view: v}, true
	}
	resource := v.Resource(id)
	return issuer{view: v, resource: resource}, resource != nil
}
