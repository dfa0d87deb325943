//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// guardian sees to it that no process outlives us, frozen or not, not even when we
// are killed: it is a process of its own that then ends those it was told of.
type guardian struct{ child *child }

// startGuardian starts the process, which does not end with a context: it is needed
// most when everything else has ended.
func startGuardian(ctx context.Context) (*guardian, error) {
	c, err := startChild(context.WithoutCancel(ctx), roleGuard)
	if err != nil {
		return nil, err
	}
	return &guardian{c}, nil
}

// watch has the process ended when we end, unless it is forgotten before.
func (g *guardian) watch(pid int) error { return g.tell("watch", pid) }

// forget is for a process that has ended.
func (g *guardian) forget(pid int) error { return g.tell("forget", pid) }

func (g *guardian) tell(what string, pid int) error {
	answer, err := g.child.ask(what + " " + strconv.Itoa(pid))
	if err == nil && answer != "ok" {
		err = fmt.Errorf("%s process %d: %s", what, pid, answer)
	}
	return err
}

// stop ends the processes that it still watches.
func (g *guardian) stop() error { return g.child.stop() }

// guard is the guardian's process.
func guard(in io.Reader, out io.Writer) error {
	watched := map[int]string{} // when each started, by its id
	for requests := lines(in); requests.Scan(); {
		what, text, _ := strings.Cut(requests.Text(), " ")
		pid, err := strconv.Atoi(text)
		if err == nil && what == "watch" {
			watched[pid], err = startOf(pid)
		} else {
			delete(watched, pid)
		}
		answer := "ok"
		if err != nil {
			answer = err.Error()
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			break
		}
	}
	for pid, started := range watched {
		// Its id may be another's by now.
		if now, err := startOf(pid); err == nil && now == started {
			_ = syscall.Kill(pid, syscall.SIGKILL) // which a frozen process obeys, too
		}
	}
	return nil
}

// startOf is when a process started, in the kernel's own unit.
func startOf(pid int) (string, error) {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", err
	}
	text := string(content)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return "", fmt.Errorf("the process %d has the stat %q", pid, text)
	}
	return fields[19], nil
}
