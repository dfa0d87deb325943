//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
)

const (
	// readyTimeout bounds the wait for the server to serve, and stopTimeout that for
	// its end.
	readyTimeout = 30 * time.Second
	stopTimeout  = 40 * time.Second
	// pollInterval is how often a server that starts is asked.
	pollInterval = time.Millisecond
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
	cmd      *exec.Cmd
	guardian *guardian
	// started is when the process was.
	started time.Time
	// address and health are host:port of what it serves.
	address, health string
	log             *os.File
	ended           chan struct{}
}

// launch starts the command on the storage. Its log, with the audit events, goes into
// a file, as a container's does.
func (b *bench) launch(s storage) (*server, error) {
	log, err := os.CreateTemp(b.folder, "log")
	if err != nil {
		return nil, err
	}
	args := append([]string{
		"--namespace", namespace, "--name", serverName, "--listen", b.address, "--health-listen", b.health,
	}, s.args()...)
	cmd := exec.Command(b.program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + b.cluster.kubeconfig}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &server{cmd: cmd, guardian: b.guardian, address: b.address, health: b.health, log: log, ended: make(chan struct{}), started: time.Now()}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the server: %w", err), log.Close())
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // its log says why
	}()
	if err := b.guardian.watch(cmd.Process.Pid); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// serve starts the command and waits until it is ready.
func (b *bench) serve(ctx context.Context, s storage) (*server, error) {
	p, err := b.launch(s)
	if err != nil {
		return nil, err
	}
	if _, err := p.answers(ctx, "http://"+p.health+"/readyz"); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// answers waits until the URL answers 200, and says how long after the start of the
// process that was.
func (p *server) answers(ctx context.Context, url string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for {
		err := get(ctx, transport, url)
		if err == nil {
			return time.Since(p.started), nil
		}
		select {
		case <-p.ended:
			return 0, fmt.Errorf("the server ended: %s", p.lastWords())
		case <-ctx.Done():
			return 0, fmt.Errorf("the server does not answer: %w: %s", err, p.lastWords())
		case <-time.After(pollInterval):
		}
	}
}

func get(ctx context.Context, transport *http.Transport, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // nothing is written to it
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// lastWords are the end of its log.
func (p *server) lastWords() string {
	const most = 2000
	content, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(content[max(0, len(content)-most):]))
}

// stop ends the process: as Kubernetes does, and by force where that does not help.
func (p *server) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	var late error
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		late = fmt.Errorf("the server did not stop within %s", stopTimeout)
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
	}
	return errors.Join(late, p.guardian.forget(p.cmd.Process.Pid), p.log.Close(), os.Remove(p.log.Name()))
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
