package injector

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheSidecarIsRestrictedByItself(t *testing.T) {
	data, err := json.Marshal(testConfig().withDefaults().container("mcp").SecurityContext)
	if err != nil {
		t.Fatal(err)
	}
	// What the Pod Security Standard "restricted" asks of a container whose pod
	// says nothing, and a file system that nothing can be written to.
	const want = `{"capabilities":{"drop":["ALL"]},"runAsUser":65532,"runAsGroup":65532,"runAsNonRoot":true,` +
		`"readOnlyRootFilesystem":true,"allowPrivilegeEscalation":false,"seccompProfile":{"type":"RuntimeDefault"}}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("security context (-want +got):\n%s", diff)
	}
}
