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

		UnmatchedOperations: policy.Deny,
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
