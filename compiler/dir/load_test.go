package dir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/compiler/dir"
)

const server = `apiVersion: mcpauth.dev/v1alpha1
kind: AuthorizationServer
metadata: {name: main, namespace: mcpauth-system}
spec: {issuer: "http://127.0.0.1:9400", storage: {type: SQLite}, allowedNamespaces: {from: All}}
`

const todo = `apiVersion: mcpauth.dev/v1alpha1
kind: MCPServer
metadata: {name: todo, namespace: apps}
spec:
  authorizationServerRef: {name: main, namespace: mcpauth-system}
  url: "http://127.0.0.1:9401/mcp"
  workload: {port: 8080, path: /mcp}
`

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestTheSamplesCompileWithoutProblems(t *testing.T) {
	manifests, err := dir.Load(t.Context(), "../../config/samples")
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

func TestTheProductionSamplesCompileWithoutProblems(t *testing.T) {
	manifests, err := dir.Load(t.Context(), "../../config/samples/production")
	if err != nil {
		t.Fatal(err)
	}
	result, err := manifests.Compile()
	if err != nil {
		t.Fatal(err)
	}
	served := result.Catalogs[types.NamespacedName{Namespace: "mcpauth-system", Name: "main"}]
	if len(served.AllTrustedIssuers()) != 3 || len(result.Servers) != 1 || len(result.Clients) != 2 {
		t.Errorf("compiled to %d trusted issuers, %d servers, %d clients", len(served.AllTrustedIssuers()), len(result.Servers), len(result.Clients))
	}
}

func TestDefaultsOfTheSchemaAreFilledIn(t *testing.T) {
	manifests, err := dir.Load(t.Context(), write(t, map[string]string{"all.yaml": server + "---\n" + todo}))
	if err != nil {
		t.Fatal(err)
	}
	spec := manifests.Input.MCPServers[0].Spec
	if spec.AccessTokenLifetime == nil || spec.AccessTokenLifetime.Minutes() != 15 || spec.UnmatchedOperations != "Deny" {
		t.Errorf("spec is %+v", spec)
	}
	if server := manifests.Input.AuthorizationServers[0].Spec; server.SigningAlgorithm != "RS256" || server.SessionLifetime == nil || *server.Replicas != 1 {
		t.Errorf("spec is %+v", server)
	}
}

func TestOtherDocumentsArePassedOver(t *testing.T) {
	folder := write(t, map[string]string{
		"all.yaml":  "# only a comment\n---\n" + server + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n---\n",
		"notes.txt": "not a manifest",
	})
	if _, err := dir.Load(t.Context(), folder); err != nil {
		t.Error(err)
	}
}

func TestSecretsAreReadWithStringDataOverData(t *testing.T) {
	folder := write(t, map[string]string{"all.yaml": server + `---
apiVersion: v1
kind: Secret
metadata: {name: idp, namespace: mcpauth-system}
data: {a: b25l, b: b25l}
stringData: {b: two}
`})
	manifests, err := dir.Load(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	got := manifests.Secrets[types.NamespacedName{Namespace: "mcpauth-system", Name: "idp"}]
	if got["a"] != "one" || got["b"] != "two" {
		t.Errorf("secret is %v", got)
	}
}

func TestAnErrorNamesFileDocumentAndField(t *testing.T) {
	cases := []struct {
		name     string
		document string // the second of the file
		want     []string
	}{
		{"not YAML", "a: [", []string{"document 2"}},
		{"a key twice", "kind: A\nkind: B\n", []string{"document 2", "kind"}},
		{"no kind", "metadata: {name: x}\n", []string{"document 2", "kind", "is missing"}},
		{"another version", strings.Replace(todo, "v1alpha1", "v9", 1), []string{"document 2", "apiVersion", "use mcpauth.dev/v1alpha1"}},
		{"an unknown kind", strings.Replace(todo, "MCPServer", "MCPCluster", 1), []string{"document 2", "MCPCluster apps/todo", "no such kind"}},
		{"no name", strings.Replace(todo, "name: todo, ", "", 1), []string{"document 2", "metadata.name", "is missing"}},
		{"an unknown field", strings.Replace(todo, "workload:", "wokload:", 1), []string{"document 2", "MCPServer apps/todo", "spec.wokload", "no such field"}},
		{"a wrong type", strings.Replace(todo, "8080", "eighty", 1), []string{"document 2", "spec.workload.port"}},
		{"a CEL rule", strings.Replace(todo, "http://127.0.0.1:9401", "http://todo.example.com", 1), []string{"document 2", "spec.url", "https"}},
		{"a rule between two fields", todo + "  refreshTokenIdleLifetime: 3h\n  refreshTokenMaxLifetime: 2h\n", []string{"document 2", "spec", "must not be shorter"}},
		{"a lifetime out of bounds", todo + "  accessTokenLifetime: 2h\n", []string{"document 2", "spec.accessTokenLifetime", "between 5m and 60m"}},
		{"the same object again", server, []string{"document 2", "AuthorizationServer mcpauth-system/main", "document 1 already"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			folder := write(t, map[string]string{"all.yaml": server + "---\n" + c.document})
			_, err := dir.Load(t.Context(), folder)
			var wrong *dir.ManifestError
			if !errors.As(err, &wrong) {
				t.Fatalf("error is %v, want a ManifestError", err)
			}
			for _, want := range append(c.want, "all.yaml") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not name %q", err, want)
				}
			}
		})
	}
}

func TestAProblemOfTheCompilerNamesFileDocumentAndField(t *testing.T) {
	folder := write(t, map[string]string{"a.yaml": server, "b.yaml": todo + "---\n" + strings.Replace(todo, "name: todo,", "name: twin,", 1)})
	manifests, err := dir.Load(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	_, err = manifests.Compile()
	var wrong *dir.ManifestError
	if !errors.As(err, &wrong) || wrong.Origin.Document != 2 || wrong.Field != "spec.url" || filepath.Base(wrong.Origin.File) != "b.yaml" {
		t.Errorf("error is %v", err)
	}
}

func TestEverythingWrongIsToldAtOnce(t *testing.T) {
	bad := strings.Replace(todo, "8080", "0", 1)
	folder := write(t, map[string]string{"a.yaml": server, "b.yaml": bad + "---\n" + strings.Replace(bad, "name: todo,", "name: twin,", 1)})
	_, err := dir.Load(t.Context(), folder)
	if err == nil || strings.Count(err.Error(), "b.yaml, document") != 2 {
		t.Errorf("error is %v, want both documents", err)
	}
}

func TestAFolderWithoutManifestsIsAnError(t *testing.T) {
	for name, folder := range map[string]string{
		"missing":                         filepath.Join(t.TempDir(), "none"),
		"empty":                           t.TempDir(),
		"without an authorization server": write(t, map[string]string{"a.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n"}),
	} {
		if _, err := dir.Load(t.Context(), folder); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
