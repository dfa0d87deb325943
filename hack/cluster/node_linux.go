package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpauth/mcpauth/hack/cluster/internal/binaries"
	"github.com/mcpauth/mcpauth/hack/cluster/internal/node"
)

// defaultName is the cluster of who names none.
const defaultName = "mcpauth"

func isUnable(err error) bool {
	var unable *node.Unable
	return errors.As(err, &unable)
}

func nodeCommands() []*cobra.Command {
	return []*cobra.Command{
		upCommand(), execCommand(), loadCommand(), logsCommand(), statusCommand(), downCommand(),
	}
}

// onCluster makes a command that works on the cluster of its flag --name.
func onCluster(cmd *cobra.Command, run func(context.Context, *node.Cluster, []string) error) *cobra.Command {
	name := cmd.Flags().String("name", defaultName, "the cluster's name")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		clusters, err := cacheFolder("clusters")
		if err != nil {
			return err
		}
		out := &node.Steps{W: os.Stdout, Now: time.Now}
		c, err := node.New(clusters, *name, out, time.Now)
		if err != nil {
			return err
		}
		return run(cmd.Context(), c, args)
	}
	return cmd
}

func canRun() error { return node.CanRun() }

func upCommand() *cobra.Command {
	return onCluster(&cobra.Command{
		Use:   "up",
		Short: "Start the cluster, or find it running",
		Args:  cobra.NoArgs,
	}, func(ctx context.Context, c *node.Cluster, _ []string) error {
		c.Out.Title("cluster " + c.Name)
		err := c.Up(ctx, func(ctx context.Context) (string, error) { return ensure(ctx, binaries.Node()) })
		if err == nil {
			c.Out.Line("kubeconfig", c.Kubeconfig())
		}
		return err
	})
}

func execCommand() *cobra.Command {
	cmd := onCluster(&cobra.Command{
		Use:   "exec -- COMMAND [ARG...]",
		Short: "Run a command inside the cluster's network, with KUBECONFIG set",
		Args:  cobra.MinimumNArgs(1),
	}, func(_ context.Context, c *node.Cluster, args []string) error {
		return c.Exec(args)
	})
	cmd.Flags().SetInterspersed(false) // what follows the command's name is the command's
	return cmd
}

func loadCommand() *cobra.Command {
	return onCluster(&cobra.Command{
		Use:   "load IMAGE.tar...",
		Short: "Import image archives for pods to use",
		Args:  cobra.MinimumNArgs(1),
	}, func(ctx context.Context, c *node.Cluster, args []string) error {
		return c.Load(ctx, args...)
	})
}

func logsCommand() *cobra.Command {
	return onCluster(&cobra.Command{
		Use:   "logs COMPONENT",
		Short: "Print the log of one of the cluster's processes",
		Args:  cobra.ExactArgs(1),
	}, func(_ context.Context, c *node.Cluster, args []string) error {
		return c.Logs(os.Stdout, args[0])
	})
}

func statusCommand() *cobra.Command {
	return onCluster(&cobra.Command{
		Use:   "status",
		Short: "Print each process; exit with 0 when the cluster is healthy",
		Args:  cobra.NoArgs,
	}, func(ctx context.Context, c *node.Cluster, _ []string) error {
		c.Out.Title("cluster " + c.Name)
		return c.Status(ctx)
	})
}

func downCommand() *cobra.Command {
	return onCluster(&cobra.Command{
		Use:   "down",
		Short: "Remove the cluster: nothing stays but the cache of programs",
		Args:  cobra.NoArgs,
	}, func(ctx context.Context, c *node.Cluster, _ []string) error {
		c.Out.Title("cluster " + c.Name)
		return c.Down(ctx)
	})
}
