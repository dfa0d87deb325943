// Command install puts the npm packages of the client tests into the user's
// cache, while the registry can still be reached.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mcpauth/mcpauth/test/clients"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if _, err := clients.Install(ctx, ""); err != nil {
		fmt.Fprintln(os.Stderr, "install the npm clients:", err)
		os.Exit(1) //nolint:gocritic // the process ends, and its signals with it
	}
}
