package dir_test

import (
	"os"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/compiler/dir"
)

func TestTheContractManifestIsAccepted(t *testing.T) {
	const bcryptHash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
	contract, err := os.ReadFile("../../api/v1alpha1/testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(contract), "<bcrypt>\"", bcryptHash+"\"", 1)
	manifests, err := dir.Load(t.Context(), write(t, map[string]string{"contract.yaml": text}))
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
