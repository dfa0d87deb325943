package authserver_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
)

func TestEveryWellKnownVariantIsTheSameDocument(t *testing.T) {
	for _, prefix := range []string{"", "/auth"} {
		server := authservertest.New(t, authservertest.WithPath(prefix))
		origin := strings.TrimSuffix(server.Issuer, prefix)
		browser := authservertest.NewBrowser(t)
		for _, path := range []string{prefix, prefix + "/resources/apps-todo"} {
			variants := []string{
				"/.well-known/oauth-authorization-server" + path, "/.well-known/openid-configuration" + path,
				path + "/.well-known/openid-configuration", path + "/.well-known/oauth-authorization-server",
			}
			first := browser.Get(origin + variants[0])
			for _, variant := range variants {
				got := browser.Get(origin + variant)
				if got.Status != http.StatusOK || got.Header.Get("Content-Type") != "application/json" || got.Body != first.Body {
					t.Errorf("%s: got %d %s", variant, got.Status, got.Body)
				}
				if got.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(got.Header.Get("Cache-Control"), "max-age=") {
					t.Errorf("%s: headers: got %v", variant, got.Header)
				}
			}
			var document struct{ Issuer string }
			if err := json.Unmarshal([]byte(first.Body), &document); err != nil || document.Issuer != origin+path {
				t.Errorf("%s: issuer: got %q", path, document.Issuer)
			}
		}
	}
}

func TestAResourceIssuerDescribesItself(t *testing.T) {
	server := authservertest.New(t)
	status, got := server.Call(t, http.MethodGet, server.Issuer+"/.well-known/oauth-authorization-server/resources/apps-todo", "", "")
	wantStatus(t, status, http.StatusOK, got)
	own := server.ResourceIssuer()
	methods := []any{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}
	algorithms := []any{"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"}
	want := map[string]any{
		"issuer": own, "authorization_endpoint": own + "/oauth/authorize", "token_endpoint": own + "/oauth/token",
		"registration_endpoint": own + "/client_register", "revocation_endpoint": own + "/oauth/revoke",
		"jwks_uri": server.Issuer + "/keys", "scopes_supported": []any{"todo:read", "todo:write"},
		"response_types_supported": []any{"code"}, "response_modes_supported": []any{"query"},
		"grant_types_supported":   []any{"authorization_code", "refresh_token", "client_credentials"},
		"subject_types_supported": []any{"public"}, "id_token_signing_alg_values_supported": []any{"RS256"},
		"token_endpoint_auth_methods_supported": methods, "revocation_endpoint_auth_methods_supported": methods,
		"code_challenge_methods_supported": []any{"S256"}, "protected_resources": []any{authservertest.ResourceURL},
		"authorization_response_iss_parameter_supported": true, "client_id_metadata_document_supported": true,
		"request_uri_parameter_supported": false,
		"introspection_endpoint":          own + "/oauth/introspect", "introspection_endpoint_auth_methods_supported": methods[1:],
		"pushed_authorization_request_endpoint":                    own + "/oauth/par",
		"token_endpoint_auth_signing_alg_values_supported":         algorithms,
		"revocation_endpoint_auth_signing_alg_values_supported":    algorithms,
		"introspection_endpoint_auth_signing_alg_values_supported": algorithms,
		"dpop_signing_alg_values_supported":                        []any{"ES256", "RS256", "PS256", "EdDSA", "ES384"},
		"prompt_values_supported":                                  []any{"none", "login", "consent", "select_account"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestMetadataFollowsTheCatalog(t *testing.T) {
	server := authservertest.New(t)
	read := func() map[string]any {
		_, got := server.Call(t, http.MethodGet, server.ResourceIssuer()+"/.well-known/openid-configuration", "", "")
		return got
	}
	if read()["registration_endpoint"] == nil {
		t.Error("there is no registration endpoint while registration is on")
	}
	server.Swap(func(c *catalog.Content) {
		c.Registration.Dynamic = false
		c.Resources[0].Scopes = c.Resources[0].Scopes[:1]
	})
	got := read()
	if got["registration_endpoint"] != nil {
		t.Error("there is a registration endpoint while registration is off")
	}
	if diff := cmp.Diff([]any{"todo:read"}, got["scopes_supported"]); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
}

func TestTheRootIssuerOfSeveralResourcesDoesNotListThem(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(secondResource))
	_, got := server.Call(t, http.MethodGet, server.Issuer+"/.well-known/oauth-authorization-server", "", "")
	if got["scopes_supported"] != nil || got["protected_resources"] != nil {
		t.Errorf("metadata: got %v", got)
	}
}

func TestEverythingElseIsAJSON404(t *testing.T) {
	server := authservertest.New(t)
	for _, path := range []string{
		"/.well-known/", "/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server/resources/none",
		"/.well-known/oauth-authorization-server/resources/apps-todo/more", "/.well-known/oauth-authorization-serverx",
		"/resources/apps-todo/.well-known/jwks.json", "/x/.well-known/openid-configuration",
		"/", "/resources", "/resources/", "/resources/apps-todo", "/resources/none/oauth/authorize", "/resources/apps-todo/keys",
		"/resources/apps-todo/oauth/signin", "/oauth/", "/oauth/token/", "/oauth//token", "/oauth/%74oken", "/OAUTH/token",
		"/resources/../keys", "/index.html",
	} {
		status, got := server.Call(t, http.MethodGet, server.Issuer+path, "", "")
		wantError(t, status, got, http.StatusNotFound, "invalid_request")
	}
}

func TestTheKeySetHoldsPublicKeysAlone(t *testing.T) {
	server := authservertest.New(t)
	page := authservertest.NewBrowser(t).Get(server.Issuer + "/keys")
	if page.Status != http.StatusOK || page.Header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("got %d, Cache-Control %q", page.Status, page.Header.Get("Cache-Control"))
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal([]byte(page.Body), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("key set: got %s", page.Body)
	}
	for name := range set.Keys[0] {
		if !strings.Contains(" kty n e kid use alg ", " "+name+" ") {
			t.Errorf("the key has a member %q", name)
		}
	}
}

func TestTheHostHeaderDecidesNothing(t *testing.T) {
	server := authservertest.New(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.Issuer+"/.well-known/oauth-authorization-server", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "evil.example"
	request.Header.Set("X-Forwarded-Host", "evil.example")
	_, got := server.Do(t, request)
	if strings.Contains(asJSON(t, got), "evil.example") {
		t.Errorf("metadata: got %v", got)
	}
}

func TestWithoutACatalogEverythingButHealthIsUnavailable(t *testing.T) {
	server := authservertest.New(t)
	if err := server.Handler.Ready(); err != nil {
		t.Errorf("with a catalog: %v", err)
	}
	server.Unload()
	if server.Handler.Ready() == nil {
		t.Error("it is ready without a catalog")
	}
	for _, path := range []string{"/keys", "/oauth/authorize", "/.well-known/openid-configuration"} {
		status, got := server.Call(t, http.MethodGet, server.Issuer+path, "", "")
		wantError(t, status, got, http.StatusServiceUnavailable, "temporarily_unavailable")
	}
	if page := authservertest.NewBrowser(t).Get(server.Issuer + "/healthz"); page.Status != http.StatusOK {
		t.Errorf("/healthz: got %d", page.Status)
	}
}
