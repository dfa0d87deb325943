//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/test/bench/internal/child"
)

// TestMain makes the test binary the program that children are.
func TestMain(m *testing.M) {
	child.Run(os.Args, roles())
	os.Exit(m.Run())
}

func TestARunMeasuresBothKindsOfPodsAndWritesTheDocument(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("KUBEBUILDER_ASSETS names no kube-apiserver; go run ./hack/cluster binaries --only envtest builds one and prints its folder")
	}
	document := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := os.WriteFile(document, []byte("# Head\n<!-- bench-admission:begin -->\nold\n<!-- bench-admission:end -->\ntail\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := command()
	cmd.SetOut(&said)
	cmd.SetArgs([]string{"--servers=20", "--rounds=2", "--pods=16", "--document=" + document})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v; it said:\n%s", err, &said)
	}
	written, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(written, []byte("old\n")) || !bytes.HasSuffix(written, []byte("tail\n")) {
		t.Errorf("the document is\n%s", written)
	}
	for _, figure := range []string{"one after another, p99", "8 at once, p99", "the webhook alone, as the API server counts, 8 at once"} {
		if !bytes.Contains(written, []byte(figure)) || !strings.Contains(said.String(), figure) {
			t.Errorf("the figure %q is missing from\n%s", figure, written)
		}
	}
}

func TestTheQuantileIsOfAllValues(t *testing.T) {
	all := make([]time.Duration, 0, 100)
	for i := range 100 {
		all = append(all, time.Duration(100-i))
	}
	if got := quantile(all, 0.99); got != 100 {
		t.Errorf("p99 of 1 to 100 = %d, want 100", got)
	}
	if got := quantile(all, 0.5); got != 51 {
		t.Errorf("p50 of 1 to 100 = %d, want 51", got)
	}
}

func TestARunWithoutSenseIsRefused(t *testing.T) {
	for _, argument := range []string{"--servers=0", "--rounds=0", "--pods=1"} {
		cmd := command()
		cmd.SetArgs([]string{argument})
		if err := cmd.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%s was accepted", argument)
		}
	}
}
