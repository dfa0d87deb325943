package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mcpauth/mcpauth/hack/build/repository"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var b builder
	var kind string
	cmd := &cobra.Command{
		Use:           "images -o DIR [NAME...]",
		Short:         "Build the container images, all or those named, as archives in DIR",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, names []string) error {
			return run(cmd, &b, kind, names)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&b.out, "output", "o", "", "folder of the archives; it is made when missing")
	flags.StringVar(&b.tag, "tag", "dev", "tag of every image")
	flags.StringVar(&b.arch, "arch", runtime.GOARCH, "architecture of the images")
	flags.StringVar(&kind, "kind", "", "load each image into the kind cluster of this name")
	return cmd
}

func run(cmd *cobra.Command, b *builder, kind string, names []string) error {
	if b.out == "" {
		return errors.New("say where the archives go: -o DIR")
	}
	chosen, err := choose(names)
	if err != nil {
		return err
	}
	if b.repo, err = repository.Root(cmd.Context()); err != nil {
		return err
	}
	results, err := b.all(cmd.Context(), chosen)
	if err != nil {
		return err
	}
	for _, r := range results {
		fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  %s\n", r.reference, r.digest, r.file)
		if kind == "" {
			continue
		}
		if err := kindLoad(cmd.Context(), kind, r.file); err != nil {
			return err
		}
	}
	return nil
}
