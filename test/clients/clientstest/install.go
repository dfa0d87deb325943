// Package clientstest gives tests the clients of Node.
package clientstest

import (
	"errors"
	"testing"

	"github.com/mcpauth/mcpauth/test/clients"
	"github.com/mcpauth/mcpauth/test/debian"
)

// Install installs the clients, or skips the test: in -short, and on machines where
// npm is neither present nor installable. On Debian as root they are always installable.
func Install(t *testing.T) clients.Node {
	t.Helper()
	if testing.Short() {
		t.Skip("downloads npm packages")
	}
	node, err := clients.Install(t.Context(), "")
	if errors.Is(err, debian.ErrNotInstallable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return node
}
