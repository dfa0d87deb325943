package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/cmd/internal/process"
	"github.com/mcpauth/mcpauth/sidecar"
)

// options are the command's flags.
type options struct {
	policy               string
	listen, healthListen string
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
in force. It needs no permission in Kubernetes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := process.NewLogger(cmd.OutOrStdout(), o.logLevel)
			if err != nil {
				return err
			}
			return o.serve(cmd.Context(), logger)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.policy, "policy", "/etc/mcpauth/policy.json", "file with the policy")
	flags.StringVar(&o.listen, "listen", ":15080", "address to serve MCP clients on")
	flags.StringVar(&o.healthListen, "health-listen", ":15081", "address of /healthz and /readyz")
	flags.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error; audit events are info")
	return cmd
}

func (o options) serve(ctx context.Context, logger *slog.Logger) error {
	live := &sidecar.Live{Logger: logger}
	file := &policyFile{path: o.policy, live: live, logger: logger}
	if err := file.load(ctx); err != nil {
		return err
	}
	proxy := sidecar.New(sidecar.Options{
		Policy: live.Policy, Keys: live,
		Audit: audit.Log{Logger: logger}, Logger: logger,
	})
	listening, err := process.Listen(ctx, logger,
		process.Endpoint{Address: o.listen, Handler: proxy, OnStop: proxy.EndStreams},
		process.Endpoint{Address: o.healthListen, Handler: process.Health(live.Ready)})
	if err != nil {
		return err
	}
	logger.Info("serving", "server", live.Policy().Server, "address", o.listen)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return file.follow(ctx) })
	group.Go(func() error { return listening.Serve(ctx) })
	return group.Wait()
}
