// Command mcpauth is mcpauth for people: what one runs on one's own machine.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/mcpauth/mcpauth/cmd/internal/process"
	"github.com/mcpauth/mcpauth/cmd/mcpauth/internal/dev"
)

func main() { os.Exit(process.Main(command())) }

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "mcpauth",
		Short: "OAuth 2.1 for MCP servers",
		Long: `mcpauth puts OAuth 2.1 in front of MCP servers.

In a cluster the operator does that, and kubectl is all you need. This command is
for your own machine.`,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(dev.Command())
	return root
}
