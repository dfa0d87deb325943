// Command authserver is the authorization server as it runs in a cluster: it
// serves one AuthorizationServer, whose wishes it reads from the cluster itself.
package main

import (
	"os"

	// Identity providers are reached by https, and the image holds nothing but this
	// program: these roots count where the system has none.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/mcpauth/mcpauth/cmd/internal/process"
)

func main() { os.Exit(process.Main(command(tune()))) }
