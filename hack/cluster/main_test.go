package main

import (
	"strings"
	"testing"
)

func TestBinariesKnowsEnvtestOnly(t *testing.T) {
	cmd := command()
	cmd.SetArgs([]string{"binaries", "--only", "everything"})
	if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "envtest") {
		t.Errorf("error: %v", err)
	}
}

func TestEveryCommandOfTheClusterIsThere(t *testing.T) {
	for _, name := range []string{"binaries", "can-run", "up", "exec", "load", "logs", "status", "down"} {
		if found, _, err := command().Find([]string{name}); err != nil || found.Name() != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}
