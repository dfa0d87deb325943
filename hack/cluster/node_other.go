//go:build !linux

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// errUnable is the answer of every command that needs a node: its parts are Linux's.
var errUnable = errors.New("this machine cannot run a node: it takes Linux")

func isUnable(err error) bool { return errors.Is(err, errUnable) }

func canRun() error { return errUnable }

// nodeCommands are there on every machine, so that a Makefile sees exit code 3 and not a usage error.
func nodeCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, name := range []string{"up", "exec", "load", "logs", "status", "down"} {
		commands = append(commands, &cobra.Command{
			Use:                name,
			Short:              "Needs Linux",
			DisableFlagParsing: true,
			RunE:               func(*cobra.Command, []string) error { return errUnable },
		})
	}
	return commands
}
