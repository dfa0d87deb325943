//go:build linux

// Command authserver measures the authorization server: the real command as its own
// process, on SQLite and on PostgreSQL, configured by a real API server. Everything is
// measured in one run on one machine, and against something that runs beside it: a
// loop that only signs, or a handler that only writes. The ratios are what counts.
//
// It prints the figures, and writes them into docs/benchmarks.md. A bound that is
// missed is said so, with a profile that shows why; it is no failure.
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

// The roles in which this program runs again, as a process of its own.
const (
	roleSigner  = "role:signer"
	roleHandler = "role:handler"
)

// limit bounds the whole run.
const limit = 15 * time.Minute

func main() {
	child.Run(os.Args, map[string]child.Role{roleSigner: signer, roleHandler: handler, child.RoleGuard: child.Guard})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-authserver:", err)
		os.Exit(1)
	}
}

// settings are the command's flags.
type settings struct {
	data        string
	rounds      int
	round       time.Duration
	connections int
	only        []string
	document    string
	profiles    string
}

func command() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:           "bench-authserver",
		Short:         "Measure the authorization server against what it cannot beat",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if s.rounds < 1 || s.round <= 0 || s.connections < 1 {
				return errors.New("--rounds, --round and --connections must be positive")
			}
			chosen, err := choose(s.only)
			if err != nil {
				return err
			}
			b, err := prepare(cmd.Context(), s, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, b.close()) }()
			return b.run(cmd.Context(), chosen)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&s.data, "data", "/var/tmp", "folder on a real disk; the databases live in a folder of their own below it, until the end")
	flags.IntVar(&s.rounds, "rounds", 5, "how often each figure is measured; the median counts")
	flags.DurationVar(&s.round, "round", 3*time.Second, "how long each load lasts")
	flags.IntVar(&s.connections, "connections", 16, "keep-alive connections that make the load")
	flags.StringSliceVar(&s.only, "only", nil, "measure these parts alone, and write no document: "+partNames())
	flags.StringVar(&s.document, "document", "docs/benchmarks.md", "file whose table is replaced; empty for none")
	flags.StringVar(&s.profiles, "profiles", "", "existing folder to keep a profile of every load in; empty keeps those of missed bounds in the document alone")
	return cmd
}
