package dev

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/cmd/internal/process"
	"github.com/mcpauth/mcpauth/compiler/dir"
)

// options are the command's flags.
type options struct {
	manifests string
	upstreams []string
	data      string
	logLevel  string
}

// Command is "mcpauth dev".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "dev -f DIR",
		Short: "Serve manifests without a cluster",
		Long: `Serves the manifests of a folder on this machine, in one process: each
AuthorizationServer on the host and port of its issuer, and a sidecar for each
MCPServer on the host and port of its url. Both must be http on a loopback host.

The sidecar passes calls on to the workload's port on this machine, or to what
--upstream says. Documents of other API groups are passed over, so the folder may
be the one that you apply to a cluster.

An AuthorizationServer with storage of type PostgreSQL uses the database whose URL
a Secret among the manifests holds.

Without --data everything is kept in memory and gone at the end. With it, clients
and grants survive, and each OAuthClient's credentials are in
DIR/clients/NAMESPACE.NAME.json.`,
		Example: `  mcpauth dev -f config/samples
  mcpauth dev -f manifests/ --upstream todo=http://127.0.0.1:3000/mcp --data ./.mcpauth`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := process.NewLogger(cmd.ErrOrStderr(), o.logLevel)
			if err != nil {
				return err
			}
			events := audit.Log{Sink: audit.NewLines(cmd.ErrOrStderr())}
			return o.run(cmd.Context(), logger, events, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.manifests, "file", "f", "", "folder or file with the manifests (required)")
	flags.StringArrayVar(&o.upstreams, "upstream", nil, "NAME=URL of an MCPServer's upstream; NAME may be namespace/name (repeatable)")
	flags.StringVar(&o.data, "data", "", "folder to keep keys, grants and credentials in (default: memory)")
	flags.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error; audit events are always written")
	cmd.MarkFlagsOneRequired("file")
	return cmd
}

// run serves until ctx ends. Nothing listens before everything has been checked.
func (o options) run(ctx context.Context, logger *slog.Logger, events audit.Log, out io.Writer) (err error) {
	began := time.Now()
	manifests, err := dir.Load(ctx, o.manifests)
	if err != nil {
		return fmt.Errorf("the manifests cannot be served:\n%w", err)
	}
	result, err := manifests.Compile()
	if err != nil {
		return fmt.Errorf("the manifests cannot be served:\n%w", err)
	}
	upstreams, err := parseUpstreams(o.upstreams)
	if err != nil {
		return err
	}
	folder, err := openData(o.data)
	if err != nil {
		return err
	}
	site, err := build(ctx, buildInput{manifests, result, upstreams, folder, logger, events})
	if err != nil {
		return err
	}
	defer func() { site.close() }()
	listening, err := process.Listen(ctx, logger, site.endpoints()...)
	if err != nil {
		return err
	}
	site.describe(out, time.Since(began))
	return site.serve(ctx, listening)
}
