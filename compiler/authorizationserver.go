package compiler

import (
	"net/netip"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

func (c *compilation) authorizationServers() {
	issuers := make(map[oauth.ResourceKey]*v1alpha1.AuthorizationServer)
	for _, object := range byAge(c.in.AuthorizationServers) {
		id := identify(KindAuthorizationServer, object)
		if c.refuse(id, checkAuthorizationServer(object, issuers)) {
			continue
		}
		key, _ := oauth.ParseResource(object.Spec.Issuer)
		issuers[key] = object
		c.authz[nameOf(object)] = &authz{
			object: object,
			content: catalog.Content{
				Issuer:         object.Spec.Issuer,
				DisplayName:    object.Spec.DisplayName,
				Registration:   registration(object.Spec.Registration),
				TrustedProxies: trustedProxies(object.Spec.TrustedProxies),
			},
			resourceIDs: make(map[oauth.ResourceID]*v1alpha1.MCPServer),
			resources:   make(map[oauth.ResourceKey]*v1alpha1.MCPServer),
			clientIDs:   make(map[string]*v1alpha1.OAuthClient),
		}
	}
}

func checkAuthorizationServer(object *v1alpha1.AuthorizationServer, issuers map[oauth.ResourceKey]*v1alpha1.AuthorizationServer) []Problem {
	spec := &object.Spec
	if err := oauth.ValidServiceURL(spec.Issuer); err != nil {
		return []Problem{invalid("spec.issuer", "issuer %q %s", spec.Issuer, err)}
	}
	if strings.HasSuffix(spec.Issuer, "/") {
		return []Problem{invalid("spec.issuer", "issuer %q must not end in a slash: clients compare it byte for byte", spec.Issuer)}
	}
	key, err := oauth.ParseResource(spec.Issuer)
	if err != nil {
		return []Problem{invalid("spec.issuer", "issuer %q: %s", spec.Issuer, err)}
	}
	if other := issuers[key]; other != nil {
		return []Problem{conflict("spec.issuer", "issuer %s is that of AuthorizationServer %s, which is older; choose another", spec.Issuer, nameOf(other))}
	}
	if allowed := spec.AllowedNamespaces; allowed != nil && allowed.Selector != nil {
		if _, err := metav1.LabelSelectorAsSelector(allowed.Selector); err != nil {
			return []Problem{invalid("spec.allowedNamespaces.selector", "the namespace selector is malformed: %s", err)}
		}
	}
	for _, network := range spec.TrustedProxies {
		if _, err := netip.ParsePrefix(network); err != nil {
			return []Problem{invalid("spec.trustedProxies", "%q is not a network in CIDR notation, such as 10.0.0.0/8", network)}
		}
	}
	return nil
}

// trustedProxies reads networks that checkAuthorizationServer has checked.
func trustedProxies(networks []string) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, network := range networks {
		if prefix, err := netip.ParsePrefix(network); err == nil {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

func registration(spec *v1alpha1.Registration) catalog.Registration {
	if spec == nil {
		return catalog.Registration{Dynamic: true}
	}
	return catalog.Registration{
		Dynamic:       spec.Dynamic != v1alpha1.Disabled,
		RedirectHosts: slices.Clone(spec.AllowedRedirectHosts),
	}
}

// allows reports whether MCPServers of the namespace may attach.
func (c *compilation) allows(a *authz, namespace string) bool {
	if namespace == a.object.Namespace {
		return true
	}
	allowed := a.object.Spec.AllowedNamespaces
	if allowed == nil {
		return false
	}
	switch allowed.From {
	case v1alpha1.NamespacesAll:
		return true
	case v1alpha1.NamespacesSelector:
		selector, err := metav1.LabelSelectorAsSelector(allowed.Selector)
		found := c.namespaces[namespace]
		return err == nil && found != nil && selector.Matches(labels.Set(found.Labels))
	default:
		return false
	}
}

// attach finds the AuthorizationServer that a reference names and the referrer
// may use.
func (c *compilation) attach(ref types.NamespacedName, from string) (*authz, []Problem) {
	const field = "spec.authorizationServerRef"
	a := c.authz[ref]
	if a == nil {
		if c.exists(ref) {
			return nil, []Problem{unresolved(v1alpha1.ReasonInvalid, field, "AuthorizationServer %s is not accepted; its own status says why", ref)}
		}
		return nil, []Problem{unresolved(v1alpha1.ReasonNotFound, field, "AuthorizationServer %s does not exist; create it or correct authorizationServerRef", ref)}
	}
	if !c.allows(a, from) {
		return nil, []Problem{unresolved(v1alpha1.ReasonNotPermitted, field,
			"AuthorizationServer %s does not allow MCPServers from namespace %q; its owner can add the namespace to spec.allowedNamespaces", ref, from)}
	}
	return a, nil
}

func (c *compilation) exists(ref types.NamespacedName) bool {
	return slices.ContainsFunc(c.in.AuthorizationServers, func(a *v1alpha1.AuthorizationServer) bool { return nameOf(a) == ref })
}
