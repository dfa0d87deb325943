//go:build linux

package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

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
	if all, err := allUsers(); err != nil || !all {
		return &Unable{"it takes root outside of a user namespace"}
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

// allUsers reports whether every user of the machine is a user here: root of a user namespace has
// neither the machine's devices nor its cgroups.
func allUsers() (bool, error) {
	content, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false, err
	}
	return strings.Join(strings.Fields(string(content)), " ") == "0 0 4294967295", nil
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
	return errors.Join(hasControllers(probe), os.Remove(probe))
}

// hasControllers looks, in version 2 of cgroups alone, for the controllers that the kubelet demands
// of its cgroup. Version 1 has a hierarchy for each and no such file.
func hasControllers(cgroup string) error {
	content, err := os.ReadFile(filepath.Join(cgroup, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	there := strings.Fields(string(content))
	for _, name := range []string{"cpu", "memory", "pids"} {
		if !slices.Contains(there, name) {
			return fmt.Errorf("the controller %s is not delegated", name)
		}
	}
	return nil
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
