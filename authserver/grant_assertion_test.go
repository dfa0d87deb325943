package authserver_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver"
	"github.com/mcpauth/mcpauth/authserver/assertion"
	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/oauth/jwks"
)

const (
	corpIssuer    = "https://login.corp.example"
	clusterIssuer = "https://kubernetes.default.svc"
	agentAccount  = "system:serviceaccount:apps:agent"
)

// trusting is a server that trusts the holder's key as an enterprise's identity
// provider and as the cluster's ServiceAccount issuer.
func trusting(t *testing.T, key holder, change func(*catalog.Content)) *authservertest.Server {
	t.Helper()
	keys, err := jwks.Parse([]byte(key.jwks(t)))
	if err != nil {
		t.Fatal(err)
	}
	return authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) {
		c.TrustedIssuers = []*catalog.TrustedIssuer{
			{Name: "corp", Kind: catalog.IdentityAssertion, Issuer: corpIssuer, JWKS: key.jwks(t), Organization: "corp"},
			{Name: "cluster", Kind: catalog.WorkloadAssertion, Cluster: true},
		}
		agent := c.Clients[0]
		agent.GrantTypes = append(agent.GrantTypes, oauth.GrantJWTBearer)
		worker := *agent
		worker.ID, worker.Name, worker.AuthMethod = "worker", "Worker", oauth.AuthMethodNone
		worker.GrantTypes = []string{oauth.GrantJWTBearer}
		worker.Workloads = []catalog.Workload{{TrustedIssuer: "cluster", Subject: agentAccount}}
		c.Clients = append(c.Clients, &worker)
		if change != nil {
			change(c)
		}
	}), authservertest.WithServer(func(o *authserver.Options) {
		o.ClusterIssuer = func(context.Context) (string, assertion.Keys, error) { return clusterIssuer, keys, nil }
	}))
}

// idJAG is an Identity Assertion Authorization Grant for alice and the agent.
func idJAG(t *testing.T, server *authservertest.Server, key holder, changes map[string]any) string {
	t.Helper()
	now := server.Now()
	return key.sign(t, "oauth-id-jag+jwt", false, merged(map[string]any{
		"iss": corpIssuer, "sub": "alice-1", "aud": server.ResourceIssuer(), "client_id": authservertest.AgentID, "jti": credential.Random(12),
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "resource": authservertest.ResourceURL, "scope": "todo:read todo:write",
		"email": "alice@corp.example", "email_verified": true, "groups": []string{"staff"},
	}, changes))
}

// accountToken is a ServiceAccount's token for this server.
func accountToken(t *testing.T, server *authservertest.Server, key holder, changes map[string]any) string {
	t.Helper()
	now := server.Now()
	return key.sign(t, "JWT", false, merged(map[string]any{
		"iss": clusterIssuer, "sub": agentAccount, "aud": []string{server.Issuer}, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{"namespace": "apps"},
	}, changes))
}

func bearer(assertion string, changes url.Values) url.Values {
	form := url.Values{"grant_type": {oauth.GrantJWTBearer}, "assertion": {assertion}}
	for name, value := range changes {
		form[name] = value
	}
	return form
}

func asAgent(t *testing.T, server *authservertest.Server, form url.Values) (int, map[string]any) {
	t.Helper()
	return basic(t, server, server.ResourceIssuer()+"/oauth/token", authservertest.AgentID, authservertest.AgentSecret, form)
}

func TestAnIdentityAssertionLetsAClientActForAUser(t *testing.T) {
	key := newHolder(t)
	server := trusting(t, key, nil)
	status, tokens := asAgent(t, server, bearer(idJAG(t, server, key, nil), nil))
	wantStatus(t, status, http.StatusOK, tokens)
	if tokens["refresh_token"] != nil {
		t.Error("there is a refresh token")
	}
	claims := verify(t, server, tokens)
	if claims.Subject != "corp|alice-1" || claims.Email != "alice@corp.example" || claims.Organization != "corp" ||
		claims.ClientID != authservertest.AgentID || claims.Scope.String() != "todo:read todo:write" {
		t.Errorf("claims: got %+v", claims)
	}
}

func TestTheScopeOfAnIdentityAssertionIsWhatAllAgreeOn(t *testing.T) {
	key := newHolder(t)
	for _, test := range []struct {
		name               string
		asserted           any
		requested, granted string
		rule               func(*catalog.Content)
	}{
		{name: "as asserted", asserted: "todo:read", granted: "todo:read"},
		{name: "what request and assertion share", asserted: "todo:read other", requested: "todo:read todo:write", granted: "todo:read"},
		{name: "what the request takes", asserted: "todo:read todo:write", requested: "todo:write", granted: "todo:write"},
		{name: "the default where none is asserted", granted: "todo:read"},
		{name: "what the rules leave", asserted: "todo:read todo:write", granted: "todo:read", rule: func(c *catalog.Content) { c.Resources[0].Scopes[1].Groups = []string{"admins"} }},
		{name: "what the organisation leaves", asserted: "todo:read todo:write", granted: "todo:read", rule: func(c *catalog.Content) { c.Resources[0].Scopes[1].Organizations = []string{"other"} }},
		{name: "what the conditions leave", asserted: "todo:read todo:write", granted: "todo:read", rule: func(c *catalog.Content) {
			c.Resources[0].Scopes[1].Condition = func(g catalog.Grantee) bool { return g.GrantType != oauth.GrantJWTBearer }
		}},
		{name: "what the client may have", asserted: "todo:read todo:write", granted: "todo:read", rule: func(c *catalog.Content) { c.Clients[0].Scopes = oauth.NewScopeSet("todo:read") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := trusting(t, key, test.rule)
			form := bearer(idJAG(t, server, key, map[string]any{"scope": test.asserted}), nil)
			if test.requested != "" {
				form.Set("scope", test.requested)
			}
			status, tokens := asAgent(t, server, form)
			wantStatus(t, status, http.StatusOK, tokens)
			if tokens["scope"] != test.granted {
				t.Errorf("scope: got %q, want %q", tokens["scope"], test.granted)
			}
		})
	}
}

func TestAnIdentityAssertionIsRefused(t *testing.T) {
	key, stranger := newHolder(t), newHolder(t)
	server := trusting(t, key, secondResource)
	before := server.Store.Writes()
	for _, test := range []struct {
		name      string
		assertion string
		code      oauth.ErrorCode
	}{
		{"none", "", oauth.InvalidRequest},
		{"not a JWT", "x", oauth.InvalidGrant},
		{"by another key", idJAG(t, server, stranger, nil), oauth.InvalidGrant},
		{"of another issuer", idJAG(t, server, key, map[string]any{"iss": "https://other.example"}), oauth.InvalidGrant},
		{"of the cluster's issuer", idJAG(t, server, key, map[string]any{"iss": clusterIssuer}), oauth.InvalidGrant},
		{"for another server", idJAG(t, server, key, map[string]any{"aud": "https://other.example"}), oauth.InvalidGrant},
		{"for the token endpoint", idJAG(t, server, key, map[string]any{"aud": server.ResourceIssuer() + "/oauth/token"}), oauth.InvalidGrant},
		{"for another client", idJAG(t, server, key, map[string]any{"client_id": "worker"}), oauth.InvalidGrant},
		{"for no client", idJAG(t, server, key, map[string]any{"client_id": nil}), oauth.InvalidGrant},
		{"for another resource", idJAG(t, server, key, map[string]any{"resource": "http://127.0.0.1:9402/mcp"}), oauth.InvalidTarget},
		{"for an unknown resource", idJAG(t, server, key, map[string]any{"resource": "https://unknown.example/mcp"}), oauth.InvalidTarget},
		{"for a resource that is too long to read", idJAG(t, server, key, map[string]any{"resource": "https://elsewhere.example/" + strings.Repeat("a", 300)}), oauth.InvalidTarget},
		{"for a resource that is no text", idJAG(t, server, key, map[string]any{"resource": map[string]any{"uri": "x"}}), oauth.InvalidGrant},
		{"for resources that are no texts", idJAG(t, server, key, map[string]any{"resource": []any{map[string]any{"uri": "x"}}}), oauth.InvalidGrant},
		{"for resources that are none", idJAG(t, server, key, map[string]any{"resource": []any{}}), oauth.InvalidGrant},
		{"with nothing that can be granted", idJAG(t, server, key, map[string]any{"scope": "other"}), oauth.InvalidGrant},
		{"expired", idJAG(t, server, key, map[string]any{"exp": server.Now().Add(-time.Minute).Unix()}), oauth.InvalidGrant},
		{"without an end", idJAG(t, server, key, map[string]any{"exp": nil}), oauth.InvalidGrant},
		{"valid for too long", idJAG(t, server, key, map[string]any{"exp": server.Now().Add(48 * time.Hour).Unix()}), oauth.InvalidGrant},
		{"without an id", idJAG(t, server, key, map[string]any{"jti": nil}), oauth.InvalidGrant},
		{"without a subject", idJAG(t, server, key, map[string]any{"sub": nil}), oauth.InvalidGrant},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, got := asAgent(t, server, bearer(test.assertion, nil))
			wantError(t, status, got, http.StatusBadRequest, test.code)
		})
	}
	wantUnchanged(t, server, before)
}

// An assertion is redeemed once, at whatever replica, and costs nothing where the
// request fails; an unsigned or mistyped one never is (Keycloak CVE-2026-16093).
func TestAttack18_AssertionReplayedOrMistyped(t *testing.T) {
	key := newHolder(t)
	server := trusting(t, key, nil)
	assertion := idJAG(t, server, key, nil)
	status, got := asAgent(t, server, bearer(assertion, changed("resource", "https://unknown.example/")))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidTarget)
	status, got = asAgent(t, server, bearer(assertion, nil))
	wantStatus(t, status, http.StatusOK, got)
	status, got = asAgent(t, server, bearer(assertion, nil))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)

	now := server.Now()
	claims := map[string]any{
		"iss": corpIssuer, "sub": "alice-1", "aud": server.ResourceIssuer(), "client_id": authservertest.AgentID, "jti": "typed",
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "resource": authservertest.ResourceURL, "scope": "todo:read",
	}
	for _, typ := range []string{"JWT", "at+jwt", "dpop+jwt", "logout+jwt"} {
		status, got = asAgent(t, server, bearer(key.sign(t, typ, false, claims), nil))
		wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	}
	status, got = asAgent(t, server, bearer("eyJhbGciOiJub25lIiwidHlwIjoib2F1dGgtaWQtamFnK2p3dCJ9.e30.", nil))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
}

func TestAWorkloadActsAsTheClientThatNamesIt(t *testing.T) {
	key := newHolder(t)
	server := trusting(t, key, nil)
	form := bearer(accountToken(t, server, key, nil), url.Values{"client_id": {"worker"}, "scope": {"todo:read"}})
	for range 2 { // it is what the kubelet keeps ready, and may be used until it expires
		status, tokens := server.Token(t, form)
		wantStatus(t, status, http.StatusOK, tokens)
		if got := verify(t, server, tokens); got.Subject != "cluster|"+agentAccount || got.ClientID != "worker" || tokens["refresh_token"] != nil {
			t.Errorf("got %+v", got)
		}
	}
}

func TestAWorkloadIsRefused(t *testing.T) {
	key, stranger := newHolder(t), newHolder(t)
	server := trusting(t, key, nil)
	before := server.Store.Writes()
	worker := changed("client_id", "worker")
	for _, test := range []struct {
		name string
		form url.Values
		code oauth.ErrorCode
	}{
		{"by another key", bearer(accountToken(t, server, stranger, nil), worker), oauth.InvalidGrant},
		{"another account", bearer(accountToken(t, server, key, map[string]any{"sub": "system:serviceaccount:apps:other"}), worker), oauth.InvalidGrant},
		{"the API server's audience", bearer(accountToken(t, server, key, map[string]any{"aud": []string{"https://kubernetes.default.svc"}}), worker), oauth.InvalidGrant},
		{"expired", bearer(accountToken(t, server, key, map[string]any{"exp": server.Now().Add(-time.Minute).Unix()}), worker), oauth.InvalidGrant},
		{"an unknown scope rule", bearer(idJAG(t, server, key, nil), worker), oauth.UnauthorizedClient},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, got := server.Token(t, test.form)
			wantError(t, status, got, http.StatusBadRequest, test.code)
		})
	}
	// A client that names no workloads is nobody's.
	status, got := asAgent(t, server, bearer(accountToken(t, server, key, nil), nil))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	wantUnchanged(t, server, before)
}

func TestTheMetadataNamesTheGrantWhereSomebodyIsTrusted(t *testing.T) {
	server := trusting(t, newHolder(t), nil)
	_, metadata := server.Call(t, http.MethodGet, server.ResourceIssuer()+"/.well-known/oauth-authorization-server", "", "")
	grants, profiles := metadata["grant_types_supported"].([]any), metadata["authorization_grant_profiles_supported"].([]any)
	if grants[len(grants)-1] != oauth.GrantJWTBearer || len(profiles) != 1 {
		t.Errorf("got %v and %v", grants, profiles)
	}
}
