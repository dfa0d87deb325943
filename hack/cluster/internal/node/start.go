//go:build linux

package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// running is a component that this process started.
type running struct {
	component
	pid int
	// ended is closed when the process has ended; then failure says how.
	ended   chan struct{}
	failure error
	log     string
}

// Failed is a component that ended, or did not get ready, while the cluster came up.
type Failed struct {
	Component string
	// Cause is what happened to it.
	Cause error
	// Log is the file of what it said, LastLines the end of it.
	Log, LastLines string
}

func (f *Failed) Error() string {
	return fmt.Sprintf("%s: %v\nthe end of %s:\n%s", f.Component, f.Cause, f.Log, f.LastLines)
}

func (f *Failed) Unwrap() error { return f.Cause }

// start runs a component in the cluster's namespaces and a session of its own: it outlives this
// process, and no terminal's signals reach it.
func (c *Cluster) start(ctx context.Context, what component) (*running, error) {
	log, err := os.OpenFile(c.logFile(what.name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(c.program(what), what.args...)
	cmd.Dir = "/"
	cmd.Env = c.environment()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = onOwnThread(func() error {
		if err := c.enter(ctx, what); err != nil {
			return err
		}
		return cmd.Start()
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", what.name, err)
	}
	r := &running{component: what, pid: cmd.Process.Pid, ended: make(chan struct{}), log: log.Name()}
	p, err := identify(what.name, r.pid)
	if err == nil {
		err = c.record(p)
	}
	go func() {
		r.failure = cmd.Wait()
		close(r.ended)
	}()
	return r, err
}

// enter moves the calling thread to where the component lives. containerd is the first on the
// node and makes the mount namespace that the others join.
func (c *Cluster) enter(ctx context.Context, what component) error {
	if what.onNode {
		if err := c.enterNode(ctx, what.name); err != nil {
			return err
		}
	}
	return c.enterNetwork()
}

func (c *Cluster) enterNode(ctx context.Context, name string) error {
	first := c.containerd().name
	if name == first {
		return c.mountFolders(ctx)
	}
	all, err := c.recorded()
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.Name == first && p.alive() {
			return enterMounts(p.PID)
		}
	}
	return fmt.Errorf("%s needs %s, which does not run", name, first)
}

func (c *Cluster) program(what component) string {
	if what.fromSystem {
		return findTool(what.name)
	}
	return filepath.Join(c.Binaries, what.name)
}

// environment is what components get instead of the caller's: nothing of the caller's settings
// (proxies, Go's debug variables) changes how the cluster behaves.
func (c *Cluster) environment() []string {
	return []string{
		"PATH=" + c.Binaries + ":" + toolPath,
		"HOME=/root",
		"LANG=C.UTF-8",
		ownerVariable + "=" + c.Dir,
	}
}

// end says how an ended component ended. That it did is an error, whatever its exit code.
func (r *running) end() error {
	if r.failure == nil {
		return errors.New("it ended by itself")
	}
	return fmt.Errorf("it ended: %w", r.failure)
}

// fail describes the component's trouble with the end of its log.
func (r *running) fail(cause error) error {
	content, err := tail(r.log)
	if err != nil {
		content = err.Error()
	}
	return &Failed{Component: r.name, Cause: cause, Log: r.log, LastLines: content}
}

func (r *running) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}
