package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/mcpauth/mcpauth/hack/cluster/internal/node"
)

func TestExitCodeTellsAnUnableMachineFromAFailure(t *testing.T) {
	unable := &node.Unable{Reason: "it takes root"}
	cases := []struct {
		name string
		err  error
		want int
	}{
		{"success", nil, 0},
		{"a failure", errors.New("kubelet: it ended"), 1},
		{"a machine that cannot run a node", fmt.Errorf("up: %w", unable), exitUnable},
		{"the same, said already", errors.Join(errSaid, unable), exitUnable},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if got := exitCode(tc.err); got != tc.want {
				t.Errorf("exit code %d, want %d", got, tc.want)
			}
		})
	}
}
