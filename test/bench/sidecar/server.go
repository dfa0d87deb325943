//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar"
	"github.com/mcpauth/mcpauth/test/bench/internal/process"
	"github.com/mcpauth/mcpauth/test/bench/internal/sample"
)

// What the policy protects.
const (
	resource = "https://mcp.example.com" + mcpPath
	mcpPath  = "/mcp"
	issuer   = "https://auth.example.com/resources/apps-todo"
)

// newPolicy is what the compiler would write for a server with three scopes that name
// what they open.
func newPolicy(upstream string, a *authorizationServer) *policy.Policy {
	return &policy.Policy{
		Version: policy.Version, Server: "apps/todo", Resource: resource, ResourceName: "Tasks",
		Issuers: []string{issuer}, Audiences: []string{resource}, JWKSURL: a.url + keysPath, RevocationsURL: a.url + feedPath,
		Upstream: policy.Upstream{URL: "http://" + upstream + mcpPath},
		Scopes: []policy.Scope{
			{Name: "todo:read", Default: true, Tools: []string{"list_*", "get_*", "search_tasks"}, Resources: []string{"todo://*"}},
			{Name: "todo:write", Tools: []string{"create_task", "update_task", "move_*"}, Prompts: []string{"plan"}},
			{Name: "todo:admin", Includes: []string{"todo:read", "todo:write"}, Tools: []string{"delete_*", "*_admin"}},
		},
		FilterLists: true,
	}
}

// build compiles the command as its image has it, or with the symbols that profiles
// need, which change nothing else.
func build(ctx context.Context, repository, folder string, symbols bool) (string, error) {
	program := filepath.Join(folder, "sidecar")
	args := []string{"build", "-trimpath", "-buildvcs=false", "-tags=netgo,osusergo"}
	if !symbols {
		args = append(args, "-ldflags=-s -w")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "-o", program, "./cmd/sidecar")...)
	cmd.Dir, cmd.Env = repository, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the sidecar: %w\n%s", err, bytes.TrimSpace(output))
	}
	return program, nil
}

// server is the sidecar as a process.
type server struct {
	*process.Process
	// address and health are host:port of what it serves.
	address, health string
}

// launch starts the program as it is in a pod, with the environment of one, its log
// and its audit events going into a file. More can be put into the environment.
func (b *bench) launch(program string, environment ...string) (*server, error) {
	address, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	health, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "--policy="+b.policy, "--listen="+address, "--health-listen="+health)
	cmd.Env = append([]string{"PATH=/usr/bin:/bin", "HOSTNAME=todo-0"}, environment...)
	started, err := process.Start(cmd, b.folder, b.guardian)
	if err != nil {
		return nil, err
	}
	return &server{Process: started, address: address, health: health}, nil
}

// serve starts the program and waits until it is ready.
func (b *bench) serve(ctx context.Context, program string, environment ...string) (*server, error) {
	s, err := b.launch(program, environment...)
	if err != nil {
		return nil, err
	}
	if _, err := s.Answers(ctx, "http://"+s.health+"/readyz"); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// target is the sidecar with the MCP server behind it.
func (s *server) target(b *bench) sample.Target {
	return sample.Target{Address: s.address, PID: s.PID(), Behind: b.upstream.child.PID()}
}

// audited is how many calls its log tells of.
func (s *server) audited() (int, error) {
	content, err := os.ReadFile(s.Log())
	return bytes.Count(content, []byte(`"`+sidecar.EventToolCalled+`"`)), err
}

// stillFor is longer than events wait for others before they are written.
const stillFor = 150 * time.Millisecond

// clear empties its log, as a node does when it rotates, once all that was done before is
// in it.
func (s *server) clear() error {
	last := int64(-1)
	for begun := time.Now(); time.Since(begun) < auditPatience; time.Sleep(stillFor) {
		info, err := os.Stat(s.Log())
		if err != nil {
			return err
		}
		if info.Size() == last {
			return os.Truncate(s.Log(), 0)
		}
		last = info.Size()
	}
	return fmt.Errorf("the sidecar's log grows for %s after the last call", auditPatience)
}
