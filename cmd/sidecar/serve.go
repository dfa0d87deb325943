package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/cmd/internal/process"
	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar"
)

// flushTimeout is how long the last audit events may take to be written.
const flushTimeout = 5 * time.Second

// options are the command's flags.
type options struct {
	policy               string
	listen, healthListen string
	tlsDir               string
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
fetched, the policy's own copy of them counts. Revocations come from another, and
count within seconds. It needs no permission in Kubernetes.

Logs and audit events go to standard output, one JSON object a line. Metrics are
at /metrics of the health address.`,
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
	flags.StringVar(&o.tlsDir, "tls-dir", "", "`folder` with tls.crt and tls.key, read again when they change; plain HTTP without")
	flags.StringVar(&o.upstreamURL, "upstream-url", "", "`URL` of the MCP server, in place of what the policy says")
	flags.StringVar(&o.logLevel, "log-level", "", "debug, info, warn or error, in place of what the policy says; audit events are always written")
	return cmd
}

// serve runs until ctx ends and the requests that were under way are answered.
func (o options) serve(ctx context.Context, out io.Writer) (err error) {
	level, err := newLevel(o.logLevel)
	if err != nil {
		return err
	}
	tune()
	logger := process.NewLoggerAt(out, level)
	live := &sidecar.Live{Logger: logger}
	events := audit.NewQueue(audit.NewLines(out), audit.QueueOptions{})
	defer func() { err = errors.Join(err, closeWithin(flushTimeout, events.Close)) }()
	exported := &telemetry{logger: logger}
	defer exported.close()
	file := &policyFile{
		path: o.policy, upstreamURL: o.upstreamURL, live: live, logger: logger, poll: pollEvery,
		applied: func(p *policy.Policy) { level.follow(p); exported.follow(p) },
	}
	// A file that is not there is a mistake in the command line. One that cannot be
	// used will be mended where it was written, and seen here without a restart.
	if err := file.load(ctx); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--policy: %w", err)
	}
	endpoints, err := o.endpoints(live, file, events, exported, logger)
	if err != nil {
		return err
	}
	listening, err := process.Listen(ctx, logger, endpoints...)
	if err != nil {
		return err
	}
	logger.Info("serving", "address", o.listen, "health", o.healthListen, "policy", o.policy, "tls", o.tlsDir != "")
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return file.follow(ctx) })
	group.Go(func() error { giveBack(ctx); return nil })
	group.Go(func() error { return listening.Serve(ctx) })
	return group.Wait()
}

// endpoints are the proxy and what tells of it.
func (o options) endpoints(live *sidecar.Live, file *policyFile, events *audit.Queue, exported *telemetry, logger *slog.Logger) ([]process.Endpoint, error) {
	registry := prometheus.NewRegistry()
	metrics{live: live, file: file, events: events, exported: exported}.register(registry)
	proxy := sidecar.New(sidecar.Options{
		Policy: live.Policy, Keys: live, Revocations: live, Fresh: live.Fresh,
		Audit:   audit.Log{Sink: audit.Tee{events, exported}},
		Metrics: sidecar.NewMetrics(registry), Tracing: &exported.tracing, Logger: logger,
	})
	served := process.Endpoint{Address: o.listen, Handler: proxy, OnStop: proxy.EndStreams}
	if o.tlsDir != "" {
		own, err := newCertificate(o.tlsDir, logger)
		if err != nil {
			return nil, fmt.Errorf("--tls-dir: %w", err)
		}
		served.TLS = own.config()
	}
	health := process.Health(file.ready)
	health.Handle("GET /metrics", handler(registry))
	return []process.Endpoint{served, {Address: o.healthListen, Handler: health}}, nil
}

// level is the log's: the command line's or else the policy's.
type level struct {
	slog.LevelVar
	fixed bool
}

func newLevel(text string) (*level, error) {
	l := &level{fixed: text != ""}
	if l.fixed {
		if err := l.UnmarshalText([]byte(text)); err != nil {
			return nil, fmt.Errorf("--log-level %q is none of debug, info, warn, error", text)
		}
	}
	return l, nil
}

// follow takes the policy's level, of which the policy has made sure that it is one.
func (l *level) follow(p *policy.Policy) {
	if l.fixed {
		return
	}
	var wanted slog.Level
	if p.LogLevel != "" && wanted.UnmarshalText([]byte(p.LogLevel)) != nil {
		return
	}
	l.Set(wanted)
}
