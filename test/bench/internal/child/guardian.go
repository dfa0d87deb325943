//go:build linux

package child

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

// Guardian sees to it that no process outlives us, frozen or not, not even when we
// are killed: it is a process of its own that then ends those it was told of.
type Guardian struct{ child *Child }

// RoleGuard is the role of a Guardian's process, which Guard plays.
const RoleGuard = "role:guard"

// StartGuardian starts the process, which does not end with a context: it is needed
// most when everything else has ended.
func StartGuardian(ctx context.Context) (*Guardian, error) {
	c, err := Start(context.WithoutCancel(ctx), RoleGuard)
	if err != nil {
		return nil, err
	}
	return &Guardian{c}, nil
}

// Watch has the process ended when we end, unless it is forgotten before.
func (g *Guardian) Watch(pid int) error { return g.tell("watch", pid) }

// Forget is for a process that has ended.
func (g *Guardian) Forget(pid int) error { return g.tell("forget", pid) }

func (g *Guardian) tell(what string, pid int) error {
	answer, err := g.child.Ask(what + " " + strconv.Itoa(pid))
	if err == nil && answer != "ok" {
		err = fmt.Errorf("%s process %d: %s", what, pid, answer)
	}
	return err
}

// Stop ends the processes that it still watches.
func (g *Guardian) Stop() error { return g.child.Stop() }

// Guard is the Guardian's process, a Role.
func Guard(in io.Reader, out io.Writer) error {
	watched := map[int]string{} // when each started, by its id
	for requests := Lines(in); requests.Scan(); {
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
