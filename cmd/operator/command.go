package main

import (
	"github.com/spf13/cobra"

	"github.com/mcpauth/mcpauth/cmd/internal/process"
)

// options are the command's flags.
type options struct {
	namespace       string
	authServerImage string
	sidecarImage    string
	metricsListen   string
	healthListen    string
	webhookPort     int
	webhookCertDir  string
	leaderElect     bool
	logLevel        string
}

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "operator",
		Short: "Protect the MCP servers of a cluster",
		Long: `Runs authorization servers, injects validating sidecars into the pods of MCP
servers, delivers client credentials, and says in the status of every resource
whether it is as wished.

It serves the admission webhook with a certificate that it makes and rotates
itself, unless --webhook-cert-dir names one that somebody else keeps. Several replicas may run; one of them writes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := process.NewLogger(cmd.OutOrStdout(), o.logLevel)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), logger)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.namespace, "namespace", "mcpauth-system", "namespace that the operator runs in")
	flags.StringVar(&o.authServerImage, "authserver-image", "mcpauth/authserver:dev", "image of the authorization servers")
	flags.StringVar(&o.sidecarImage, "sidecar-image", "mcpauth/sidecar:dev", "image of the injected sidecars")
	flags.StringVar(&o.metricsListen, "metrics-listen", ":8080", "address of /metrics; 0 turns it off")
	flags.StringVar(&o.healthListen, "health-listen", ":8081", "address of /healthz and /readyz")
	flags.IntVar(&o.webhookPort, "webhook-port", 9443, "port of the admission webhook")
	flags.StringVar(&o.webhookCertDir, "webhook-cert-dir", "", "folder with the webhook's tls.crt and tls.key, which cert-manager, say, renews and announces; made by the operator itself when empty")
	flags.BoolVar(&o.leaderElect, "leader-elect", true, "write only while holding the lease; needed with several replicas")
	flags.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}
