//go:build linux

package profile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// ErrNone says that there is no profile, because perf is not installed or cannot do
// what it was asked for.
var ErrNone = errors.New("there is no profile")

// Options say what to record.
type Options struct {
	// Path is the file to record into; it stays.
	Path string
	// Duration is for how long.
	Duration time.Duration
	// Process is the name of the process whose functions are listed.
	Process string
	// Own lists the functions by what they spend themselves, too.
	Own bool
	// Relative lists the functions as shares of what the process did, and not of all
	// that the cores could do.
	Relative bool
}

// Check says with ErrNone that there cannot be a profile.
func Check() error {
	if _, err := exec.LookPath("perf"); err != nil {
		return fmt.Errorf("%w, because perf is not installed", ErrNone)
	}
	return nil
}

// Of lists where the cores were while the load ran. The load has to call begin once,
// just before what is to be seen. The load's own error is returned as it is; ErrNone
// is wrapped by what concerns the profile alone.
func (o Options) Of(ctx context.Context, load func(begin func() error) error) (string, error) {
	if err := Check(); err != nil {
		return "", err
	}
	// All processes count: they share the cores.
	cmd := exec.CommandContext(ctx, "perf", "record", "--all-cpus", "--call-graph=fp", "--freq=499", "--output="+o.Path,
		"--", "sleep", fmt.Sprintf("%.1f", o.Duration.Seconds()))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = time.Second
	err := load(cmd.Start)
	if cmd.Process == nil {
		return "", err
	}
	if err != nil {
		_ = cmd.Process.Kill() // it may have ended
	}
	_ = cmd.Wait() // its state says how it ended
	switch {
	case err != nil:
		return "", err
	case !cmd.ProcessState.Success():
		return "", fmt.Errorf("%w: %s", ErrNone, bytes.TrimSpace(said.Bytes()))
	}
	text, err := o.list(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNone, err)
	}
	return text, nil
}

// FileName is a file's name for a profile with the title.
func FileName(title string) string {
	return strings.NewReplacer(", ", "-", " ", "-", "/", "-").Replace(title) + ".perf"
}

// Remove removes what was recorded, where there is something.
func (o Options) Remove() error {
	if err := os.Remove(o.Path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
