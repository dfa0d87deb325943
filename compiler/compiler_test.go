package compiler_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/policy"
)

const bcryptHash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world is an input that compiles without problems; cases change it.
func world() *compiler.Input {
	return &compiler.Input{
		AuthorizationServers: []*v1alpha1.AuthorizationServer{{
			ObjectMeta: meta("mcpauth-system", "main", 0),
			Spec: v1alpha1.AuthorizationServerSpec{
				Issuer:            "https://auth.example.com",
				Storage:           v1alpha1.Storage{Type: v1alpha1.StorageSQLite},
				AllowedNamespaces: &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll},
			},
		}},
		IdentityProviders: []*v1alpha1.IdentityProvider{{
			ObjectMeta: meta("mcpauth-system", "people", 0),
			Spec: v1alpha1.IdentityProviderSpec{
				AuthorizationServerRef: v1alpha1.LocalAuthorizationServerReference{Name: "main"},
				Type:                   v1alpha1.ProviderStatic,
				Static: &v1alpha1.StaticProvider{Users: []v1alpha1.StaticUser{
					{Username: "alice", Email: "alice@example.com", PasswordHash: bcryptHash, Groups: []string{"staff"}},
				}},
			},
		}},
		MCPServers: []*v1alpha1.MCPServer{server("todo", 0)},
		Scopes: []*v1alpha1.Scope{
			scope("todo-read", "todo:read", 0, func(s *v1alpha1.ScopeSpec) { s.Default, s.Tools = true, []string{"list_*"} }),
			scope("todo-admin", "todo:admin", 0, func(s *v1alpha1.ScopeSpec) { s.GrantTo = &v1alpha1.GrantTo{Groups: []string{"admins"}} }),
		},
		OAuthClients: []*v1alpha1.OAuthClient{oauthClient("agent", 0)},
		Namespaces: []*corev1.Namespace{
			{ObjectMeta: metav1.ObjectMeta{Name: "mcpauth-system"}},
			{ObjectMeta: metav1.ObjectMeta{Name: "apps", Labels: map[string]string{"mcp": "yes"}}},
		},
	}
}

func meta(namespace, name string, age int) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID("uid-" + name), Generation: 1,
		CreationTimestamp: metav1.NewTime(epoch.Add(time.Duration(age) * time.Minute)),
	}
}

func server(name string, age int) *v1alpha1.MCPServer {
	return &v1alpha1.MCPServer{
		ObjectMeta: meta("apps", name, age),
		Spec: v1alpha1.MCPServerSpec{
			AuthorizationServerRef: v1alpha1.AuthorizationServerReference{Name: "main", Namespace: "mcpauth-system"},
			URL:                    "https://" + name + ".example.com/mcp",
			Workload:               &v1alpha1.Workload{Port: 8080},
		},
	}
}

func scope(name, value string, age int, change func(*v1alpha1.ScopeSpec)) *v1alpha1.Scope {
	s := &v1alpha1.Scope{ObjectMeta: meta("apps", name, age), Spec: v1alpha1.ScopeSpec{
		Scope: value, Description: "Use " + value, ServerRefs: []v1alpha1.LocalServerReference{{Name: "todo"}},
	}}
	if change != nil {
		change(&s.Spec)
	}
	return s
}

func oauthClient(name string, age int) *v1alpha1.OAuthClient {
	return &v1alpha1.OAuthClient{ObjectMeta: meta("apps", name, age), Spec: v1alpha1.OAuthClientSpec{
		ClientID: name, ServerRefs: []v1alpha1.LocalServerReference{{Name: "todo"}},
		GrantTypes:              []v1alpha1.GrantType{oauth.GrantAuthorizationCode, oauth.GrantClientCredentials},
		RedirectURIs:            []string{"http://127.0.0.1:8765/callback"},
		TokenEndpointAuthMethod: oauth.AuthMethodClientSecretBasic,
		Secret:                  &v1alpha1.ClientSecret{Name: name + "-oauth"},
	}}
}

func name(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func object(kind compiler.Kind, namespace, n string) compiler.Object {
	return compiler.Object{Kind: kind, NamespacedName: name(namespace, n)}
}

func TestAWorldWithoutProblemsIsServedWhole(t *testing.T) {
	result := compiler.Compile(*world())
	if len(result.Problems) != 0 {
		t.Fatalf("problems: %+v", result.Problems)
	}
	snapshot := result.Catalogs[name("mcpauth-system", "main")]
	wantResource := &catalog.Resource{
		ID: "apps-todo", URL: "https://todo.example.com/mcp", DisplayName: "todo",
		Scopes: []*catalog.Scope{
			{Name: "todo:admin", Description: "Use todo:admin", Groups: []string{"admins"}},
			{Name: "todo:read", Description: "Use todo:read", Default: true},
		},
		AccessTokenLifetime: 15 * time.Minute, RefreshTokenIdle: 30 * 24 * time.Hour, RefreshTokenMax: 90 * 24 * time.Hour,
	}
	if diff := cmp.Diff(wantResource, snapshot.Resource("apps-todo")); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
	wantClient := &catalog.Client{
		ID: "agent", Name: "agent", Resources: []oauth.ResourceID{"apps-todo"},
		GrantTypes: []string{"authorization_code", "client_credentials"}, RedirectURIs: []string{"http://127.0.0.1:8765/callback"},
		AuthMethod: "client_secret_basic",
	}
	if diff := cmp.Diff(wantClient, snapshot.Client("agent"), cmp.Comparer(oauth.ScopeSet.Equal)); diff != "" {
		t.Errorf("client (-want +got):\n%s", diff)
	}
	wantPolicy := &policy.Policy{
		Version: policy.Version, Server: "apps/todo", Resource: "https://todo.example.com/mcp", ResourceName: "todo",
		Issuers:   []string{"https://auth.example.com/resources/apps-todo", "https://auth.example.com"},
		Audiences: []string{"https://todo.example.com/mcp", "apps-todo"},
		JWKSURL:   "http://mcpauth-main.mcpauth-system.svc/keys",
		Upstream:  policy.Upstream{Port: 8080, Path: "/mcp"},
		Scopes:    []policy.Scope{{Name: "todo:admin"}, {Name: "todo:read", Default: true, Tools: []string{"list_*"}}},

		RevocationsURL:      "http://mcpauth-main.mcpauth-system.svc/revocations",
		UnmatchedOperations: policy.Deny,
		FilterLists:         true,
	}
	got := result.Servers[name("apps", "todo")]
	if diff := cmp.Diff(wantPolicy, got.Policy, cmpopts.IgnoreUnexported(policy.Policy{})); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	if got.Clients != 1 || got.MetadataURL != "https://todo.example.com/.well-known/oauth-protected-resource/mcp" {
		t.Errorf("server: %+v", got)
	}
	if len(snapshot.Providers()) != 1 || snapshot.Providers()[0].Name != "people" {
		t.Error("the identity provider is not served")
	}
}

func TestEveryProblemIsNamed(t *testing.T) {
	type want struct {
		object    compiler.Object
		condition string
		reason    v1alpha1.Reason
		message   string // a part of it
		served    bool   // the object is served all the same
	}
	mcp := object(compiler.KindMCPServer, "apps", "todo")
	newer := object(compiler.KindMCPServer, "apps", "newer")
	cases := []struct {
		name   string
		change func(*compiler.Input)
		want   want
	}{
		{"an issuer with plain http", func(in *compiler.Input) { in.AuthorizationServers[0].Spec.Issuer = "http://auth.example.com" },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "must be https", false}},
		{"an issuer that ends in a slash", func(in *compiler.Input) { in.AuthorizationServers[0].Spec.Issuer = "https://auth.example.com/" },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "slash", false}},
		{"an issuer twice", func(in *compiler.Input) {
			second := in.AuthorizationServers[0].DeepCopy()
			second.ObjectMeta = meta("other", "second", 5)
			in.AuthorizationServers = append(in.AuthorizationServers, second)
		}, want{object(compiler.KindAuthorizationServer, "other", "second"), "Accepted", v1alpha1.ReasonConflict, "mcpauth-system/main", false}},
		{"a trusted proxy that is no network", func(in *compiler.Input) { in.AuthorizationServers[0].Spec.TrustedProxies = []string{"10.0.0.1"} },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "CIDR", false}},
		{"a malformed namespace selector", func(in *compiler.Input) {
			in.AuthorizationServers[0].Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector,
				Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}}
		}, want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "selector", false}},

		{"a session that never ends", func(in *compiler.Input) { in.AuthorizationServers[0].Spec.SessionLifetime = hours(721) },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "between 0s and 720h", false}},
		{"a session of negative length", func(in *compiler.Input) { in.AuthorizationServers[0].Spec.SessionLifetime = hours(-1) },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "between 0s and 720h", false}},
		{"a logo that is not base64", func(in *compiler.Input) { in.AuthorizationServers[0].Spec.Logo = "data:image/png;base64,AAA" },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "base64 -w0", false}},
		{"a CA bundle that is not PEM", func(in *compiler.Input) {
			in.AuthorizationServers[0].Spec.Outbound = &v1alpha1.Outbound{CABundle: "MIIB"}
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "certificates in PEM", false}},
		{"a CA bundle with text behind it", func(in *compiler.Input) {
			in.AuthorizationServers[0].Spec.Outbound = &v1alpha1.Outbound{CABundle: certificate(t) + "more"}
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "certificates in PEM", false}},
		{"a CA bundle with a key in it", func(in *compiler.Input) {
			in.AuthorizationServers[0].Spec.Outbound = &v1alpha1.Outbound{CABundle: certificate(t) + privateKeyPEM}
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "private keys least of all", false}},
		{"a CA bundle with a damaged certificate", func(in *compiler.Input) {
			in.AuthorizationServers[0].Spec.Outbound = &v1alpha1.Outbound{CABundle: damagedCertificate}
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "cannot be read", false}},
		{"registrations that are kept for no time", func(in *compiler.Input) {
			in.AuthorizationServers[0].Spec.Registration = &v1alpha1.Registration{UnusedLifetime: hours(0)}
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "between 1h and 8760h", false}},
		{"a pinned document for what is no URL of one", func(in *compiler.Input) {
			in.AuthorizationServers[0].Spec.Registration = pinned("https://app.example.com", `{"client_id":"https://app.example.com"}`)
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "with a path", false}},
		{"a pinned document at dot segments", func(in *compiler.Input) {
			in.AuthorizationServers[0].Spec.Registration = pinned("https://app.example.com/a/../b", `{"client_id":"https://app.example.com/a/../b"}`)
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "dot segments", false}},
		{"a pinned document that is not JSON", func(in *compiler.Input) { in.AuthorizationServers[0].Spec.Registration = pinned(documentURL, "{") },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "not a JSON object", false}},
		{"a pinned document of another client", func(in *compiler.Input) {
			in.AuthorizationServers[0].Spec.Registration = pinned(documentURL, `{"client_id":"https://other.example.com/c"}`)
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "another client_id", false}},
		{"a pinned document whose client_id is spelt otherwise", func(in *compiler.Input) {
			in.AuthorizationServers[0].Spec.Registration = pinned(documentURL, `{"Client_ID":"`+documentURL+`"}`)
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "another client_id", false}},
		{"a pinned document with a secret", func(in *compiler.Input) {
			in.AuthorizationServers[0].Spec.Registration = pinned(documentURL, `{"client_id":"`+documentURL+`","client_secret":"x"}`)
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "client_secret", false}},
		{"a trusted issuer that is nobody", func(in *compiler.Input) { trust(in, func(t *v1alpha1.TrustedIssuer) { t.Issuer = "" }) },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "set issuer, or cluster: true", true}},
		{"a trusted issuer that is the cluster and somebody else", func(in *compiler.Input) { trust(in, func(t *v1alpha1.TrustedIssuer) { t.Cluster = true }) },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "not both", true}},
		{"the cluster as an identity provider", func(in *compiler.Input) {
			trust(in, func(t *v1alpha1.TrustedIssuer) {
				t.Issuer, t.Cluster, t.Type = "", true, v1alpha1.TrustedIdentityAssertion
			})
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "goes with type: Workload", true}},
		{"the cluster with keys from elsewhere", func(in *compiler.Input) {
			trust(in, func(t *v1alpha1.TrustedIssuer) {
				t.Issuer, t.Cluster, t.JWKSURI = "", true, "https://k.example.com/keys"
			})
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "without keys", true}},
		{"a trusted issuer that is the server itself", func(in *compiler.Input) {
			trust(in, func(t *v1alpha1.TrustedIssuer) { t.Issuer = "https://auth.example.com" })
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "this server's own", true}},
		{"a trusted issuer that is the server for one resource", func(in *compiler.Input) {
			trust(in, func(t *v1alpha1.TrustedIssuer) { t.Issuer = "https://auth.example.com/resources/apps-todo" })
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "this server's own", true}},
		{"a trusted issuer with keys twice", func(in *compiler.Input) {
			trust(in, func(t *v1alpha1.TrustedIssuer) { t.JWKS, t.JWKSURI = publicKeys(keyID), "https://k.example.com/keys" })
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "not both", true}},
		{"a trusted issuer that cannot be discovered", func(in *compiler.Input) {
			trust(in, func(t *v1alpha1.TrustedIssuer) { t.Issuer = "spiffe://example.com" })
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "give its keys in jwks or jwksURI", true}},
		{"a trusted issuer without https", func(in *compiler.Input) {
			trust(in, func(t *v1alpha1.TrustedIssuer) { t.Issuer = "http://idp.example.com" })
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "must be https", true}},
		{"keys without https", func(in *compiler.Input) {
			trust(in, func(t *v1alpha1.TrustedIssuer) { t.JWKSURI = "http://idp.example.com/keys" })
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "is not an https URL", true}},
		{"keys of somebody with a name", func(in *compiler.Input) {
			trust(in, func(t *v1alpha1.TrustedIssuer) { t.JWKSURI = "https://me@idp.example.com/keys" })
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "neither user information nor fragment", true}},
		{"keys of a trusted issuer that are none", func(in *compiler.Input) { trust(in, func(t *v1alpha1.TrustedIssuer) { t.JWKS = "[]" }) },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "array of keys", true}},
		{"a private key of a trusted issuer", func(in *compiler.Input) { trust(in, func(t *v1alpha1.TrustedIssuer) { t.JWKS = privateKeys(keyID) }) },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "make a new one", true}},
		{"a condition over claims that does not compile", func(in *compiler.Input) { trust(in, func(t *v1alpha1.TrustedIssuer) { t.Condition = "claims.sub ==" }) },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "does not compile", true}},
		{"a condition over claims that is no condition", func(in *compiler.Input) { trust(in, func(t *v1alpha1.TrustedIssuer) { t.Condition = "claims.sub" }) },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "is not true or false", true}},
		{"a condition over claims that uses what is not there", func(in *compiler.Input) {
			trust(in, func(t *v1alpha1.TrustedIssuer) { t.Condition = "user.email == 'a'" })
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "undeclared reference", true}},
		{"a trusted issuer of programs with the name of a provider of people", func(in *compiler.Input) { trust(in, func(t *v1alpha1.TrustedIssuer) { t.Name = "people" }) },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "could be alike", true}},
		{"a trusted issuer with the name of a provider of other people", func(in *compiler.Input) {
			trust(in, func(t *v1alpha1.TrustedIssuer) { t.Name, t.Type = "people", v1alpha1.TrustedIdentityAssertion })
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, "could be alike", true}},
		{"a trusted issuer twice", func(in *compiler.Input) {
			trust(in, nil)
			trust(in, func(t *v1alpha1.TrustedIssuer) { t.Name = "again" })
		},
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, `"ci" has its issuer`, true}},
		{"the cluster twice", func(in *compiler.Input) { trustCluster(in, "cluster"); trustCluster(in, "again") },
			want{object(compiler.KindAuthorizationServer, "mcpauth-system", "main"), "Accepted", v1alpha1.ReasonInvalid, `trusted issuer "again"`, true}},

		{"a provider of an unknown server", func(in *compiler.Input) { in.IdentityProviders[0].Spec.AuthorizationServerRef.Name = "none" },
			want{object(compiler.KindIdentityProvider, "mcpauth-system", "people"), "ResolvedRefs", v1alpha1.ReasonNotFound, "mcpauth-system/none does not exist", false}},
		{"a provider whose member is missing", func(in *compiler.Input) { in.IdentityProviders[0].Spec.Static = nil },
			want{object(compiler.KindIdentityProvider, "mcpauth-system", "people"), "Accepted", v1alpha1.ReasonInvalid, "member of the same name", false}},
		{"a password that is no bcrypt hash", func(in *compiler.Input) { in.IdentityProviders[0].Spec.Static.Users[0].PasswordHash = "secret" },
			want{object(compiler.KindIdentityProvider, "mcpauth-system", "people"), "Accepted", v1alpha1.ReasonInvalid, "htpasswd -nbB alice", false}},
		{"a password hash that takes too long to check", func(in *compiler.Input) {
			in.IdentityProviders[0].Spec.Static.Users[0].PasswordHash = strings.Replace(bcryptHash, "$10$", "$20$", 1)
		}, want{object(compiler.KindIdentityProvider, "mcpauth-system", "people"), "Accepted", v1alpha1.ReasonInvalid, "at most 16", false}},
		{"a user's email that is no address", func(in *compiler.Input) { in.IdentityProviders[0].Spec.Static.Users[0].Email = "a@b@c" },
			want{object(compiler.KindIdentityProvider, "mcpauth-system", "people"), "Accepted", v1alpha1.ReasonInvalid, "not an address", false}},
		{"an upstream issuer with plain http", func(in *compiler.Input) {
			in.IdentityProviders[0].Spec.Type, in.IdentityProviders[0].Spec.Static = v1alpha1.ProviderOIDC, nil
			in.IdentityProviders[0].Spec.OIDC = &v1alpha1.OIDCProvider{Issuer: "http://idp.example.com", ClientID: "x"}
		}, want{object(compiler.KindIdentityProvider, "mcpauth-system", "people"), "Accepted", v1alpha1.ReasonInvalid, "must be https", false}},

		{"an MCPServer of an unknown server", func(in *compiler.Input) { in.MCPServers[0].Spec.AuthorizationServerRef.Name = "none" },
			want{mcp, "ResolvedRefs", v1alpha1.ReasonNotFound, "does not exist", false}},
		{"an MCPServer of a server that is not accepted", func(in *compiler.Input) { in.AuthorizationServers[0].Spec.Issuer = "ftp://x" },
			want{mcp, "ResolvedRefs", v1alpha1.ReasonInvalid, "its own status says why", false}},
		{"an MCPServer from a namespace that is not allowed", func(in *compiler.Input) { in.AuthorizationServers[0].Spec.AllowedNamespaces = nil },
			want{mcp, "ResolvedRefs", v1alpha1.ReasonNotPermitted, `namespace "apps"`, false}},
		{"an MCPServer from a namespace that the selector misses", func(in *compiler.Input) {
			in.AuthorizationServers[0].Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector,
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"mcp": "no"}}}
		}, want{mcp, "ResolvedRefs", v1alpha1.ReasonNotPermitted, `namespace "apps"`, false}},
		{"a url with dot segments", func(in *compiler.Input) { in.MCPServers[0].Spec.URL = "https://todo.example.com/a/../mcp" },
			want{mcp, "Accepted", v1alpha1.ReasonInvalid, "dot segments", false}},
		{"a url below the well-known path", func(in *compiler.Input) { in.MCPServers[0].Spec.URL = "https://todo.example.com/.well-known/mcp" },
			want{mcp, "Accepted", v1alpha1.ReasonInvalid, "choose another path", false}},
		{"a lifetime of an hour and a second", func(in *compiler.Input) {
			in.MCPServers[0].Spec.AccessTokenLifetime = &metav1.Duration{Duration: time.Hour + time.Second}
		}, want{mcp, "Accepted", v1alpha1.ReasonInvalid, "between 5m and 60m", false}},
		{"refresh tokens that die at once", func(in *compiler.Input) { in.MCPServers[0].Spec.RefreshTokenIdleLifetime = hours(0) },
			want{mcp, "Accepted", v1alpha1.ReasonInvalid, "between 1h and 8760h", false}},
		{"refresh tokens that outlive what they refresh", func(in *compiler.Input) {
			in.MCPServers[0].Spec.RefreshTokenIdleLifetime, in.MCPServers[0].Spec.RefreshTokenMaxLifetime = hours(10), hours(9)
		},
			want{mcp, "Accepted", v1alpha1.ReasonInvalid, "between refreshTokenIdleLifetime", false}},
		{"an idle lifetime beyond the default of the whole", func(in *compiler.Input) { in.MCPServers[0].Spec.RefreshTokenIdleLifetime = hours(2161) },
			want{mcp, "Accepted", v1alpha1.ReasonInvalid, "refreshTokenMaxLifetime 2160h0m0s", false}},
		{"a grant that never ends", func(in *compiler.Input) { in.MCPServers[0].Spec.RefreshTokenMaxLifetime = hours(43801) },
			want{mcp, "Accepted", v1alpha1.ReasonInvalid, "and 43800h", false}},
		{"a url twice", func(in *compiler.Input) {
			second := server("newer", 5)
			second.Spec.URL = "HTTPS://todo.example.com/mcp"
			second.Spec.URL = strings.ToLower(second.Spec.URL)
			in.MCPServers = append([]*v1alpha1.MCPServer{second}, in.MCPServers...)
		}, want{newer, "Accepted", v1alpha1.ReasonConflict, "MCPServer apps/todo, which is older", false}},
		{"a resource id twice", func(in *compiler.Input) {
			second := server("newer", 5)
			second.Spec.ResourceID = "apps-todo"
			in.MCPServers = append(in.MCPServers, second)
		}, want{newer, "Accepted", v1alpha1.ReasonConflict, "set another spec.resourceID", false}},

		{"a Scope of an unknown MCPServer", func(in *compiler.Input) {
			in.Scopes = append(in.Scopes, scope("x", "x:y", 1, func(s *v1alpha1.ScopeSpec) { s.ServerRefs[0].Name = "none" }))
		}, want{object(compiler.KindScope, "apps", "x"), "ResolvedRefs", v1alpha1.ReasonNotFound, "apps/none does not exist", false}},
		{"a Scope of an MCPServer that is not accepted", func(in *compiler.Input) { in.MCPServers[0].Spec.URL = "https://x/?q" },
			want{object(compiler.KindScope, "apps", "todo-read"), "ResolvedRefs", v1alpha1.ReasonInvalid, "its own status says why", false}},
		{"a scope twice", func(in *compiler.Input) { in.Scopes = append(in.Scopes, scope("again", "todo:read", 5, nil)) },
			want{object(compiler.KindScope, "apps", "again"), "Accepted", v1alpha1.ReasonConflict, "Scope apps/todo-read", false}},
		{"a scope that RFC 6749 forbids", func(in *compiler.Input) { in.Scopes[0].Spec.Scope = "a\"b" },
			want{object(compiler.KindScope, "apps", "todo-read"), "Accepted", v1alpha1.ReasonInvalid, "RFC 6749", false}},

		{"a scope whose condition does not compile", func(in *compiler.Input) { in.Scopes[1].Spec.GrantTo.Condition = "user.emial != ''" },
			want{object(compiler.KindScope, "apps", "todo-admin"), "Accepted", v1alpha1.ReasonInvalid, "granted to nobody", false}},
		{"a scope whose condition is no condition", func(in *compiler.Input) { in.Scopes[1].Spec.GrantTo.Condition = "user.groups" },
			want{object(compiler.KindScope, "apps", "todo-admin"), "Accepted", v1alpha1.ReasonInvalid, "is not true or false", false}},
		{"a scope whose condition makes lists", func(in *compiler.Input) { in.Scopes[1].Spec.GrantTo.Condition = "size(user.groups.map(g, g)) > 0" },
			want{object(compiler.KindScope, "apps", "todo-admin"), "Accepted", v1alpha1.ReasonInvalid, "does not compile", false}},
		{"a scope whose condition has a malformed pattern", func(in *compiler.Input) { in.Scopes[1].Spec.GrantTo.Condition = "user.email.matches('(')" },
			want{object(compiler.KindScope, "apps", "todo-admin"), "Accepted", v1alpha1.ReasonInvalid, "does not compile", false}},
		{"a scope whose condition is endless", func(in *compiler.Input) {
			in.Scopes[1].Spec.GrantTo.Condition = "user.email == '" + strings.Repeat("x", 2048) + "'"
		}, want{object(compiler.KindScope, "apps", "todo-admin"), "Accepted", v1alpha1.ReasonInvalid, "does not compile", false}},

		{"a client of an unknown MCPServer", func(in *compiler.Input) { in.OAuthClients[0].Spec.ServerRefs[0].Name = "none" },
			want{object(compiler.KindOAuthClient, "apps", "agent"), "ResolvedRefs", v1alpha1.ReasonNotFound, "apps/none does not exist", false}},
		{"a client that reaches one known and one unknown MCPServer", func(in *compiler.Input) {
			in.OAuthClients[0].Spec.ServerRefs = append(in.OAuthClients[0].Spec.ServerRefs, v1alpha1.LocalServerReference{Name: "none"})
		}, want{object(compiler.KindOAuthClient, "apps", "agent"), "ResolvedRefs", v1alpha1.ReasonNotFound, "apps/none", true}},
		{"a client of servers with different authorization servers", func(in *compiler.Input) {
			second := in.AuthorizationServers[0].DeepCopy()
			second.ObjectMeta, second.Spec.Issuer = meta("mcpauth-system", "second", 1), "https://second.example.com"
			in.AuthorizationServers = append(in.AuthorizationServers, second)
			mail := server("mail", 1)
			mail.Spec.AuthorizationServerRef.Name = "second"
			in.MCPServers = append(in.MCPServers, mail)
			in.OAuthClients[0].Spec.ServerRefs = append(in.OAuthClients[0].Spec.ServerRefs, v1alpha1.LocalServerReference{Name: "mail"})
		}, want{object(compiler.KindOAuthClient, "apps", "agent"), "Accepted", v1alpha1.ReasonInvalid, "different AuthorizationServers", false}},
		{"a redirect URI that nobody may use", func(in *compiler.Input) {
			in.OAuthClients[0].Spec.RedirectURIs = []string{"javascript:alert(1)"}
		}, want{object(compiler.KindOAuthClient, "apps", "agent"), "Accepted", v1alpha1.ReasonInvalid, "never a redirect target", false}},
		{"a client id that looks derived", func(in *compiler.Input) { in.OAuthClients[0].Spec.ClientID = "mcpc-1" },
			want{object(compiler.KindOAuthClient, "apps", "agent"), "Accepted", v1alpha1.ReasonInvalid, "derived ids", false}},
		{"a client id twice", func(in *compiler.Input) {
			second := oauthClient("second", 5)
			second.Spec.ClientID = "agent"
			in.OAuthClients = append(in.OAuthClients, second)
		}, want{object(compiler.KindOAuthClient, "apps", "second"), "Accepted", v1alpha1.ReasonConflict, "OAuthClient apps/agent", false}},
		{"a client that signs and names no keys", func(in *compiler.Input) { signing(in) },
			want{object(compiler.KindOAuthClient, "apps", "agent"), "Accepted", v1alpha1.ReasonInvalid, "exactly one of jwks and jwksURI", false}},
		{"a client that signs and names its keys twice", func(in *compiler.Input) {
			signing(in).JWKS = publicKeys(keyID)
			in.OAuthClients[0].Spec.JWKSURI = "https://a.example.com/keys"
		},
			want{object(compiler.KindOAuthClient, "apps", "agent"), "Accepted", v1alpha1.ReasonInvalid, "exactly one of jwks and jwksURI", false}},
		{"a client's private key", func(in *compiler.Input) { signing(in).JWKS = privateKeys(keyID) },
			want{object(compiler.KindOAuthClient, "apps", "agent"), "Accepted", v1alpha1.ReasonInvalid, "private or symmetric key", false}},
		{"a client's symmetric key", func(in *compiler.Input) { signing(in).JWKS = `{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}` },
			want{object(compiler.KindOAuthClient, "apps", "agent"), "Accepted", v1alpha1.ReasonInvalid, "private or symmetric key", false}},
		{"a client's keys that are for something else", func(in *compiler.Input) {
			signing(in).JWKS = strings.Replace(publicKeys(keyID), `"kty"`, `"use":"enc","kty"`, 1)
		}, want{object(compiler.KindOAuthClient, "apps", "agent"), "Accepted", v1alpha1.ReasonInvalid, "could verify a signature", false}},
		{"a client's keys that are not JSON", func(in *compiler.Input) { signing(in).JWKS = "keys" },
			want{object(compiler.KindOAuthClient, "apps", "agent"), "Accepted", v1alpha1.ReasonInvalid, "array of keys", false}},
		{"a client's keys without https", func(in *compiler.Input) { signing(in).JWKSURI = "http://a.example.com/keys" },
			want{object(compiler.KindOAuthClient, "apps", "agent"), "Accepted", v1alpha1.ReasonInvalid, "is not an https URL", false}},
		{"a workload of an unknown issuer", func(in *compiler.Input) { workload(in, "ci", "repo:x") },
			want{object(compiler.KindOAuthClient, "apps", "agent"), "ResolvedRefs", v1alpha1.ReasonNotFound, `no trusted issuer "ci"`, true}},
		{"a workload of an issuer that is not accepted", func(in *compiler.Input) {
			trust(in, func(t *v1alpha1.TrustedIssuer) { t.Condition = "(" })
			workload(in, "ci", "repo:x")
		},
			want{object(compiler.KindOAuthClient, "apps", "agent"), "ResolvedRefs", v1alpha1.ReasonInvalid, "status says why", true}},
		{"a workload of an issuer of users", func(in *compiler.Input) {
			trust(in, func(t *v1alpha1.TrustedIssuer) { t.Type = v1alpha1.TrustedIdentityAssertion })
			workload(in, "ci", "repo:x")
		},
			want{object(compiler.KindOAuthClient, "apps", "agent"), "ResolvedRefs", v1alpha1.ReasonInvalid, "not for workloads", true}},
		{"a ServiceAccount where the cluster is not trusted", func(in *compiler.Input) { serviceAccount(in, "", "agent") },
			want{object(compiler.KindOAuthClient, "apps", "agent"), "ResolvedRefs", v1alpha1.ReasonNotFound, "cluster: true", true}},
		{"a ServiceAccount of another namespace", func(in *compiler.Input) { trustCluster(in, "cluster"); serviceAccount(in, "other", "agent") },
			want{object(compiler.KindOAuthClient, "apps", "agent"), "ResolvedRefs", v1alpha1.ReasonNotPermitted, "system:serviceaccount:other:agent", true}},
		{"a ServiceAccount of another namespace by its subject", func(in *compiler.Input) {
			trustCluster(in, "cluster")
			workload(in, "cluster", "system:serviceaccount:other:agent")
		},
			want{object(compiler.KindOAuthClient, "apps", "agent"), "ResolvedRefs", v1alpha1.ReasonNotPermitted, "of its own namespace", true}},
		{"a ServiceAccount of a namespace whose name begins alike", func(in *compiler.Input) {
			trustCluster(in, "cluster")
			workload(in, "cluster", "system:serviceaccount:apps2:agent")
		},
			want{object(compiler.KindOAuthClient, "apps", "agent"), "ResolvedRefs", v1alpha1.ReasonNotPermitted, "of its own namespace", true}},
		{"a client limited to an unknown scope", func(in *compiler.Input) { in.OAuthClients[0].Spec.Scopes = []string{"todo:read", "todo:fly"} },
			want{object(compiler.KindOAuthClient, "apps", "agent"), "ResolvedRefs", v1alpha1.ReasonNotFound, `"todo:fly"`, true}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := world()
			c.change(in)
			result := compiler.Compile(*in)
			problems := result.Problems[c.want.object]
			if len(problems) != 1 {
				t.Fatalf("problems of %s: %+v, want one", c.want.object, problems)
			}
			p := problems[0]
			if p.Condition != c.want.condition || p.Reason != c.want.reason || !strings.Contains(p.Message, c.want.message) || p.Field == "" {
				t.Errorf("problem is %+v, want %+v", p, c.want)
			}
			if served := isServed(result, c.want.object); served != c.want.served {
				t.Errorf("served: %v, want %v", served, c.want.served)
			}
		})
	}
}

func isServed(r *compiler.Result, o compiler.Object) bool {
	switch o.Kind {
	case compiler.KindAuthorizationServer:
		return r.Catalogs[o.NamespacedName] != nil
	case compiler.KindMCPServer:
		return r.Servers[o.NamespacedName] != nil
	case compiler.KindOAuthClient:
		return r.Clients[o.NamespacedName] != nil
	default:
		return false
	}
}

func TestWhatWorkedGoesOnBesideANewcomerThatConflicts(t *testing.T) {
	before := compiler.Compile(*world())
	in := world()
	second := server("a-newcomer", 5)
	second.Spec.URL = in.MCPServers[0].Spec.URL
	in.MCPServers = append(in.MCPServers, second)
	in.Scopes = append(in.Scopes, scope("a-newcomer", "todo:read", 5, func(s *v1alpha1.ScopeSpec) { s.Tools = []string{"*"} }))
	after := compiler.Compile(*in)
	todo := name("apps", "todo")
	if diff := cmp.Diff(before.Servers[todo], after.Servers[todo], cmpopts.IgnoreUnexported(policy.Policy{})); diff != "" {
		t.Errorf("the older server changed (-before +after):\n%s", diff)
	}
}

func TestOfEqualAgeTheFirstByNameKeepsTheURL(t *testing.T) {
	in := world()
	twin := server("alpha", 0)
	twin.Spec.URL = in.MCPServers[0].Spec.URL
	in.MCPServers = append(in.MCPServers, twin)
	result := compiler.Compile(*in)
	if result.Servers[name("apps", "alpha")] == nil || result.Servers[name("apps", "todo")] != nil {
		t.Errorf("served: %v; want alpha alone", result.Servers)
	}
}

func TestARefusedClientKeepsNoClientID(t *testing.T) {
	in := world()
	in.OAuthClients[0].Spec.RedirectURIs = []string{"data:x"}
	second := oauthClient("second", 5)
	second.Spec.ClientID = "agent"
	in.OAuthClients = append(in.OAuthClients, second)
	result := compiler.Compile(*in)
	if result.Clients[name("apps", "second")] == nil {
		t.Errorf("the valid client is not served: %+v", result.Problems)
	}
}

func TestAClientWithoutAnIDDerivesItFromTheUID(t *testing.T) {
	in := world()
	in.OAuthClients[0].Spec.ClientID = ""
	got := compiler.Compile(*in).Clients[name("apps", "agent")]
	want := &compiler.Client{
		ID: "mcpc-uid-agent", AuthorizationServer: name("mcpauth-system", "main"),
		Issuer:        "https://auth.example.com/resources/apps-todo",
		TokenEndpoint: "https://auth.example.com/resources/apps-todo/oauth/token",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("client (-want +got):\n%s", diff)
	}
}

func TestCompilingTwiceGivesTheSamePolicyBytes(t *testing.T) {
	first, errFirst := compiler.Compile(*world()).Servers[name("apps", "todo")].Policy.Encode()
	in := world()
	in.Scopes[0], in.Scopes[1] = in.Scopes[1], in.Scopes[0]
	second, errSecond := compiler.Compile(*in).Servers[name("apps", "todo")].Policy.Encode()
	if errFirst != nil || errSecond != nil || string(first) != string(second) {
		t.Errorf("%s\n%s\n%v %v", first, second, errFirst, errSecond)
	}
	if _, err := policy.Decode(first); err != nil {
		t.Errorf("the sidecar would refuse it: %v", err)
	}
}

func TestTrustedProxiesReachTheCatalog(t *testing.T) {
	in := world()
	in.AuthorizationServers[0].Spec.TrustedProxies = []string{"10.0.0.0/8", "2001:db8::/32"}
	got := compiler.Compile(*in).Catalogs[name("mcpauth-system", "main")].TrustedProxies()
	if len(got) != 2 || got[0].String() != "10.0.0.0/8" || got[1].String() != "2001:db8::/32" {
		t.Errorf("trusted proxies are %v", got)
	}
}
