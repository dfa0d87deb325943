package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"golang.org/x/sync/errgroup"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver"
	"github.com/mcpauth/mcpauth/authserver/assertion"
	"github.com/mcpauth/mcpauth/cmd/internal/process"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/compiler/kube"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// options are the command's flags.
type options struct {
	namespace, name      string
	keys                 string
	listen, healthListen string
	data                 string
	postgresqlURLFile    string
	logLevel             string
	signing              keyring.Options
}

func command(signing keyring.Options) *cobra.Command {
	o := options{signing: signing}
	cmd := &cobra.Command{
		Use:   "authserver --namespace NAMESPACE --name NAME",
		Short: "Serve one AuthorizationServer",
		Long: `Serves one AuthorizationServer: discovery, registration, sign-in, consent, tokens
and revocation, for every MCPServer that refers to it.

It reads its configuration from the cluster, and its keys from a Secret in its
own namespace; changes of either take effect without a restart. The operator runs
it; there is seldom a reason to start it by hand.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := process.NewLogger(cmd.OutOrStdout(), o.logLevel)
			if err != nil {
				return err
			}
			return o.serve(cmd.Context(), logger, audit.Log{Sink: audit.NewLines(cmd.OutOrStdout())})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.namespace, "namespace", "", "namespace of the AuthorizationServer, and of its Secrets (required)")
	flags.StringVar(&o.name, "name", "", "name of the AuthorizationServer (required)")
	flags.StringVar(&o.keys, "keys-secret", "", "name of the Secret with the key ring (default mcpauth-NAME-keys)")
	flags.StringVar(&o.listen, "listen", ":9400", "address to serve on")
	flags.StringVar(&o.healthListen, "health-listen", ":9401", "address of /healthz and /readyz")
	flags.StringVar(&o.data, "data", "/var/lib/mcpauth", "folder of the SQLite database file")
	flags.StringVar(&o.postgresqlURLFile, "postgresql-url-file", "", "file with the connection URL of a PostgreSQL database to use instead; read once, at the start")
	flags.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error; audit events are always written")
	cmd.MarkFlagsRequiredTogether("namespace", "name")
	cmd.MarkFlagsOneRequired("namespace", "name")
	cmd.MarkFlagsMutuallyExclusive("data", "postgresql-url-file")
	return cmd
}

func (o options) server() types.NamespacedName {
	return types.NamespacedName{Namespace: o.namespace, Name: o.name}
}

func (o options) keysSecret() string {
	if o.keys != "" {
		return o.keys
	}
	return compiler.ServiceName(o.name) + "-keys"
}

// serve runs until ctx ends. What it follows in the cluster, it follows through
// two caches: custom resources and Namespaces everywhere, Secrets at home.
func (o options) serve(ctx context.Context, logger *slog.Logger, events audit.Log) error {
	ctrllog.SetLogger(logr.FromSlogHandler(logger.Handler()))
	restConfig, err := config.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	reader, err := o.newCache(restConfig)
	if err != nil {
		return err
	}
	cluster, err := newClusterIssuer(restConfig, logger, time.Now)
	if err != nil {
		return err
	}
	database, err := o.openStore(ctx, logger)
	if err != nil {
		return err
	}
	defer func() { _ = database.Close() }()

	kept := newSecrets(reader, o.namespace, o.name, o.keysSecret(), logger)
	kept.signing = o.signing
	seen, err := kept.watch(ctx)
	if err != nil {
		return err
	}
	served := &catalogs{server: o.server(), logger: logger}
	compiled := kube.New(reader, logr.FromSlogHandler(logger.Handler()))
	compiled.OnResult(served.take)

	server, err := authserver.New(authserver.Options{
		Catalog: served.Current, Keys: kept.Ring, Store: database, Secrets: kept,
		Audit: events, Logger: logger,
		ClusterIssuer: func(ctx context.Context) (string, assertion.Keys, error) { return cluster.Issuer(ctx) },
	})
	if err != nil {
		return err
	}
	ready := func() error {
		if !seen() {
			return errors.New("the Secrets have not been read yet")
		}
		return server.Ready()
	}
	listening, err := process.Listen(ctx, logger,
		process.Endpoint{Address: o.listen, Handler: server, OnStop: server.EndWaits},
		process.Endpoint{Address: o.healthListen, Handler: process.Health(ready)})
	if err != nil {
		return err
	}
	logger.Info("serving", "server", o.server().String(), "address", o.listen)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return reader.Start(ctx) })
	group.Go(func() error { return compiled.Start(ctx) })
	group.Go(func() error { return server.Run(ctx) })
	group.Go(func() error { return listening.Serve(ctx) })
	return group.Wait()
}

func (o options) newCache(restConfig *rest.Config) (cache.Cache, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	reader, err := cache.New(restConfig, cache.Options{
		Scheme: scheme,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {Namespaces: map[string]cache.Config{o.namespace: {}}},
		},
		DefaultTransform: cache.TransformStripManagedFields(),
	})
	if err != nil {
		return nil, fmt.Errorf("prepare to watch the cluster: %w", err)
	}
	return reader, nil
}
