// Command authserver is the authorization server as it runs in a cluster: it
// serves one AuthorizationServer, whose wishes it reads from the cluster itself.
package main

import (
	"os"

	"github.com/mcpauth/mcpauth/cmd/internal/process"
)

func main() { os.Exit(process.Main(command())) }
