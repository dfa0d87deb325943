package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/test/journey/journeytest"
)

func TestTheExitCodeSaysWhetherTheJourneyHeld(t *testing.T) {
	good := journeytest.New(t, journeytest.Faults{}).MCPURL
	bad := journeytest.New(t, journeytest.Faults{KeepsRefresh: true}).MCPURL
	tests := []struct {
		name, stdin string
		args        []string
		want        int
		says        string
	}{
		{"all promises kept", journeytest.Password + "\n", []string{"--url", good, "--step-up", "required"}, 0, "Every step held."},
		{"one promise broken", journeytest.Password + "\n", []string{"--url", bad}, 1, "step 10"},
		{"no password", "", []string{"--url", good}, 2, "no password"},
		{"an unknown mode", "x\n", []string{"--step-up", "sometimes"}, 2, "--step-up=sometimes"},
		{"stray arguments", "x\n", []string{"http://127.0.0.1/mcp"}, 2, "bad arguments"},
	}
	t.Setenv(passwordVariable, "")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			got := run(t.Context(), test.args, strings.NewReader(test.stdin), &stdout, &stderr)
			if got != test.want || !strings.Contains(stdout.String()+stderr.String(), test.says) {
				t.Errorf("exit %d, want %d with %q\n%s%s", got, test.want, test.says, &stdout, &stderr)
			}
		})
	}
}

func TestThePasswordMayComeFromTheEnvironment(t *testing.T) {
	t.Setenv(passwordVariable, journeytest.Password)
	var stdout, stderr bytes.Buffer
	args := []string{"--url", journeytest.New(t, journeytest.Faults{}).MCPURL}
	if got := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr); got != 0 {
		t.Errorf("exit %d\n%s%s", got, &stdout, &stderr)
	}
}
