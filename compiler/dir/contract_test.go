package dir_test

import (
	"testing"

	"github.com/mcpauth/mcpauth/compiler/dir"
)

// contract is the manifest that other tools rely on: whatever else changes, it is
// accepted as it stands here.
const contract = `apiVersion: mcpauth.dev/v1alpha1
kind: AuthorizationServer
metadata: {name: main, namespace: mcpauth-system}
spec: {issuer: "http://127.0.0.1:9400", storage: {type: SQLite}, allowedNamespaces: {from: All}}
---
apiVersion: mcpauth.dev/v1alpha1
kind: IdentityProvider
metadata: {name: people, namespace: mcpauth-system}
spec:
  authorizationServerRef: {name: main}
  type: Static
  static: {users: [{username: alice, email: alice@example.com, passwordHash: "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", groups: [staff]}]}
---
apiVersion: mcpauth.dev/v1alpha1
kind: MCPServer
metadata: {name: todo, namespace: apps}
spec:
  authorizationServerRef: {name: main, namespace: mcpauth-system}
  url: "http://127.0.0.1:9401/mcp"
  workload: {port: 8080, path: /mcp}
  accessTokenLifetime: 15m
---
apiVersion: mcpauth.dev/v1alpha1
kind: Scope
metadata: {name: todo-read, namespace: apps}
spec: {scope: "todo:read", description: Read your tasks, serverRefs: [{name: todo}], tools: ["list_*", "get_*"], default: true}
---
apiVersion: mcpauth.dev/v1alpha1
kind: OAuthClient
metadata: {name: agent, namespace: apps}
spec:
  clientID: agent
  serverRefs: [{name: todo}]
  grantTypes: [authorization_code, refresh_token, client_credentials]
  redirectURIs: ["http://127.0.0.1:8765/callback"]
  tokenEndpointAuthMethod: client_secret_basic
  secret: {name: agent-oauth, mode: Generate}
`

func TestTheContractManifestIsAccepted(t *testing.T) {
	manifests, err := dir.Load(t.Context(), write(t, map[string]string{"contract.yaml": contract}))
	if err != nil {
		t.Fatal(err)
	}
	result, err := manifests.Compile()
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Servers) != 1 || len(result.Clients) != 1 || len(result.Catalogs) != 1 {
		t.Errorf("compiled to %d servers, %d clients, %d catalogs; want one of each", len(result.Servers), len(result.Clients), len(result.Catalogs))
	}
}
