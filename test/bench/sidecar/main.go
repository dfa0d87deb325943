//go:build linux

// Command sidecar measures the sidecar: the real command as its own process, between
// a generator of load and an MCP server that does nothing. Beside it stands a bare
// httputil.ReverseProxy, which checks nothing, and they take turns: what the sidecar
// does costs what it is slower by. The ratios are what counts.
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
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpauth/mcpauth/test/bench/internal/child"
)

// The roles in which this program runs again, as a process of its own.
const (
	roleUpstream = "role:upstream"
	roleBare     = "role:bare"
)

func roles() map[string]child.Role {
	return map[string]child.Role{roleUpstream: upstream, roleBare: bare, child.RoleGuard: child.Guard}
}

// limit bounds the whole run.
const limit = 15 * time.Minute

func main() {
	child.Run(os.Args, roles())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-sidecar:", err)
		os.Exit(1)
	}
}

// settings are the command's flags.
type settings struct {
	data        string
	rounds      int
	round       time.Duration
	connections []int
	tokens      int
	fresh       int
	streams     int
	events      int
	starts      int
	settle      time.Duration
	only        []string
	document    string
	profile     string
	profiles    string
}

// maxRound keeps the pause in which the other one has its turn shorter than a proxy
// keeps idle connections to an MCP server.
const maxRound = 2 * time.Second

func (s settings) check() error {
	if s.rounds < 1 || s.round <= 0 || s.round > maxRound || s.settle <= 0 {
		return fmt.Errorf("--rounds, --round and --settle must be positive, and a round no longer than %s", maxRound)
	}
	if len(s.connections) == 0 || slices.Min(s.connections) < 1 {
		return errors.New("--connections must be positive")
	}
	if s.starts < 1 || s.events < 1 || s.streams < 1 || s.tokens < slices.Max(s.connections) || s.fresh < slices.Max(s.connections) {
		return errors.New("--starts, --events and --streams must be positive, --tokens and --fresh at least as many as there are connections")
	}
	if s.profile != profileMissed && s.profile != profileAlways && s.profile != profileNever {
		return fmt.Errorf("--profile=%s: it is %s, %s or %s", s.profile, profileMissed, profileAlways, profileNever)
	}
	return nil
}

func command() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "bench-sidecar",
		Short: "Measure the sidecar against a proxy that checks nothing",
		Example: `  bench-sidecar --only warm --connections 16 --profile
  bench-sidecar --only fresh --rounds 5 --document ""`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := s.check(); err != nil {
				return err
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
	flags.StringVar(&s.data, "data", "/var/tmp", "folder on a real disk for the logs; they live in a folder of their own below it, until the end")
	flags.IntVar(&s.rounds, "rounds", 30, "how often each load is measured on each side, in turns; the median counts")
	flags.DurationVar(&s.round, "round", 500*time.Millisecond, "how long each load lasts")
	flags.IntSliceVar(&s.connections, "connections", []int{16, 64}, "keep-alive connections that make the load, each number by itself")
	flags.IntVar(&s.tokens, "tokens", 10_000, "tokens that are used in turn")
	flags.IntVar(&s.fresh, "fresh", 1000, "requests of a round in which every token is new")
	flags.IntVar(&s.events, "events", 500, "streams whose first event is timed on each side")
	flags.IntVar(&s.streams, "streams", 2000, "streams that are open at once while memory is looked at")
	flags.DurationVar(&s.settle, "settle", 10*time.Second, "how long after a start or the last stream memory is looked at")
	flags.IntVar(&s.starts, "starts", 20, "how often the sidecar is started")
	flags.StringSliceVar(&s.only, "only", nil, "measure these parts alone, and write no document: "+partNames())
	flags.StringVar(&s.document, "document", "docs/benchmarks.md", "file whose table is replaced; empty for none")
	flags.StringVar(&s.profile, "profile", profileMissed, "which loads to profile: those whose bounds are missed, always or never; by itself it means always, and more of each")
	flags.Lookup("profile").NoOptDefVal = profileAlways
	flags.StringVar(&s.profiles, "profiles", "", "existing folder to keep what perf recorded in, one file a load; it implies --profile=always")
	return cmd
}
