package compiler

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// What an AuthorizationServer does not say.
const (
	defaultSessionLifetime = 12 * time.Hour
	maxSessionLifetime     = 30 * 24 * time.Hour
)

func (c *compilation) authorizationServers() {
	issuers := make(map[oauth.ResourceKey]*v1alpha1.AuthorizationServer)
	for _, object := range byAge(c.in.AuthorizationServers) {
		id := identify(KindAuthorizationServer, object)
		problems := checkAuthorizationServer(object, issuers)
		trusted, more := c.trustedIssuers(object)
		if c.refuse(id, append(problems, more...)) {
			continue
		}
		key, _ := oauth.ParseResource(object.Spec.Issuer)
		issuers[key] = object
		c.authz[nameOf(object)] = &authz{
			object: object,
			content: catalog.Content{
				Issuer:           object.Spec.Issuer,
				DisplayName:      object.Spec.DisplayName,
				Logo:             object.Spec.Logo,
				Registration:     registration(object.Spec.Registration),
				SessionLifetime:  durationOr(object.Spec.SessionLifetime, defaultSessionLifetime),
				StrictAssertions: object.Spec.StrictAssertionAudience,
				Outbound:         outbound(object.Spec.Outbound),
				TrustedIssuers:   trusted,
				TrustedProxies:   trustedProxies(object.Spec.TrustedProxies),
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
	return slices.Concat(checkSignIn(spec), checkOutbound(spec.Outbound), checkRegistration(spec.Registration))
}

func checkSignIn(spec *v1alpha1.AuthorizationServerSpec) []Problem {
	var problems []Problem
	if l := durationOr(spec.SessionLifetime, defaultSessionLifetime); l < 0 || l > maxSessionLifetime {
		problems = append(problems, invalid("spec.sessionLifetime", "sessionLifetime %s must be between 0s and 720h", l))
	}
	// The schema has checked what stands before the comma.
	if _, data, _ := strings.Cut(spec.Logo, ","); spec.Logo != "" {
		if content, err := base64.StdEncoding.DecodeString(data); err != nil || len(content) == 0 {
			problems = append(problems, invalid("spec.logo", "logo is not a data URI in base64; make it with: base64 -w0 FILE"))
		}
	}
	return problems
}

func checkOutbound(spec *v1alpha1.Outbound) []Problem {
	if spec == nil || spec.CABundle == "" {
		return nil
	}
	if err := checkCertificates(spec.CABundle); err != nil {
		return []Problem{invalid("spec.outbound.caBundle", "caBundle %s", err)}
	}
	return nil
}

// checkCertificates says why text is not one certificate in PEM after the other,
// in words that fit behind its name. They quote nothing.
func checkCertificates(text string) error {
	rest, count := []byte(text), 0
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return errors.New("holds something that is no certificate; keep nothing else in it, private keys least of all")
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return errors.New("holds a certificate that cannot be read")
		}
		count++
	}
	if count == 0 || strings.TrimSpace(string(rest)) != "" {
		return errors.New("must hold certificates in PEM, one after the other")
	}
	return nil
}

func outbound(spec *v1alpha1.Outbound) catalog.Outbound {
	if spec == nil {
		return catalog.Outbound{}
	}
	return catalog.Outbound{PrivateHosts: slices.Clone(spec.PrivateHosts), CABundle: spec.CABundle}
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
