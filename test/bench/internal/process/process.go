//go:build linux

package process

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

	"github.com/mcpauth/mcpauth/test/bench/internal/child"
)

const (
	// readyTimeout bounds the wait for a command to serve, and stopTimeout that for its
	// end.
	readyTimeout = 30 * time.Second
	stopTimeout  = 40 * time.Second
	// pollInterval is how often a command that starts is asked.
	pollInterval = time.Millisecond
)

// Process is a command that runs.
type Process struct {
	// Name is what errors call it.
	Name string

	cmd      *exec.Cmd
	guardian *child.Guardian
	// started is when the process was.
	started time.Time
	log     *os.File
	ended   chan struct{}
}

// Start starts the command in a process group of its own, with its output in a file
// of the folder. The guardian ends it when we do. Somebody has to call Stop.
func Start(cmd *exec.Cmd, folder string, guardian *child.Guardian) (*Process, error) {
	log, err := newLog(folder)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &Process{
		Name: filepath.Base(cmd.Path), cmd: cmd, guardian: guardian, log: log, ended: make(chan struct{}), started: time.Now(),
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the %s: %w", p.Name, err), log.Close())
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // its log says why
	}()
	if err := guardian.Watch(cmd.Process.Pid); err != nil && !p.endsWithin(endTimeout) {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// endTimeout is how long a process may be gone before we have heard of it.
const endTimeout = time.Second

// endsWithin is for one that nobody can watch any more: it may have ended at once, and
// whoever asks for its answers hears why.
func (p *Process) endsWithin(patience time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(patience):
		return false
	}
}

// newLog makes a file to which all writers append, so that it can be cut.
func newLog(folder string) (*os.File, error) {
	made, err := os.CreateTemp(folder, "log")
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(made.Name(), os.O_WRONLY|os.O_APPEND, 0)
	return log, errors.Join(err, made.Close())
}

// PID is the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log is the path of the file that its output goes to.
func (p *Process) Log() string { return p.log.Name() }

// Answers waits until the URL answers 200, and says how long after the start of the
// process that was.
func (p *Process) Answers(ctx context.Context, url string) (time.Duration, error) {
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
			return 0, fmt.Errorf("the %s ended: %s", p.Name, p.lastWords())
		case <-ctx.Done():
			return 0, fmt.Errorf("the %s does not answer: %w: %s", p.Name, err, p.lastWords())
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
func (p *Process) lastWords() string {
	const most = 2000
	content, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(content[max(0, len(content)-most):]))
}

// Stop ends the process, as Kubernetes does and by force where that does not help, and
// removes its log.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	var late error
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		late = fmt.Errorf("the %s did not stop within %s", p.Name, stopTimeout)
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
	}
	return errors.Join(late, p.guardian.Forget(p.cmd.Process.Pid), p.log.Close(), os.Remove(p.log.Name()))
}

// FreeAddress is a loopback address that nobody listens on.
func FreeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
