// Package debian puts programs that tests need on the machine, where that is
// possible: on Debian and its descendants, as root.
package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// installTimeout bounds one Ensure, with cold caches on a slow line.
	installTimeout = 10 * time.Minute
	// maxQuoted is how much of apt-get's complaint an error quotes, in bytes.
	maxQuoted = 2000
)

// ErrNotInstallable means that nothing can be installed here: this is no Debian,
// or we are not root.
var ErrNotInstallable = errors.New("not root on Debian")

// Program is the path of a program. Where it is not on the machine, the packages
// are installed that hold it. The error wraps ErrNotInstallable where that is
// impossible here, and says which packages to install.
func Program(ctx context.Context, name string, packages ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	if err := Ensure(ctx, packages...); err != nil {
		return "", fmt.Errorf("%s is not on this machine (Debian: apt-get install %s): %w", name, strings.Join(packages, " "), err)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("apt-get installed %s: %w", strings.Join(packages, " "), err)
	}
	return path, nil
}

// Ensure installs Debian packages; apt-get leaves alone what is there. It takes
// ten minutes at most. Several processes may do so at once: they take turns.
func Ensure(ctx context.Context, packages ...string) error {
	if _, err := os.Stat("/etc/debian_version"); err != nil || os.Geteuid() != 0 {
		return ErrNotInstallable
	}
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	release, err := turn(ctx)
	if err != nil {
		return err
	}
	defer release()
	install := append([]string{"install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"}, packages...)
	if err := aptGet(ctx, install...); err == nil {
		return nil
	}
	// The lists are missing or older than the archive.
	if err := aptGet(ctx, "update"); err != nil {
		return err
	}
	return aptGet(ctx, install...)
}

// turn waits for the other processes of these tests: apt-get update waits for
// nobody. The lock ends with the process that holds it.
func turn(ctx context.Context) (release func(), err error) {
	file, err := os.OpenFile(filepath.Join(os.TempDir(), "mcpauth-debian.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(err, file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), file.Close())
		case <-tick.C:
		}
	}
}

func aptGet(ctx context.Context, args ...string) error {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stderr = &stderr
	// Programs that outlive a killed parent may hold its output open.
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stderr.String())
		if len(said) > maxQuoted {
			said = "…" + strings.ToValidUTF8(said[len(said)-maxQuoted:], "")
		}
		return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, said)
	}
	return nil
}
