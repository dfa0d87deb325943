//go:build linux

// Command admission measures what the webhook adds to the creation of a pod: pods that
// ask for a sidecar and pods that do not are created in turns, through a real API
// server that asks the operator's webhook, as its own process, over TLS.
//
// It prints the figures, and writes them into docs/benchmarks.md. A bound that is
// missed is said so; it is no failure.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpauth/mcpauth/test/bench/internal/child"
)

// roleWebhook is this program again, as the operator's webhook.
const roleWebhook = "role:webhook"

func roles() map[string]child.Role { return map[string]child.Role{roleWebhook: serveWebhook} }

// limit bounds the whole run.
const limit = 15 * time.Minute

func main() {
	child.Run(os.Args, roles())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-admission:", err)
		os.Exit(1)
	}
}

// settings are the command's flags.
type settings struct {
	servers  int
	rounds   int
	pods     int
	document string
}

func command() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:           "bench-admission",
		Short:         "Measure what the webhook adds to the creation of a pod",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if s.servers < 1 || s.rounds < 1 || s.pods < atOnce {
				return fmt.Errorf("--servers and --rounds must be positive, --pods at least %d", atOnce)
			}
			b, err := prepare(cmd.Context(), s, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, b.close()) }()
			return b.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&s.servers, "servers", 10_000, "MCPServers that the webhook knows")
	flags.IntVar(&s.rounds, "rounds", 10, "how often each load is measured, in turns")
	flags.IntVar(&s.pods, "pods", 400, "pods of a load in each round")
	flags.StringVar(&s.document, "document", "docs/benchmarks.md", "file whose table is replaced; empty for none")
	return cmd
}
