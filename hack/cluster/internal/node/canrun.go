//go:build linux

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Unable says why this machine cannot run a node.
type Unable struct {
	// Reason is one line for people, without a full stop.
	Reason string
}

func (u *Unable) Error() string { return "this machine cannot run a node: " + u.Reason }

// CanRun returns an *Unable when this machine cannot run a node. It changes nothing that lasts.
func CanRun() error {
	if os.Geteuid() != 0 {
		return &Unable{"it takes root"}
	}
	if err := canUnshare(); err != nil {
		return &Unable{fmt.Sprintf("no namespaces of its own (%v); a container must be privileged", err)}
	}
	if err := canMakeCgroup(); err != nil {
		return &Unable{fmt.Sprintf("no cgroup of its own (%v)", err)}
	}
	if missing := missingPackages(); len(missing) > 0 && findTool("apt-get") == "" {
		return &Unable{fmt.Sprintf("without apt-get nothing installs %v", missing)}
	}
	return nil
}

// canUnshare tries on a thread that ends with the attempt.
func canUnshare() error {
	return onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS | unix.CLONE_NEWNET); err != nil {
			return err
		}
		return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")
	})
}

func canMakeCgroup() error {
	roots, err := cgroupRoots()
	if err != nil {
		return err
	}
	if len(roots) == 0 {
		return fmt.Errorf("no cgroup is mounted")
	}
	probe := filepath.Join(roots[0], "mcpauth-probe-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(probe, 0o755); err != nil {
		return err
	}
	return os.Remove(probe)
}

// onOwnThread runs fn on an operating-system thread that does nothing before and nothing after:
// what fn changes about its thread, above all its namespaces, concerns nobody else.
func onOwnThread(fn func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		result <- fn()
	}()
	return <-result
}
