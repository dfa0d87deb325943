// Command sidecar is the validating proxy as it runs in a pod, in front of the MCP
// server. The webhook injects it; all that it enforces is in one mounted file.
package main

import (
	"os"

	"github.com/mcpauth/mcpauth/cmd/internal/process"
)

func main() { os.Exit(process.Main(command())) }
