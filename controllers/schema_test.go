package controllers

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// Nothing is stored here: every object is sent as a dry run, or changed as one.

// refused spoils a valid object and expects the API server to say so.
func refused[T client.Object](valid func(namespace string) T) func(context.Context, func(T), string) {
	return func(ctx context.Context, spoil func(T), words string) {
		GinkgoHelper()
		object := valid(metav1.NamespaceDefault)
		Expect(k8s.Create(ctx, object.DeepCopyObject().(client.Object), client.DryRunAll)).To(Succeed(), "what is spoiled must be valid before")
		spoil(object)
		Expect(k8s.Create(ctx, object, client.DryRunAll)).To(And(
			Satisfy(apierrors.IsInvalid), MatchError(ContainSubstring(words))))
	}
}

// kept changes a stored object and expects the API server to refuse that.
func kept[T client.Object](valid func(namespace string) T) func(context.Context, func(T), string) {
	return func(ctx context.Context, spoil func(T), words string) {
		GinkgoHelper()
		object := create(ctx, valid(namespace(ctx, nil)))
		err := retryOnConflict(ctx, object, func() { spoil(object) })
		Expect(err).To(And(Satisfy(apierrors.IsInvalid), MatchError(ContainSubstring(words))))
	}
}

// retryOnConflict changes an object that its reconciler writes at the same time.
func retryOnConflict(ctx context.Context, object client.Object, edit func()) (err error) {
	for range 20 {
		if err = k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		edit()
		if err = k8s.Update(ctx, object, client.DryRunAll); !apierrors.IsConflict(err) {
			return err
		}
	}
	return err
}

func validMCPServer(namespace string) *v1alpha1.MCPServer {
	return anMCPServer(namespace, "todo", namespace)
}

func validScope(namespace string) *v1alpha1.Scope {
	return aScope(namespace, "read", "todo:read", "todo")
}

// validClient is one that uses every grant.
func validClient(namespace string) *v1alpha1.OAuthClient {
	object := anOAuthClient(namespace, "agent", "todo")
	object.Spec.GrantTypes = []v1alpha1.GrantType{"authorization_code", "refresh_token", "client_credentials"}
	object.Spec.RedirectURIs = []string{"http://127.0.0.1:8765/callback"}
	object.Spec.TokenEndpointAuthMethod = "client_secret_basic"
	return object
}

func validStaticProvider(namespace string) *v1alpha1.IdentityProvider {
	object := anOIDCProvider(namespace)
	object.Spec.Type, object.Spec.OIDC = v1alpha1.ProviderStatic, nil
	object.Spec.Static = &v1alpha1.StaticProvider{Users: []v1alpha1.StaticUser{{
		Username: "alice", Email: "alice@example.com", PasswordHash: "$2a$10$IlTccj68Enc2eFkkCMdY/eLvSq/28UCD/TSyvN7AvoBQgx2yH8ilO",
	}}}
	return object
}

func lifetime(d time.Duration) func(*v1alpha1.MCPServer) {
	return func(s *v1alpha1.MCPServer) { s.Spec.AccessTokenLifetime = &metav1.Duration{Duration: d} }
}

var _ = Describe("The schema of AuthorizationServers", func() {
	const https = "issuer must be an https URL; http is for loopback hosts only"
	const plain = "issuer must have no query, fragment, user information or trailing slash"
	const selector = "selector goes with from: Selector, and only with it"
	issuer := func(url string) func(*v1alpha1.AuthorizationServer) {
		return func(s *v1alpha1.AuthorizationServer) { s.Spec.Issuer = url }
	}

	DescribeTable("refuses", refused(anAuthorizationServer),
		Entry("http on a host that is not loopback", issuer("http://auth.example.com"), https),
		Entry("http on a host that begins like loopback", issuer("http://127.0.0.1.example.com"), https),
		Entry("http on a host that begins like localhost", issuer("http://localhost.example.com"), https),
		Entry("what is no URL", issuer("auth.example.com"), https),
		Entry("a query", issuer("https://auth.example.com?a=b"), plain),
		Entry("a fragment", issuer("https://auth.example.com#a"), plain),
		Entry("user information", issuer("https://me@auth.example.com"), plain),
		Entry("a trailing slash", issuer("https://auth.example.com/"), plain),
		Entry("an endless issuer", issuer("https://auth.example.com/"+strings.Repeat("x", 512)), "may not be more than 512"),
		Entry("a name too long to name others after", func(s *v1alpha1.AuthorizationServer) { s.Name = strings.Repeat("x", 51) },
			"it may have at most 50 characters"),
		Entry("a storage that is not there", func(s *v1alpha1.AuthorizationServer) { s.Spec.Storage.Type = "Paper" }, "supported values"),
		Entry("a selector that is not asked for", func(s *v1alpha1.AuthorizationServer) {
			s.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll, Selector: &metav1.LabelSelector{}}
		}, selector),
		Entry("no selector where one is asked for", func(s *v1alpha1.AuthorizationServer) {
			s.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector}
		}, selector),
		Entry("a switch that is neither on nor off", func(s *v1alpha1.AuthorizationServer) {
			s.Spec.Registration = &v1alpha1.Registration{Dynamic: "Maybe"}
		}, "supported values"),
	)

	DescribeTable("accepts plain http for trials on this machine",
		func(ctx context.Context, url string) {
			object := anAuthorizationServer(metav1.NamespaceDefault)
			object.Spec.Issuer = url
			Expect(k8s.Create(ctx, object, client.DryRunAll)).To(Succeed())
		},
		Entry("by address", "http://127.0.0.1:9400"),
		Entry("by name, with a path", "http://localhost/auth"),
		Entry("by the address of IPv6", "http://[::1]:9400"),
	)

	DescribeTable("keeps", kept(anAuthorizationServer),
		Entry("the issuer", issuer("https://elsewhere.example.com"), "issuer is immutable: tokens and registered clients are bound to it"),
	)
})

var _ = Describe("The schema of MCPServers", func() {
	const https = "url must be an https URL; http is for loopback hosts only"
	const plain = "url must have no query, fragment or user information"
	const bounds = "accessTokenLifetime must be between 5m and 60m"
	url := func(url string) func(*v1alpha1.MCPServer) { return func(s *v1alpha1.MCPServer) { s.Spec.URL = url } }

	DescribeTable("refuses", refused(validMCPServer),
		Entry("http on a host that is not loopback", url("http://todo.example.com/mcp"), https),
		Entry("another scheme", url("ftp://todo.example.com/mcp"), https),
		Entry("a query", url("https://todo.example.com/mcp?a=b"), plain),
		Entry("a fragment", url("https://todo.example.com/mcp#a"), plain),
		Entry("user information", url("https://me@todo.example.com/mcp"), plain),
		Entry("tokens that live for too short", lifetime(5*time.Minute-time.Second), bounds),
		Entry("tokens that live for too long", lifetime(time.Hour+time.Second), bounds),
		Entry("a name that is no label value", func(s *v1alpha1.MCPServer) { s.Name = strings.Repeat("x", 64) }, "it may have at most 63 characters"),
		Entry("a resource id with a slash", func(s *v1alpha1.MCPServer) { s.Spec.ResourceID = "a/b" }, "spec.resourceID"),
		Entry("no port", func(s *v1alpha1.MCPServer) { s.Spec.Workload.Port = 0 }, "spec.workload.port"),
		Entry("a port beyond the last", func(s *v1alpha1.MCPServer) { s.Spec.Workload.Port = 65536 }, "spec.workload.port"),
		Entry("a path that is none", func(s *v1alpha1.MCPServer) { s.Spec.Workload.Path = "mcp" }, "spec.workload.path"),
		Entry("an origin with a path", func(s *v1alpha1.MCPServer) { s.Spec.AllowedOrigins = []string{"https://a.example.com/x"} }, "spec.allowedOrigins"),
		Entry("an answer to unmatched operations that is none", func(s *v1alpha1.MCPServer) { s.Spec.UnmatchedOperations = "Ask" }, "supported values"),
	)

	DescribeTable("accepts the limits",
		func(ctx context.Context, change func(*v1alpha1.MCPServer)) {
			object := validMCPServer(metav1.NamespaceDefault)
			change(object)
			Expect(k8s.Create(ctx, object, client.DryRunAll)).To(Succeed())
		},
		Entry("the shortest life", lifetime(5*time.Minute)),
		Entry("the longest life", lifetime(time.Hour)),
		Entry("the longest name", func(s *v1alpha1.MCPServer) { s.Name = strings.Repeat("x", 63) }),
	)

	const immutable = "resourceID is immutable: issued tokens carry it"
	identified := func(namespace string) *v1alpha1.MCPServer {
		object := validMCPServer(namespace)
		object.Spec.ResourceID = "todo-" + namespace
		return object
	}
	DescribeTable("keeps", kept(identified),
		Entry("the resource id that was given", func(s *v1alpha1.MCPServer) { s.Spec.ResourceID = "other" }, immutable),
		Entry("that there is one", func(s *v1alpha1.MCPServer) { s.Spec.ResourceID = "" }, immutable),
	)
	DescribeTable("keeps", kept(validMCPServer),
		Entry("that there is none", func(s *v1alpha1.MCPServer) { s.Spec.ResourceID = "late" }, immutable),
	)
})

var _ = Describe("The schema of Scopes", func() {
	name := func(text string) func(*v1alpha1.Scope) { return func(s *v1alpha1.Scope) { s.Spec.Scope = text } }
	const taken = "this name has a meaning of its own in OpenID Connect; choose another"

	DescribeTable("refuses", refused(validScope),
		Entry("a space, which separates scopes", name("todo read"), "spec.scope"),
		Entry("a quote, which ends them", name(`todo"read`), "spec.scope"),
		Entry("no name", name(""), "spec.scope"),
		Entry("openid", name("openid"), taken),
		Entry("offline_access", name("offline_access"), taken),
		Entry("no words for the consent page", func(s *v1alpha1.Scope) { s.Spec.Description = "" }, "spec.description"),
		Entry("no server", func(s *v1alpha1.Scope) { s.Spec.ServerRefs = refs() }, "spec.serverRefs"),
		Entry("a server twice", func(s *v1alpha1.Scope) { s.Spec.ServerRefs = refs("todo", "todo") }, "Duplicate value"),
		Entry("an empty pattern", func(s *v1alpha1.Scope) { s.Spec.Tools = []string{""} }, "spec.tools"),
		Entry("nobody to grant it to", func(s *v1alpha1.Scope) { s.Spec.GrantTo = &v1alpha1.GrantTo{Groups: []string{}} }, "spec.grantTo.groups"),
	)
	DescribeTable("keeps", kept(validScope),
		Entry("the scope", name("todo:write"), "scope is immutable: issued tokens carry it"),
	)
})

var _ = Describe("The schema of IdentityProviders", func() {
	const static = "static goes with type: Static, and only with it"
	const oidc = "oidc goes with type: OIDC, and only with it"

	DescribeTable("refuses", refused(validStaticProvider),
		Entry("a list of users that is missing", func(p *v1alpha1.IdentityProvider) { p.Spec.Static = nil }, static),
		Entry("a provider beside the users", func(p *v1alpha1.IdentityProvider) { p.Spec.OIDC = anOIDCProvider("x").Spec.OIDC }, oidc),
		Entry("a type that is not there", func(p *v1alpha1.IdentityProvider) { p.Spec.Type = "Guess" }, "supported values"),
		Entry("nobody", func(p *v1alpha1.IdentityProvider) { p.Spec.Static.Users = []v1alpha1.StaticUser{} }, "spec.static.users"),
		Entry("a user twice", func(p *v1alpha1.IdentityProvider) {
			p.Spec.Static.Users = append(p.Spec.Static.Users, p.Spec.Static.Users[0])
		}, "Duplicate value"),
		Entry("a password in place of its hash", func(p *v1alpha1.IdentityProvider) { p.Spec.Static.Users[0].PasswordHash = "wonderland" },
			"spec.static.users[0].passwordHash"),
		Entry("a domain in capitals", func(p *v1alpha1.IdentityProvider) { p.Spec.AllowedEmailDomains = []string{"Example.com"} }, "spec.allowedEmailDomains"),
	)
	DescribeTable("refuses", refused(anOIDCProvider),
		Entry("a provider that is missing", func(p *v1alpha1.IdentityProvider) { p.Spec.OIDC = nil }, oidc),
		Entry("users beside the provider", func(p *v1alpha1.IdentityProvider) { p.Spec.Static = validStaticProvider("x").Spec.Static }, static),
		Entry("a provider without https", func(p *v1alpha1.IdentityProvider) { p.Spec.OIDC.Issuer = "http://login.example.com" },
			"issuer must be an https URL; http is for loopback hosts only"),
		Entry("a provider that knows no client", func(p *v1alpha1.IdentityProvider) { p.Spec.OIDC.ClientID = "" }, "spec.oidc.clientID"),
	)
})

var _ = Describe("The schema of OAuthClients", func() {
	const secret = "secret goes with client_secret_basic and client_secret_post, and only with them"
	grants := func(types ...v1alpha1.GrantType) func(*v1alpha1.OAuthClient) {
		return func(c *v1alpha1.OAuthClient) { c.Spec.GrantTypes = types }
	}

	DescribeTable("refuses", refused(validClient),
		Entry("a secret for a public client", func(c *v1alpha1.OAuthClient) { c.Spec.TokenEndpointAuthMethod = "none" }, secret),
		Entry("no secret for a confidential client", func(c *v1alpha1.OAuthClient) { c.Spec.Secret = nil }, secret),
		Entry("client_credentials without a credential", func(c *v1alpha1.OAuthClient) {
			c.Spec.TokenEndpointAuthMethod, c.Spec.Secret = "none", nil
		}, "client_credentials needs a secret: set tokenEndpointAuthMethod to client_secret_basic"),
		Entry("authorization_code with nowhere to go back to", func(c *v1alpha1.OAuthClient) { c.Spec.RedirectURIs = nil },
			"authorization_code needs at least one redirectURI"),
		Entry("refresh_token alone", grants("refresh_token"), "refresh_token goes with authorization_code"),
		Entry("a grant that OAuth 2.1 has given up", grants("password"), "supported values"),
		Entry("no grant", grants(), "spec.grantTypes"),
		Entry("a grant twice", grants("client_credentials", "client_credentials"), "Duplicate value"),
		Entry("a client id that is none", func(c *v1alpha1.OAuthClient) { c.Spec.ClientID = "a b" }, "spec.clientID"),
		Entry("a way to authenticate that is not there", func(c *v1alpha1.OAuthClient) { c.Spec.TokenEndpointAuthMethod = "trust_me" }, "supported values"),
		Entry("no server", func(c *v1alpha1.OAuthClient) { c.Spec.ServerRefs = refs() }, "spec.serverRefs"),
		Entry("a Secret without a name", func(c *v1alpha1.OAuthClient) { c.Spec.Secret.Name = "" }, "spec.secret.name"),
	)

	const immutable = "clientID is immutable: grants are bound to it"
	identified := func(namespace string) *v1alpha1.OAuthClient {
		object := validClient(namespace)
		object.Spec.ClientID = "agent"
		return object
	}
	DescribeTable("keeps", kept(identified),
		Entry("the client id that was given", func(c *v1alpha1.OAuthClient) { c.Spec.ClientID = "other" }, immutable),
		Entry("that there is one", func(c *v1alpha1.OAuthClient) { c.Spec.ClientID = "" }, immutable),
	)
	DescribeTable("keeps", kept(validClient),
		Entry("that there is none", func(c *v1alpha1.OAuthClient) { c.Spec.ClientID = "late" }, immutable),
	)
})
