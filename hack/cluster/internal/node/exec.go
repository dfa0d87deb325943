//go:build linux

package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exec turns this process into the command, inside the cluster's network namespace: the command
// has our standard streams, our process id and thus every signal, and its exit code is ours. It
// returns only with an error.
//
// The command sees KUBECONFIG, and finds the cluster's kubectl before any other.
func (c *Cluster) Exec(args []string) error {
	if !exists(c.networkFile()) {
		return fmt.Errorf("there is no cluster %s: bring it up first", c.Name)
	}
	runtime.LockOSThread() // the namespace is the thread's, and the thread becomes the command
	if err := dieWithGoRun(); err != nil {
		return err
	}
	if err := c.enterNetwork(); err != nil {
		return err
	}
	if err := os.Setenv("PATH", c.path("bin")+string(filepath.ListSeparator)+os.Getenv("PATH")); err != nil {
		return err
	}
	if err := os.Setenv("KUBECONFIG", c.Kubeconfig()); err != nil {
		return err
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("run %s: %w", path, syscall.Exec(path, args, os.Environ()))
}

// dieWithGoRun has the kernel end the command when `go run` ends: who kills `go run` means the
// command, and nothing else would pass a SIGKILL on.
func dieWithGoRun() error {
	parent := os.Getppid()
	path, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(parent), "exe"))
	if err != nil || strings.TrimSuffix(filepath.Base(path), " (deleted)") != "go" {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0); err != nil {
		return fmt.Errorf("follow the parent's end: %w", err)
	}
	if os.Getppid() != parent {
		return fmt.Errorf("the parent process has ended")
	}
	return nil
}
