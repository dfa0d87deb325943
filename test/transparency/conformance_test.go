package transparency_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/test/clients"
	"github.com/mcpauth/mcpauth/test/clients/clientstest"
)

// suiteTimeout bounds one run of the suite, which takes seconds.
const suiteTimeout = 2 * time.Minute

// The least that a run has to bring about, so that none passes by being empty: how
// many checks the suite makes, and how many of them the MCP server passes. It does
// not pass all: where the suite asks for what a server in that mode has not, the
// failure has to be the same through the sidecar.
type least struct{ checks, succeeded int }

// contradiction ends in another way through the sidecar: it refuses headers that
// contradict the body itself, also before a server that does not speak the revision in
// which that is an error and says so.
var contradiction = exception{
	check:    check{"server-tasks-request-headers", "tasks-headers-reject-mismatched-method", 1},
	straight: "FAILURE", through: "SUCCESS",
}

func TestTheConformanceSuiteFindsTheSameThroughTheSidecar(t *testing.T) {
	node := clientstest.Install(t)
	const stateful, stateless = "-stateless=false", "-stateless=true"
	tests := []struct {
		name, mode, requirements string
		least                    least
		exceptions               []exception
	}{
		{"stateful by 2025-11-25", stateful, "2025-11-25", least{80, 80}, nil},
		{"stateful by 2026-07-28", stateful, "2026-07-28", least{150, 60}, []exception{contradiction}},
		{"stateless by 2025-11-25", stateless, "2025-11-25", least{70, 60}, nil},
		{"stateless by 2026-07-28", stateless, "2026-07-28", least{180, 150}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := suite{node: node, mode: test.mode, requirements: test.requirements}
			straight := s.run(t, "http://"+s.server(t)+"/mcp")
			straight.require(t, test.least)
			want := straight.except(t, test.exceptions)
			for _, opening := range openings {
				t.Run(opening.name, func(t *testing.T) {
					want.compare(t, s.run(t, s.throughSidecar(t, opening.open)))
				})
			}
		})
	}
}

// suite is the official one, to be run against the Go SDK's server for it.
type suite struct {
	node               clients.Node
	mode, requirements string
}

// server starts an MCP server that remembers nothing of other runs, and returns its
// address.
func (s suite) server(t *testing.T) string {
	t.Helper()
	return listening{
		path: program(t, everythingServer), addresses: 1,
		arguments: func(free []string) []string { return []string{"-http", free[0], s.mode} },
		ready:     func(free []string) bool { return accepts(free[0]) },
	}.start(t)[0]
}

// throughSidecar returns the URL of a sidecar in front of a new server. The suite
// sends the name of that URL as Host, and as Origin, so it is the resource's.
func (s suite) throughSidecar(t *testing.T, open func(*policy.Policy)) string {
	t.Helper()
	f := newFront(t)
	url := f.url() + "/mcp"
	f.pass(protect(t, "http://"+s.server(t)+"/mcp", open, func(p *policy.Policy) {
		p.Resource = url
	}), token(t))
	return url
}

func (s suite) run(t *testing.T, url string) run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), suiteTimeout)
	defer cancel()
	results := t.TempDir()
	line := s.node.Command(clients.Conformance, "server", "--url", url, "--requirements", s.requirements, "--output-dir", results)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir, cmd.Env = results, []string{"HOME=" + results, "NO_COLOR=1"}
	cmd.WaitDelay = patience
	said, err := cmd.Output()
	failed := (*exec.ExitError)(nil) // says no more than the checks do
	if err != nil && (!errors.As(err, &failed) || failed.ExitCode() != 1) {
		t.Fatalf("the suite did not run to its end: %v\n%s", err, said)
	}
	r := run{checks: readChecks(t, results)}
	for line := range strings.Lines(string(said)) {
		if strings.HasPrefix(line, "Total: ") {
			if _, err := fmt.Sscanf(line, "Total: %d passed, %d failed", &r.passed, &r.failed); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
	}
	return r
}
