package compiler

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/policy"
)

// Lifetimes of what an MCPServer does not say.
const (
	defaultAccessTokenLifetime = 15 * time.Minute
	minAccessTokenLifetime     = 5 * time.Minute
	maxAccessTokenLifetime     = 60 * time.Minute
	defaultRefreshTokenIdle    = 30 * 24 * time.Hour
	minRefreshTokenIdle        = time.Hour
	maxRefreshTokenIdle        = 365 * 24 * time.Hour
	defaultRefreshTokenMax     = 90 * 24 * time.Hour
	maxRefreshTokenMax         = 5 * 365 * 24 * time.Hour
)

// ServiceURL is where an AuthorizationServer is reached inside the cluster.
func ServiceURL(name types.NamespacedName) string {
	return "http://" + ServiceName(name.Name) + "." + name.Namespace + ".svc"
}

// ServiceName is the name of the Service, the Deployment and the other objects
// made for an AuthorizationServer.
func ServiceName(authorizationServer string) string { return "mcpauth-" + authorizationServer }

func (c *compilation) mcpServers() {
	for _, object := range byAge(c.in.MCPServers) {
		id := identify(KindMCPServer, object)
		a, problems := c.attach(authorizationServerOf(object), object.Namespace)
		problems = append(problems, checkMCPServer(object)...)
		if len(problems) == 0 {
			problems = a.claim(object)
		}
		if c.refuse(id, problems) {
			continue
		}
		c.servers[nameOf(object)] = newServer(a, object)
	}
}

func authorizationServerOf(object *v1alpha1.MCPServer) types.NamespacedName {
	ref := object.Spec.AuthorizationServerRef
	return types.NamespacedName{Namespace: cmp.Or(ref.Namespace, object.Namespace), Name: ref.Name}
}

func resourceIDOf(object *v1alpha1.MCPServer) oauth.ResourceID {
	return oauth.ResourceID(cmp.Or(object.Spec.ResourceID, object.Namespace+"-"+object.Name))
}

func checkMCPServer(object *v1alpha1.MCPServer) []Problem {
	spec := &object.Spec
	var problems []Problem
	if err := oauth.ValidServiceURL(spec.URL); err != nil {
		problems = append(problems, invalid("spec.url", "url %q %s", spec.URL, err))
	}
	if strings.Contains(spec.URL, "/.well-known/") {
		problems = append(problems, invalid("spec.url", "url %q lies below /.well-known/, where metadata is served; choose another path", spec.URL))
	}
	return append(problems, checkLifetimes(spec)...)
}

func checkLifetimes(spec *v1alpha1.MCPServerSpec) []Problem {
	var problems []Problem
	if l := lifetimeOf(spec); l < minAccessTokenLifetime || l > maxAccessTokenLifetime {
		problems = append(problems, invalid("spec.accessTokenLifetime", "accessTokenLifetime %s must be between 5m and 60m", l))
	}
	idle, most := refreshLifetimesOf(spec)
	switch {
	case idle < minRefreshTokenIdle || idle > maxRefreshTokenIdle:
		problems = append(problems, invalid("spec.refreshTokenIdleLifetime", "refreshTokenIdleLifetime %s must be between 1h and 8760h", idle))
	case most < idle || most > maxRefreshTokenMax:
		problems = append(problems, invalid("spec.refreshTokenMaxLifetime", "refreshTokenMaxLifetime %s must be between refreshTokenIdleLifetime, which is %s, and 43800h", most, idle))
	}
	return problems
}

func lifetimeOf(spec *v1alpha1.MCPServerSpec) time.Duration {
	return durationOr(spec.AccessTokenLifetime, defaultAccessTokenLifetime)
}

// refreshLifetimesOf is how long a refresh token lives unused, and how long a
// grant can be refreshed at all.
func refreshLifetimesOf(spec *v1alpha1.MCPServerSpec) (idle, most time.Duration) {
	return durationOr(spec.RefreshTokenIdleLifetime, defaultRefreshTokenIdle), durationOr(spec.RefreshTokenMaxLifetime, defaultRefreshTokenMax)
}

// claim takes the server's URL and id, or says who has them.
func (a *authz) claim(object *v1alpha1.MCPServer) []Problem {
	key, err := oauth.ParseResource(object.Spec.URL)
	if err != nil {
		return []Problem{invalid("spec.url", "url %q: %s", object.Spec.URL, err)}
	}
	if other := a.resources[key]; other != nil {
		return []Problem{conflict("spec.url", "url %s is that of MCPServer %s, which is older; choose another", object.Spec.URL, nameOf(other))}
	}
	id := resourceIDOf(object)
	if other := a.resourceIDs[id]; other != nil {
		return []Problem{conflict("spec.resourceID", "resource id %q is that of MCPServer %s, which is older; set another spec.resourceID", id, nameOf(other))}
	}
	a.resources[key], a.resourceIDs[id] = object, object
	return nil
}

func newServer(a *authz, object *v1alpha1.MCPServer) *server {
	spec := &object.Spec
	id := resourceIDOf(object)
	idle, most := refreshLifetimesOf(spec)
	s := &server{
		object: object,
		authz:  a,
		resource: &catalog.Resource{
			ID: id, URL: spec.URL, DisplayName: cmp.Or(spec.DisplayName, object.Name),
			AccessTokenLifetime: lifetimeOf(spec),
			RefreshTokenIdle:    idle,
			RefreshTokenMax:     most,
			Registration:        serverRegistration(spec.Registration),
			RequireDPoP:         spec.TokenBinding == v1alpha1.TokenBindingDPoPRequired,
			OpenID:              spec.OpenIDConnect == v1alpha1.Enabled,
		},
		scopes: make(map[string]*v1alpha1.Scope),
	}
	s.policy = &policy.Policy{
		Version:             policy.Version,
		Server:              nameOf(object).String(),
		Resource:            spec.URL,
		ResourceName:        s.resource.DisplayName,
		Issuers:             []string{oauth.ResourceIssuer(a.content.Issuer, id), a.content.Issuer},
		Audiences:           s.resource.Audience(),
		JWKSURL:             ServiceURL(nameOf(a.object)) + issuerPath(a.content.Issuer) + "/keys",
		RevocationsURL:      ServiceURL(nameOf(a.object)) + issuerPath(a.content.Issuer) + "/revocations",
		UnmatchedOperations: policy.Unmatched(cmp.Or(spec.UnmatchedOperations, v1alpha1.UnmatchedDeny)),
		AllowedOrigins:      slices.Clone(spec.AllowedOrigins),
		RequireDPoP:         s.resource.RequireDPoP,
	}
	if w := spec.Workload; w != nil {
		s.policy.Upstream = policy.Upstream{Port: w.Port, Path: cmp.Or(w.Path, pathOf(spec.URL)), MessagePath: w.MessagePath}
	}
	enforce(s.policy, spec, a.object.Spec.Sidecars)
	a.content.Resources = append(a.content.Resources, s.resource)
	return s
}

func pathOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Path == "" {
		return "/"
	}
	return u.Path
}

func issuerPath(issuer string) string { return strings.TrimSuffix(pathOf(issuer), "/") }

func (s *server) finish() *Server {
	return &Server{
		ResourceID:          s.resource.ID,
		AuthorizationServer: nameOf(s.authz.object),
		Issuer:              s.policy.Issuers[0],
		MetadataURL:         oauth.WellKnownURL(s.resource.URL, oauth.WellKnownResource),
		Policy:              s.policy,
		Clients:             s.clients,
	}
}
