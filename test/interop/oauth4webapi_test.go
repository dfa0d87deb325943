package interop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/test/clients"
	"github.com/mcpauth/mcpauth/test/clients/clientstest"
)

// signerID is a client that authenticates with a key.
const signerID = "signer"

func TestAStrictOAuthLibraryAcceptsEveryFlow(t *testing.T) {
	node := clientstest.Install(t)
	key := newSignerKey(t)
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) {
		c.Resources[0].OpenID = true
		c.Clients = append(c.Clients, &catalog.Client{
			ID: signerID, Name: "Signer", Resources: []oauth.ResourceID{authservertest.ResourceID},
			GrantTypes: []string{oauth.GrantClientCredentials}, AuthMethod: oauth.AuthMethodPrivateKeyJWT,
			JWKS: encode(t, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}),
		})
	}))
	keyFile := filepath.Join(t.TempDir(), "signer.json")
	if err := os.WriteFile(keyFile, []byte(encode(t, key)), 0o600); err != nil {
		t.Fatal(err)
	}
	steps, err := node.Run(t.Context(), clients.OAuth4WebAPI,
		"--issuer", server.ResourceIssuer(), "--resource", authservertest.ResourceURL, "--scope", "todo:read todo:write",
		"--username", authservertest.Username, "--password", authservertest.Password,
		"--agent-id", authservertest.AgentID, "--agent-secret", authservertest.AgentSecret,
		"--signer-id", signerID, "--signer-key", keyFile)
	var names []string
	for _, step := range steps {
		t.Logf("%s", step.Line)
		names = append(names, step.Name)
	}
	if err != nil {
		t.Error(err)
	}
	want := []string{
		"discover", "register", "authorize", "refresh", "client_credentials", "introspect", "revoke",
		"push", "bind", "id_token", "private_key_jwt",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func newSignerKey(t *testing.T) *jose.JSONWebKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &jose.JSONWebKey{Key: key, KeyID: "signer-1", Algorithm: string(jose.ES256), Use: "sig"}
}

func encode(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
