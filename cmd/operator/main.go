// Command operator is the Kubernetes operator: the reconcilers of every kind and
// the webhook that injects sidecars.
package main

import (
	"os"

	"github.com/mcpauth/mcpauth/cmd/internal/process"
)

func main() { os.Exit(process.Main(command())) }
