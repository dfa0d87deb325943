package manifests

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares an object with testdata/NAME.yaml, or writes it with -update.
func golden(t *testing.T, name string, object any) {
	t.Helper()
	got, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".yaml")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); run with -update if that is meant:\n%s", file, diff)
	}
}

func TestNoGoldenFileIsStale(t *testing.T) {
	sources, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d golden files, error %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if !strings.Contains(tests.String(), `golden(t, "`+name+`"`) {
			t.Errorf("no test reads %s; remove it", file)
		}
	}
}

func authorizationServer() *v1alpha1.AuthorizationServer {
	return &v1alpha1.AuthorizationServer{
		ObjectMeta: metav1.ObjectMeta{Name: "main", Namespace: "mcpauth-system", UID: "5f0c7d0e-0000-4000-8000-000000000001"},
		Spec: v1alpha1.AuthorizationServerSpec{
			Issuer:  "https://auth.example.com",
			Storage: v1alpha1.Storage{Type: v1alpha1.StorageSQLite},
		},
	}
}

func sizedAuthorizationServer() *v1alpha1.AuthorizationServer {
	size, class := resource.MustParse("5Gi"), "fast"
	s := authorizationServer()
	s.Spec.Storage.SQLite = &v1alpha1.SQLiteStorage{Size: &size, StorageClassName: &class}
	return s
}

func postgreSQLAuthorizationServer() *v1alpha1.AuthorizationServer {
	s, replicas := authorizationServer(), int32(3)
	s.Spec.Replicas = &replicas
	s.Spec.Storage = v1alpha1.Storage{
		Type:       v1alpha1.StoragePostgreSQL,
		PostgreSQL: &v1alpha1.PostgreSQLStorage{URLSecretRef: v1alpha1.SecretKeyReference{Name: "mcpauth-database", Key: "uri"}},
	}
	return s
}

func mcpServer() *v1alpha1.MCPServer {
	return &v1alpha1.MCPServer{
		ObjectMeta: metav1.ObjectMeta{Name: "todo", Namespace: "apps", UID: "5f0c7d0e-0000-4000-8000-000000000002"},
	}
}

func oauthClient() *v1alpha1.OAuthClient {
	return &v1alpha1.OAuthClient{
		ObjectMeta: metav1.ObjectMeta{Name: "agent", Namespace: "apps", UID: "5f0c7d0e-0000-4000-8000-000000000003"},
		Spec:       v1alpha1.OAuthClientSpec{Secret: &v1alpha1.ClientSecret{Name: "agent-oauth", Mode: v1alpha1.SecretGenerate}},
	}
}

func compiledClient() *compiler.Client {
	return &compiler.Client{
		ID:                  "agent",
		AuthorizationServer: types.NamespacedName{Namespace: "mcpauth-system", Name: "main"},
		Issuer:              "https://auth.example.com/resources/apps-todo",
		TokenEndpoint:       "https://auth.example.com/resources/apps-todo/oauth/token",
	}
}
