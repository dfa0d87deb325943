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

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/test/bench/internal/process"
	"github.com/mcpauth/mcpauth/test/bench/internal/sample"
)

// build compiles the command as its image has it, but with symbols for profiles.
func build(ctx context.Context, repository, folder string) (string, error) {
	program := filepath.Join(folder, "authserver")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags=netgo,osusergo", "-o", program, "./cmd/authserver")
	cmd.Dir = repository
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, bytes.TrimSpace(output))
	}
	return program, nil
}

// storage is where a server keeps its state.
type storage struct {
	// name is what people call it.
	name string
	// folder holds a SQLite database; it is empty for PostgreSQL, whose URL is in
	// urlFile too, as the command wants it.
	folder       string
	url, urlFile string
}

// args are those of the command.
func (s storage) args() []string {
	if s.folder != "" {
		return []string{"--data", s.folder}
	}
	return []string{"--postgresql-url-file", s.urlFile}
}

// open opens the same database as the command does.
func (s storage) open(ctx context.Context) (store.Store, error) {
	if s.folder != "" {
		return store.OpenSQLite(ctx, store.Config{Path: s.file()})
	}
	return store.OpenPostgreSQL(ctx, store.PostgreSQLConfig{URL: s.url})
}

// file is where the command keeps a SQLite database.
func (s storage) file() string { return filepath.Join(s.folder, "mcpauth.db") }

// server is the command as a process.
type server struct {
	*process.Process
	// address and health are host:port of what it serves.
	address, health string
}

func (p *server) target() sample.Target { return sample.Target{Address: p.address, PID: p.PID()} }

// launch starts the command on the storage. Its log, with the audit events, goes into
// a file, as a container's does.
func (b *bench) launch(s storage) (*server, error) {
	args := append([]string{
		"--namespace", namespace, "--name", serverName, "--listen", b.address, "--health-listen", b.health,
	}, s.args()...)
	cmd := exec.Command(b.program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + b.cluster.kubeconfig}
	started, err := process.Start(cmd, b.folder, b.guardian)
	if err != nil {
		return nil, err
	}
	return &server{Process: started, address: b.address, health: b.health}, nil
}

// serve starts the command and waits until it is ready.
func (b *bench) serve(ctx context.Context, s storage) (*server, error) {
	p, err := b.launch(s)
	if err != nil {
		return nil, err
	}
	if _, err := p.Answers(ctx, "http://"+p.health+"/readyz"); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}
