package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mcpauth/mcpauth/cmd/internal/process"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"mcpauth": func() { os.Exit(process.Main(command())) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true})
}
