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
	err := command().ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errSaid) {
		fmt.Fprintln(os.Stderr, "cluster:", err)
	}
	os.Exit(exitCode(err))
}

// errSaid joins errors that the command has already told on its standard output.
var errSaid = errors.New("said")

func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case isUnable(err):
		return exitUnable
	default:
		return 1
	}
}

func command() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "cluster",
		Short:         "A one-node Kubernetes cluster on a bare machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(binariesCommand(), canRunCommand())
	cmd.AddCommand(nodeCommands()...)
	return cmd
}

// canRunCommand answers on the standard output, for scripts to quote.
func canRunCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "can-run",
		Short: "Exit with 0 when this machine can run a node; else print why and exit with 3",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := canRun()
			if err == nil {
				return nil
			}
			fmt.Fprintln(cmd.OutOrStdout(), err)
			return errors.Join(errSaid, err)
		},
	}
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
