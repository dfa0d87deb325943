package transparency_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait.
const patience = 30 * time.Second

// The programs that the tests run.
const (
	sidecarProgram = "sidecar"
	// everythingServer is the Go SDK's server for the conformance suite.
	everythingServer = "everything-server"
)

var packages = map[string]string{
	sidecarProgram:   "github.com/mcpauth/mcpauth/cmd/sidecar",
	everythingServer: "github.com/modelcontextprotocol/go-sdk/conformance/everything-server",
}

// programs is the folder of those that this binary has built; TestMain removes it.
var programs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "transparency-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "a folder for programs:", err)
		os.Exit(1)
	}
	programs = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// build makes all programs, once for all tests.
var build = sync.OnceValue(func() error {
	for name, pkg := range packages {
		said, err := exec.Command("go", "build", "-o", filepath.Join(programs, name), pkg).CombinedOutput()
		if err != nil {
			return fmt.Errorf("go build %s: %w\n%s", pkg, err, said)
		}
	}
	return nil
})

// program is the path of one of them.
func program(t *testing.T, name string) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(programs, name)
}
