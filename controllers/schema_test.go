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

// validSigningClient is one that signs, for itself and by what others vouch for.
func validSigningClient(namespace string) *v1alpha1.OAuthClient {
	object := anOAuthClient(namespace, "agent", "todo")
	object.Spec.GrantTypes = []v1alpha1.GrantType{"client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"}
	object.Spec.TokenEndpointAuthMethod, object.Spec.Secret, object.Spec.JWKS = "private_key_jwt", nil, publicKeySet
	object.Spec.Workloads = []v1alpha1.ClientWorkload{{TrustedIssuer: "ci", Subject: "x"}}
	object.Spec.ServiceAccounts = []v1alpha1.ServiceAccountReference{{Name: "agent"}}
	return object
}

// validWorkloadClient is one that has no credential but its ServiceAccount's.
func validWorkloadClient(namespace string) *v1alpha1.OAuthClient {
	object := anOAuthClient(namespace, "agent", "todo")
	object.Spec.GrantTypes = []v1alpha1.GrantType{"urn:ietf:params:oauth:grant-type:jwt-bearer"}
	object.Spec.TokenEndpointAuthMethod, object.Spec.Secret = "none", nil
	object.Spec.ServiceAccounts = []v1alpha1.ServiceAccountReference{{Name: "agent"}}
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

// refresh sets the lifetimes that are not zero.
func refresh(idle, most time.Duration) func(*v1alpha1.MCPServer) {
	return func(s *v1alpha1.MCPServer) {
		if idle != 0 {
			s.Spec.RefreshTokenIdleLifetime = &metav1.Duration{Duration: idle}
		}
		if most != 0 {
			s.Spec.RefreshTokenMaxLifetime = &metav1.Duration{Duration: most}
		}
	}
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

	const postgresql = "postgresql goes with type: PostgreSQL, and only with it"
	const many = "more than one replica needs storage of type PostgreSQL: a SQLite file has one writer"
	three, none := int32(3), int32(0)
	database := &v1alpha1.PostgreSQLStorage{URLSecretRef: v1alpha1.SecretKeyReference{Name: "database", Key: "url"}}
	session := func(d time.Duration) func(*v1alpha1.AuthorizationServer) {
		return func(s *v1alpha1.AuthorizationServer) { s.Spec.SessionLifetime = &metav1.Duration{Duration: d} }
	}
	registration := func(edit func(*v1alpha1.Registration)) func(*v1alpha1.AuthorizationServer) {
		return func(s *v1alpha1.AuthorizationServer) {
			s.Spec.Registration = &v1alpha1.Registration{}
			edit(s.Spec.Registration)
		}
	}
	trusted := func(edit func(*v1alpha1.TrustedIssuer)) func(*v1alpha1.AuthorizationServer) {
		return func(s *v1alpha1.AuthorizationServer) {
			issuer := v1alpha1.TrustedIssuer{Name: "ci", Type: v1alpha1.TrustedWorkload, Issuer: "https://ci.example.com"}
			edit(&issuer)
			s.Spec.TrustedIssuers = append(s.Spec.TrustedIssuers, issuer)
		}
	}
	logo := func(uri string) func(*v1alpha1.AuthorizationServer) {
		return func(s *v1alpha1.AuthorizationServer) { s.Spec.Logo = uri }
	}
	DescribeTable("refuses", refused(anAuthorizationServer),
		Entry("PostgreSQL that is nowhere", func(s *v1alpha1.AuthorizationServer) { s.Spec.Storage.Type = v1alpha1.StoragePostgreSQL }, postgresql),
		Entry("PostgreSQL beside SQLite", func(s *v1alpha1.AuthorizationServer) { s.Spec.Storage.PostgreSQL = database }, postgresql),
		Entry("a volume beside PostgreSQL", func(s *v1alpha1.AuthorizationServer) {
			s.Spec.Storage = v1alpha1.Storage{Type: v1alpha1.StoragePostgreSQL, PostgreSQL: database, SQLite: &v1alpha1.SQLiteStorage{}}
		}, "sqlite is for storage of type SQLite"),
		Entry("several writers of one file", func(s *v1alpha1.AuthorizationServer) { s.Spec.Replicas = &three }, many),
		Entry("no replica", func(s *v1alpha1.AuthorizationServer) { s.Spec.Replicas = &none }, "spec.replicas"),
		Entry("an algorithm that clients do not understand", func(s *v1alpha1.AuthorizationServer) { s.Spec.SigningAlgorithm = "HS256" }, "supported values"),
		Entry("a session of negative length", session(-time.Second), "sessionLifetime must be between 0s and 720h"),
		Entry("a session without an end", session(721*time.Hour), "sessionLifetime must be between 0s and 720h"),
		Entry("a logo elsewhere", logo("https://example.com/logo.png"), "spec.logo"),
		Entry("a logo that is a page", logo("data:text/html;base64,AAAA"), "spec.logo"),
		Entry("a logo with a quote in it", logo(`data:image/svg+xml;base64,AA"onerror`), "spec.logo"),
		Entry("an endless logo", logo("data:image/png;base64,"+strings.Repeat("A", 65536)), "may not be more than 65536"),
		Entry("a private host with a port", func(s *v1alpha1.AuthorizationServer) {
			s.Spec.Outbound = &v1alpha1.Outbound{PrivateHosts: []string{"ci.internal:443"}}
		}, "spec.outbound.privateHosts"),
		Entry("registrations that are kept for too short", registration(func(r *v1alpha1.Registration) {
			r.UnusedLifetime = &metav1.Duration{Duration: time.Minute}
		}), "unusedLifetime must be between 1h and 8760h"),
		Entry("room for no client", registration(func(r *v1alpha1.Registration) { r.MaxClients = &none }), "spec.registration.maxClients"),
		Entry("a document of a client without https", registration(func(r *v1alpha1.Registration) {
			r.Documents = []v1alpha1.ClientDocument{{ClientID: "http://app.example.com/c", Document: "{}"}}
		}), "spec.registration.documents[0].clientID"),
		Entry("an endless document", registration(func(r *v1alpha1.Registration) {
			r.Documents = []v1alpha1.ClientDocument{{ClientID: "https://app.example.com/c", Document: strings.Repeat(" ", 5121)}}
		}), "may not be more than 5120"),
		Entry("a trusted issuer that is nobody", trusted(func(t *v1alpha1.TrustedIssuer) { t.Issuer = "" }), "issuer is needed, except with cluster: true"),
		Entry("a trusted issuer that is the cluster and somebody else", trusted(func(t *v1alpha1.TrustedIssuer) { t.Cluster = true }),
			"issuer is needed, except with cluster: true"),
		Entry("the cluster as an identity provider", trusted(func(t *v1alpha1.TrustedIssuer) {
			t.Issuer, t.Cluster, t.Type = "", true, v1alpha1.TrustedIdentityAssertion
		}), "cluster: true goes with type: Workload"),
		Entry("the cluster with keys from elsewhere", trusted(func(t *v1alpha1.TrustedIssuer) {
			t.Issuer, t.Cluster, t.JWKS = "", true, publicKeySet
		}), "cluster: true needs no keys"),
		Entry("keys twice", trusted(func(t *v1alpha1.TrustedIssuer) { t.JWKS, t.JWKSURI = publicKeySet, "https://ci.example.com/keys" }),
			"set jwks or jwksURI, not both"),
		Entry("a trusted issuer of no known type", trusted(func(t *v1alpha1.TrustedIssuer) { t.Type = "Friend" }), "supported values"),
		Entry("a trusted issuer with a colon in its name", trusted(func(t *v1alpha1.TrustedIssuer) { t.Name = "a:b" }), "spec.trustedIssuers[0].name"),
		Entry("an endless condition", trusted(func(t *v1alpha1.TrustedIssuer) { t.Condition = strings.Repeat("!", 2048) + "true" }), "may not be more than 2048"),
		Entry("a trusted issuer twice", func(s *v1alpha1.AuthorizationServer) {
			trusted(func(*v1alpha1.TrustedIssuer) {})(s)
			trusted(func(*v1alpha1.TrustedIssuer) {})(s)
		}, "Duplicate value"),
	)
	DescribeTable("accepts",
		func(ctx context.Context, edit func(*v1alpha1.AuthorizationServer)) {
			object := anAuthorizationServer(metav1.NamespaceDefault)
			edit(object)
			Expect(k8s.Create(ctx, object, client.DryRunAll)).To(Succeed())
		},
		Entry("several replicas on PostgreSQL", func(s *v1alpha1.AuthorizationServer) {
			s.Spec.Replicas, s.Spec.Storage = &three, v1alpha1.Storage{Type: v1alpha1.StoragePostgreSQL, PostgreSQL: database}
		}),
		Entry("a sign-in each time", session(0)),
		Entry("the longest session", session(720*time.Hour)),
		Entry("a logo", logo("data:image/svg+xml;base64,PHN2Zy8+")),
		Entry("the cluster", trusted(func(t *v1alpha1.TrustedIssuer) { t.Issuer, t.Cluster = "", true })),
		Entry("an issuer that is no URL, with its keys", trusted(func(t *v1alpha1.TrustedIssuer) { t.Issuer, t.JWKS = "spiffe://example.com", publicKeySet })),
	)
	It("fills in what is not said", func(ctx SpecContext) {
		object := anAuthorizationServer(metav1.NamespaceDefault)
		object.Spec.Registration = &v1alpha1.Registration{}
		Expect(k8s.Create(ctx, object, client.DryRunAll)).To(Succeed())
		Expect(object.Spec.Replicas).To(HaveValue(BeEquivalentTo(1)))
		Expect(object.Spec.SigningAlgorithm).To(Equal(v1alpha1.SigningRS256))
		Expect(object.Spec.SessionLifetime.Duration).To(Equal(12 * time.Hour))
		Expect(object.Spec.Registration.MetadataDocuments).To(Equal(v1alpha1.Enabled))
		Expect(object.Spec.Registration.UnusedLifetime.Duration).To(Equal(24 * time.Hour))
		Expect(object.Spec.Registration.MaxClients).To(HaveValue(BeEquivalentTo(10_000)))
	})

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
		Entry("the signing algorithm", func(s *v1alpha1.AuthorizationServer) { s.Spec.SigningAlgorithm = v1alpha1.SigningES256 },
			"signingAlgorithm is immutable: tokens in use are verified by keys of it"),
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
		Entry("refresh tokens that die at once", refresh(time.Minute, 0), "refreshTokenIdleLifetime must be between 1h and 8760h"),
		Entry("a grant that ends at once", refresh(0, time.Minute), "refreshTokenMaxLifetime must be between 1h and 43800h"),
		Entry("a grant that never ends", refresh(0, 43801*time.Hour), "refreshTokenMaxLifetime must be between 1h and 43800h"),
		Entry("refresh tokens that outlive what they refresh", refresh(3*time.Hour, 2*time.Hour), "must not be shorter than refreshTokenIdleLifetime"),
		Entry("refresh tokens that outlive the usual grant", refresh(2161*time.Hour, 0), "must not be shorter than refreshTokenIdleLifetime"),
		Entry("a binding that is not there", func(s *v1alpha1.MCPServer) { s.Spec.TokenBinding = "MTLS" }, "supported values"),
		Entry("OpenID Connect that is neither on nor off", func(s *v1alpha1.MCPServer) { s.Spec.OpenIDConnect = "Maybe" }, "supported values"),
		Entry("room for a negative number of clients", func(s *v1alpha1.MCPServer) {
			negative := int32(-1)
			s.Spec.Registration = &v1alpha1.ServerRegistration{MaxClients: &negative}
		}, "spec.registration.maxClients"),
	)

	It("fills in what is not said", func(ctx SpecContext) {
		object := validMCPServer(metav1.NamespaceDefault)
		Expect(k8s.Create(ctx, object, client.DryRunAll)).To(Succeed())
		Expect(object.Spec.RefreshTokenIdleLifetime.Duration).To(Equal(720 * time.Hour))
		Expect(object.Spec.RefreshTokenMaxLifetime.Duration).To(Equal(2160 * time.Hour))
		Expect(object.Spec.TokenBinding).To(Equal(v1alpha1.TokenBindingOptional))
		Expect(object.Spec.OpenIDConnect).To(Equal(v1alpha1.Disabled))
	})

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
		Entry("nobody to grant it to", func(s *v1alpha1.Scope) { s.Spec.GrantTo = &v1alpha1.GrantTo{} },
			"set at least one of groups, organizations and condition"),
		Entry("a group without a name", func(s *v1alpha1.Scope) { s.Spec.GrantTo = &v1alpha1.GrantTo{Groups: []string{""}} }, "spec.grantTo.groups[0]"),
		Entry("an organization without a name", func(s *v1alpha1.Scope) {
			s.Spec.GrantTo = &v1alpha1.GrantTo{Organizations: []string{""}}
		}, "spec.grantTo.organizations[0]"),
		Entry("an endless condition", func(s *v1alpha1.Scope) {
			s.Spec.GrantTo = &v1alpha1.GrantTo{Condition: strings.Repeat("!", 2048) + "true"}
		}, "may not be more than 2048"),
	)
	DescribeTable("accepts any one rule",
		func(ctx context.Context, rule v1alpha1.GrantTo) {
			object := validScope(metav1.NamespaceDefault)
			object.Spec.GrantTo = &rule
			Expect(k8s.Create(ctx, object, client.DryRunAll)).To(Succeed())
		},
		Entry("groups", v1alpha1.GrantTo{Groups: []string{"staff"}}),
		Entry("organizations", v1alpha1.GrantTo{Organizations: []string{"Example"}}),
		Entry("a condition", v1alpha1.GrantTo{Condition: "user.email != ''"}),
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
	const keys = "private_key_jwt needs exactly one of jwks and jwksURI; other methods have neither"
	const bearerNeeded = "workloads and serviceAccounts need the grant type urn:ietf:params:oauth:grant-type:jwt-bearer"
	const bearerAlone = "needs workloads or serviceAccounts and must be the only grant type"
	grants := func(types ...v1alpha1.GrantType) func(*v1alpha1.OAuthClient) {
		return func(c *v1alpha1.OAuthClient) { c.Spec.GrantTypes = types }
	}

	DescribeTable("refuses", refused(validClient),
		Entry("a secret for a public client", func(c *v1alpha1.OAuthClient) { c.Spec.TokenEndpointAuthMethod = "none" }, secret),
		Entry("no secret for a confidential client", func(c *v1alpha1.OAuthClient) { c.Spec.Secret = nil }, secret),
		Entry("client_credentials without a credential", func(c *v1alpha1.OAuthClient) {
			c.Spec.TokenEndpointAuthMethod, c.Spec.Secret = "none", nil
		}, "client_credentials needs a credential: set tokenEndpointAuthMethod to client_secret_basic or private_key_jwt"),
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
		Entry("keys of a client that does not sign", func(c *v1alpha1.OAuthClient) { c.Spec.JWKS = publicKeySet }, keys),
		Entry("a key set elsewhere of a client that does not sign", func(c *v1alpha1.OAuthClient) { c.Spec.JWKSURI = "https://a.example.com/keys" }, keys),
		Entry("workloads without their grant", func(c *v1alpha1.OAuthClient) {
			c.Spec.Workloads = []v1alpha1.ClientWorkload{{TrustedIssuer: "ci", Subject: "x"}}
		}, bearerNeeded),
		Entry("ServiceAccounts without their grant", func(c *v1alpha1.OAuthClient) {
			c.Spec.ServiceAccounts = []v1alpha1.ServiceAccountReference{{Name: "agent"}}
		}, bearerNeeded),
	)
	DescribeTable("refuses", refused(validSigningClient),
		Entry("a client that signs and names no keys", func(c *v1alpha1.OAuthClient) { c.Spec.JWKS = "" }, keys),
		Entry("a client that signs and names its keys twice", func(c *v1alpha1.OAuthClient) { c.Spec.JWKSURI = "https://a.example.com/keys" }, keys),
		Entry("keys without https", func(c *v1alpha1.OAuthClient) { c.Spec.JWKS, c.Spec.JWKSURI = "", "http://a.example.com/keys" }, "spec.jwksURI"),
		Entry("a secret beside the keys", func(c *v1alpha1.OAuthClient) { c.Spec.Secret = &v1alpha1.ClientSecret{Name: "x"} }, secret),
		Entry("a workload twice", func(c *v1alpha1.OAuthClient) { c.Spec.Workloads = append(c.Spec.Workloads, c.Spec.Workloads[0]) }, "Duplicate value"),
		Entry("a workload of nobody", func(c *v1alpha1.OAuthClient) { c.Spec.Workloads[0].TrustedIssuer = "" }, "spec.workloads[0].trustedIssuer"),
		Entry("a ServiceAccount without a name", func(c *v1alpha1.OAuthClient) { c.Spec.ServiceAccounts[0].Name = "" }, "spec.serviceAccounts[0].name"),
	)
	DescribeTable("refuses", refused(validWorkloadClient),
		Entry("an assertion of nobody in particular", func(c *v1alpha1.OAuthClient) { c.Spec.ServiceAccounts = nil }, bearerAlone),
		Entry("other grants of a client that does not authenticate otherwise", func(c *v1alpha1.OAuthClient) {
			c.Spec.GrantTypes = append(c.Spec.GrantTypes, "authorization_code")
			c.Spec.RedirectURIs = []string{"http://127.0.0.1/cb"}
		}, bearerAlone),
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
