// Command demo installs mcpauth in a cluster, protects the sample MCP server with
// it, and lets a real MCP client tell what that is like. It exits 0 only if all of
// the story held.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpauth/mcpauth/test/journey"
	"github.com/mcpauth/mcpauth/test/stage"
)

// timeout bounds the demo; pulling nothing and building nothing, it takes a minute.
const timeout = 15 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "\nthe demo failed: %v\n", err)
		os.Exit(1) //nolint:gocritic // the process ends, and its signals with it
	}
}

func command() *cobra.Command {
	s := &stage.Stage{Root: ".", Out: os.Stdout}
	var down bool
	cmd := &cobra.Command{
		Use:           "demo",
		Short:         "Install mcpauth, protect the sample server, and let a real MCP client tell the story",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			if down {
				return s.Strike(ctx)
			}
			return play(ctx, s)
		},
	}
	cmd.Flags().StringVar(&s.Kubectl.Context, "context", "", "context of the kubeconfig to use (default: the current one)")
	cmd.Flags().BoolVar(&down, "down", false, "remove what the demo installed instead")
	return cmd
}

func play(ctx context.Context, s *stage.Stage) error {
	fmt.Println("\nSetting the stage")
	if err := s.Set(ctx); err != nil {
		return err
	}
	overview, err := s.Kubectl.Run(ctx, "get", "mcpauth", "-A")
	if err != nil {
		return err
	}
	fmt.Printf("\n$ kubectl get mcpauth -A\n%s", overview)
	stop, err := s.Reach(ctx)
	if err != nil {
		return err
	}
	defer stop()
	return journey.Run(ctx, journey.Options{
		MCPURL:   fmt.Sprintf("http://127.0.0.1:%d/mcp", stage.ServerPort),
		Username: "alice",
		Password: "wonderland",
		StepUp:   journey.StepUpRequired,
		Out:      os.Stdout,
		Color:    os.Getenv("NO_COLOR") == "" && isTerminal(os.Stdout),
		Timeout:  5 * time.Minute,
	})
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
