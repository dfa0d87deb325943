package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"
)

// The scripts. Those of the SDKs tell a story of connecting, signing in, calling
// tools, being refused and refreshing.
const (
	// SDKv1 is @modelcontextprotocol/sdk.
	SDKv1 = "sdk-v1.mjs"
	// ClientV2 is @modelcontextprotocol/client.
	ClientV2 = "client-v2.mjs"
	// OAuth4WebAPI goes through every flow of an authorization server; its arguments
	// are its own (see the script).
	OAuth4WebAPI = "oauth4webapi.mjs"
)

// The programs that packages bring with them.
const (
	// Conformance is the official suite, @modelcontextprotocol/conformance.
	Conformance = "conformance"
	// MCPRemote makes a remote server a local one, for hosts that know no other.
	MCPRemote = "mcp-remote"
	// Inspector is @modelcontextprotocol/inspector.
	Inspector = "mcp-inspector"
)

// Command is the command line that runs one of the programs with args.
func (n Node) Command(program string, args ...string) []string {
	return append([]string{n.Binary, filepath.Join(n.programs, program)}, args...)
}

// runTimeout bounds a script; the scripts give up by themselves before.
const runTimeout = 2 * time.Minute

// Step is one line that a script printed.
type Step struct {
	// Name is the step, for example "create_task_refused".
	Name string `json:"step"`
	// OK says whether the step held; Error says why not.
	OK    bool   `json:"ok"`
	Error string `json:"error"`
	// Line is the whole line, with what the step found out. It holds no secret
	// beyond its first eight characters.
	Line json.RawMessage `json:"-"`
}

// Run runs a script with args, for those of the SDKs --url, --username and
// --password, and returns its steps. The error is nil only if the script ended well and every step held;
// the steps up to a failed one are returned with it.
func (n Node) Run(ctx context.Context, script string, args ...string) ([]Step, error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	out, runErr := command(ctx, n.Dir, n.Binary, append([]string{filepath.Join(n.Dir, script)}, args...)...)
	steps, err := parseSteps(out)
	for _, step := range steps {
		if !step.OK {
			return steps, fmt.Errorf("%s: step %s: %s", script, step.Name, step.Error)
		}
	}
	switch {
	case runErr != nil:
		return steps, runErr
	case err != nil:
		return steps, fmt.Errorf("%s: %w", script, err)
	case len(steps) == 0:
		return nil, fmt.Errorf("%s ended without a step", script)
	}
	return steps, nil
}

func parseSteps(out []byte) ([]Step, error) {
	var steps []Step
	for line := range bytes.Lines(out) {
		var step Step
		if err := json.Unmarshal(line, &step); err != nil {
			return steps, fmt.Errorf("a line that is no step: %q", line)
		}
		step.Line = bytes.TrimSpace(line)
		steps = append(steps, step)
	}
	return steps, nil
}
