package main

import (
	"crypto/x509"
	"os"
	"os/exec"
	"testing"
)

// TestIdentityProvidersCanBeVerifiedWhereTheSystemHasNoRoots runs itself again as
// in the image, where there is no certificate store.
func TestIdentityProvidersCanBeVerifiedWhereTheSystemHasNoRoots(t *testing.T) {
	const inside = "MCPAUTH_TEST_WITHOUT_ROOTS"
	if os.Getenv(inside) != "" {
		pool, err := x509.SystemCertPool()
		if err != nil || pool.Equal(x509.NewCertPool()) {
			t.Fatalf("there are no roots to verify an identity provider with: %v", err)
		}
		return
	}
	nowhere := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), inside+"=1", "SSL_CERT_DIR="+nowhere, "SSL_CERT_FILE="+nowhere+"/none")
	if output, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}
