package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/cmd/internal/process"
	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar"
)

// options are the command's flags.
type options struct {
	policy               string
	listen, healthListen string
	upstreamURL          string
	logLevel             string
}

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "sidecar [--policy FILE]",
		Short: "Validate access tokens in front of one MCP server",
		Long: `Stands in front of one MCP server and lets through what its policy allows: it
serves the resource metadata, demands a valid access token with every request,
opens tools by the token's scope, and tells the MCP server who calls.

The policy is a file that the operator writes into a ConfigMap. It is read again
whenever it changes, without dropping a request; a new one that cannot be used is
reported, and the old one stays in force. The keys that tokens are signed with
come from the URL that the policy names; until they have been fetched, the
policy's own copy of them counts.

Audit events go to standard output, one JSON object a line; logs go to standard
error. The operator injects this program into pods; there is seldom a reason to
start it by hand.`,
		Example: `  sidecar --policy /etc/mcpauth/policy.json
  sidecar --policy policy.json --listen 127.0.0.1:9080 --upstream-url http://127.0.0.1:3000/mcp`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.serve(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.policy, "policy", "/etc/mcpauth/"+policy.FileName, "`FILE` with the policy")
	flags.StringVar(&o.listen, "listen", ":9080", "`ADDRESS` to take requests on")
	flags.StringVar(&o.healthListen, "health-listen", ":9081", "`ADDRESS` of /healthz, /readyz and /metrics")
	flags.StringVar(&o.upstreamURL, "upstream-url", "", "`URL` of the MCP server, in place of what the policy says")
	flags.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error; audit events are always written")
	return cmd
}

// serve runs until ctx ends and the requests that were under way have been
// answered.
func (o options) serve(ctx context.Context, out, errOut io.Writer) error {
	logger, err := process.NewLogger(errOut, o.logLevel)
	if err != nil {
		return err
	}
	live := &sidecar.Live{Logger: logger}
	file := &policyFile{path: o.policy, upstreamURL: o.upstreamURL, live: live, logger: logger}
	// A file that is not there is a mistake in the command line. One that cannot be
	// used can be mended where it was written, and this process will see it.
	if err := file.load(ctx); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--policy: %w", err)
	}
	proxy := sidecar.New(sidecar.Options{
		Policy: live.Policy, Keys: live, Logger: logger,
		Audit: audit.Log{Logger: slog.New(slog.NewJSONHandler(out, nil))},
	})
	health := process.Health(file.ready)
	health.Handle("GET /metrics", metrics{live: live, file: file})
	listening, err := process.Listen(ctx, logger,
		process.Endpoint{Address: o.listen, Handler: proxy, OnStop: proxy.EndStreams},
		process.Endpoint{Address: o.healthListen, Handler: health})
	if err != nil {
		return err
	}
	logger.Info("serving", "address", o.listen, "health", o.healthListen, "policy", o.policy)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return file.follow(ctx) })
	group.Go(func() error { return listening.Serve(ctx) })
	return group.Wait()
}
