package compiler_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/oauth"
)

// served compiles a world that has no problems.
func served(t *testing.T, in *compiler.Input) *catalog.Catalog {
	t.Helper()
	result := compiler.Compile(*in)
	if len(result.Problems) > 0 {
		t.Fatalf("problems: %+v", result.Problems)
	}
	return result.Catalogs[name("mcpauth-system", "main")]
}

func TestWhatAnAuthorizationServerDoesNotSayHasDefaults(t *testing.T) {
	in := world()
	for _, registration := range []*v1alpha1.Registration{nil, {}} {
		in.AuthorizationServers[0].Spec.Registration = registration
		c := served(t, in)
		want := &catalog.Registration{Dynamic: true, MetadataDocuments: true, UnusedLifetime: 24 * time.Hour, MaxClients: 10_000}
		if diff := cmp.Diff(want, c.Registration()); diff != "" {
			t.Errorf("registration (-want +got):\n%s", diff)
		}
		if c.SessionLifetime() != 12*time.Hour || c.StrictAssertions() || c.Logo() != "" || len(c.AllTrustedIssuers()) != 0 || len(c.Outbound().PrivateHosts) != 0 {
			t.Errorf("catalog is %+v", c)
		}
	}
}

func TestEverythingThatAnAuthorizationServerSaysReachesTheCatalog(t *testing.T) {
	in := world()
	ca := certificate(t)
	most := int32(7)
	document := `{"client_id":"` + documentURL + `","redirect_uris":["https://app.example.com/cb"]}`
	spec := &in.AuthorizationServers[0].Spec
	spec.Logo = "data:image/png;base64,AAAA"
	spec.SessionLifetime = hours(0)
	spec.StrictAssertionAudience = true
	spec.Outbound = &v1alpha1.Outbound{PrivateHosts: []string{"ci.internal"}, CABundle: ca + "\n" + ca}
	spec.Registration = &v1alpha1.Registration{
		Dynamic: v1alpha1.Disabled, MetadataDocuments: v1alpha1.Disabled,
		AllowedRedirectHosts: []string{"a.example.com"}, AllowedDocumentHosts: []string{"b.example.com"},
		Documents:      []v1alpha1.ClientDocument{{ClientID: documentURL, Document: document}},
		BlockedClients: []string{"bad"}, UnusedLifetime: hours(2), MaxClients: &most,
	}
	c := served(t, in)
	want := &catalog.Registration{
		RedirectHosts: []string{"a.example.com"}, DocumentHosts: []string{"b.example.com"},
		Documents: map[string]string{documentURL: document}, Blocked: []string{"bad"},
		UnusedLifetime: 2 * time.Hour, MaxClients: 7,
	}
	if diff := cmp.Diff(want, c.Registration()); diff != "" {
		t.Errorf("registration (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(catalog.Outbound{PrivateHosts: []string{"ci.internal"}, CABundle: ca + "\n" + ca}, c.Outbound()); diff != "" {
		t.Errorf("outbound (-want +got):\n%s", diff)
	}
	if c.Logo() != spec.Logo || c.SessionLifetime() != 0 || !c.StrictAssertions() {
		t.Errorf("catalog is %+v", c)
	}
}

func TestTrustedIssuersReachTheCatalog(t *testing.T) {
	in := world()
	trustCluster(in, "cluster")
	trust(in, func(t *v1alpha1.TrustedIssuer) { t.Issuer, t.JWKS = "spiffe://example.com", publicKeys(keyID) })
	trust(in, func(t *v1alpha1.TrustedIssuer) {
		*t = v1alpha1.TrustedIssuer{
			Name: "staff", Type: v1alpha1.TrustedIdentityAssertion, Issuer: "https://idp.example.com/", JWKSURI: "https://idp.example.com/keys",
			Organization: "Example", AllowedEmailDomains: []string{"example.com"},
			Claims: &v1alpha1.ClaimNames{Subject: "uid", Email: "mail", Groups: "roles"},
		}
	})
	want := []*catalog.TrustedIssuer{
		{Name: "cluster", Kind: catalog.WorkloadAssertion, Cluster: true},
		{Name: "ci", Kind: catalog.WorkloadAssertion, Issuer: "spiffe://example.com", JWKS: publicKeys(keyID)},
		{
			Name: "staff", Kind: catalog.IdentityAssertion, Issuer: "https://idp.example.com/", JWKSURI: "https://idp.example.com/keys",
			Organization: "Example", AllowedEmailDomains: []string{"example.com"}, SubjectClaim: "uid", EmailClaim: "mail", GroupsClaim: "roles",
		},
	}
	if diff := cmp.Diff(want, served(t, in).AllTrustedIssuers()); diff != "" {
		t.Errorf("trusted issuers (-want +got):\n%s", diff)
	}
}

func TestATrustedIssuerThatIsWrongLeavesTheOthers(t *testing.T) {
	in := world()
	trust(in, func(t *v1alpha1.TrustedIssuer) { t.Condition = "nonsense" })
	trustCluster(in, "cluster")
	trustCluster(in, "again")
	serviceAccount(in, "", "agent")
	result := compiler.Compile(*in)
	trusted := result.Catalogs[name("mcpauth-system", "main")].AllTrustedIssuers()
	if len(trusted) != 1 || trusted[0].Name != "cluster" {
		t.Errorf("trusted issuers are %+v, want the first of the cluster alone", trusted)
	}
	if problems := result.Problems[object(compiler.KindAuthorizationServer, "mcpauth-system", "main")]; len(problems) != 2 {
		t.Errorf("problems: %+v, want two", problems)
	}
	if !result.Accepted(object(compiler.KindOAuthClient, "apps", "agent")) || !result.Accepted(object(compiler.KindMCPServer, "apps", "todo")) {
		t.Errorf("problems: %+v", result.Problems)
	}
}

func TestEverythingThatAnMCPServerSaysReachesTheCatalog(t *testing.T) {
	in := world()
	most := int32(9)
	spec := &in.MCPServers[0].Spec
	spec.RefreshTokenIdleLifetime, spec.RefreshTokenMaxLifetime = hours(1), hours(1)
	spec.TokenBinding, spec.OpenIDConnect = v1alpha1.TokenBindingDPoPRequired, v1alpha1.Enabled
	spec.Registration = &v1alpha1.ServerRegistration{
		Dynamic: v1alpha1.Disabled, AllowedRedirectHosts: []string{"a.example.com"}, AllowedDocumentHosts: []string{"b.example.com"},
		BlockedClients: []string{"bad"}, MaxClients: &most,
	}
	r := served(t, in).Resource("apps-todo")
	if p := compiler.Compile(*in).Servers[name("apps", "todo")].Policy; !p.RequireDPoP {
		t.Error("the sidecar would take tokens that are not bound to a key")
	}
	want := &catalog.Registration{
		MetadataDocuments: true, RedirectHosts: []string{"a.example.com"}, DocumentHosts: []string{"b.example.com"},
		Blocked: []string{"bad"}, MaxClients: 9,
	}
	if diff := cmp.Diff(want, r.Registration); diff != "" {
		t.Errorf("registration (-want +got):\n%s", diff)
	}
	if r.RefreshTokenIdle != time.Hour || r.RefreshTokenMax != time.Hour || !r.RequireDPoP || !r.OpenID {
		t.Errorf("resource is %+v", r)
	}
}

func TestEverythingThatAClientSaysReachesTheCatalog(t *testing.T) {
	in := world()
	trustCluster(in, "cluster")
	trust(in, nil)
	signing(in).JWKS = publicKeys(keyID)
	spec := &in.OAuthClients[0].Spec
	spec.GrantTypes = []v1alpha1.GrantType{oauth.GrantJWTBearer}
	spec.RedirectURIs = nil
	spec.RequirePushedAuthorizationRequests, spec.RequireDPoP = true, true
	workload(in, "ci", "repo:example/app")
	workload(in, "cluster", "system:serviceaccount:apps:agent")
	serviceAccount(in, "", "agent")
	serviceAccount(in, "apps", "other")
	want := &catalog.Client{
		ID: "agent", Name: "agent", Resources: []oauth.ResourceID{"apps-todo"},
		GrantTypes: []string{"urn:ietf:params:oauth:grant-type:jwt-bearer"}, AuthMethod: "private_key_jwt", JWKS: publicKeys(keyID),
		RequirePushedRequests: true, RequireDPoP: true,
		Workloads: []catalog.Workload{
			{TrustedIssuer: "ci", Subject: "repo:example/app"},
			{TrustedIssuer: "cluster", Subject: "system:serviceaccount:apps:agent"},
			{TrustedIssuer: "cluster", Subject: "system:serviceaccount:apps:other"},
		},
	}
	if diff := cmp.Diff(want, served(t, in).Client("agent"), cmp.Comparer(oauth.ScopeSet.Equal)); diff != "" {
		t.Errorf("client (-want +got):\n%s", diff)
	}
	spec.JWKS = publicKeys("") // RFC 7517 §4.5: "kid" is optional
	served(t, in)
	spec.JWKS, spec.JWKSURI = "", "https://agent.example.com/keys?v=1"
	if got := served(t, in).Client("agent"); got.JWKS != "" || got.JWKSURI != spec.JWKSURI {
		t.Errorf("client is %+v", got)
	}
}

func TestAProviderOfUsersMayShareItsNameWithAnIssuerOfTheSameUsers(t *testing.T) {
	in := world()
	provider := &in.IdentityProviders[0].Spec
	provider.Type, provider.Static = v1alpha1.ProviderOIDC, nil
	provider.OIDC = &v1alpha1.OIDCProvider{Issuer: "https://ci.example.com", ClientID: "mcpauth"}
	trust(in, func(t *v1alpha1.TrustedIssuer) { t.Name, t.Type = "people", v1alpha1.TrustedIdentityAssertion })
	served(t, in)
}
