package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

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
		Use:   "sidecar",
		Short: "Let only valid tokens through to an MCP server",
		Long: `Stands in front of one MCP server: serves its protected resource metadata,
validates every access token, enforces scopes tool by tool, and streams the rest
through untouched.

What it enforces is in the policy file, which the operator writes and which is
read again whenever it changes; a file that is wrong leaves the policy before it
in force. The keys come from the URL that the policy names; until they can be
fetched, the policy's own copy of them counts. It needs no permission in
Kubernetes.

Logs and audit events go to standard output, one JSON object a line.`,
		Example: `  sidecar --policy /etc/mcpauth/policy.json
  sidecar --policy policy.json --listen 127.0.0.1:9080 --upstream-url http://127.0.0.1:3000/mcp`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.serve(cmd.Context(), cmd.OutOrStdout())
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.policy, "policy", "/etc/mcpauth/"+policy.FileName, "`file` with the policy")
	flags.StringVar(&o.listen, "listen", ":15080", "`address` to serve MCP clients on")
	flags.StringVar(&o.healthListen, "health-listen", ":15081", "`address` of /healthz, /readyz and /metrics")
	flags.StringVar(&o.upstreamURL, "upstream-url", "", "`URL` of the MCP server, in place of what the policy says")
	flags.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error; audit events are always written")
	return cmd
}

// serve runs until ctx ends and the requests that were under way are answered.
func (o options) serve(ctx context.Context, out io.Writer) error {
	logger, err := process.NewLogger(out, o.logLevel)
	if err != nil {
		return err
	}
	live := &sidecar.Live{Logger: logger}
	file := &policyFile{path: o.policy, upstreamURL: o.upstreamURL, live: live, logger: logger, poll: pollEvery}
	// A file that is not there is a mistake in the command line. One that cannot be
	// used will be mended where it was written, and seen here without a restart.
	if err := file.load(ctx); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--policy: %w", err)
	}
	proxy := sidecar.New(sidecar.Options{
		Policy: live.Policy, Keys: live,
		Audit: audit.Log{Sink: audit.NewLines(out)}, Logger: logger,
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
