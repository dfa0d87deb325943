package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpauth/mcpauth/hack/build/repository"
	"github.com/mcpauth/mcpauth/hack/cluster/internal/binaries"
)

// exitUnable is the exit code of a machine that cannot run a node, apart from that of failures.
const exitUnable = 3

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(exitCode(err))
	}
}

func exitCode(err error) int {
	if isUnable(err) {
		return exitUnable
	}
	return 1
}

func command() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "cluster",
		Short:         "A one-node Kubernetes cluster on a bare machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(binariesCommand())
	cmd.AddCommand(nodeCommands()...)
	return cmd
}

func binariesCommand() *cobra.Command {
	var only string
	cmd := &cobra.Command{
		Use:   "binaries",
		Short: "Build the programs that are missing in the cache and print their folder",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			programs := binaries.Node()
			switch only {
			case "":
			case "envtest":
				programs = binaries.Envtest()
			default:
				return fmt.Errorf("--only %s: there is only envtest", only)
			}
			folder, err := ensure(cmd.Context(), programs)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), folder)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&only, "only", "", `"envtest" for kube-apiserver, etcd and kubectl alone`)
	return cmd
}

// ensure builds for the machine that this command runs on.
func ensure(ctx context.Context, programs []binaries.Program) (string, error) {
	repo, err := repository.Root(ctx)
	if err != nil {
		return "", err
	}
	cache, err := cacheFolder("binaries")
	if err != nil {
		return "", err
	}
	builder := binaries.Cache{
		Dir:      cache,
		Repo:     repo,
		Platform: binaries.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH},
		Progress: os.Stderr,
		Now:      time.Now,
	}
	return builder.Ensure(ctx, programs)
}

func cacheFolder(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", errors.Join(errors.New("no cache folder for this user"), err)
	}
	return filepath.Join(cache, "mcpauth", name), nil
}
