package binaries

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// stopGrace is how long the go command has to remove its temporary files after it was told to stop.
const stopGrace = 5 * time.Second

// compile runs `go build` in the program's module. It runs in a process group of its own, so that
// a cancelled context stops the compilers and not only the go command.
func (c *Cache) compile(ctx context.Context, p Program, out string) error {
	args := append([]string{"build", "-o", out}, p.buildFlags()...)
	cmd := exec.CommandContext(ctx, "go", append(args, p.Package)...)
	cmd.Dir = filepath.Join(c.Repo, filepath.FromSlash(p.Module))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS="+c.Platform.OS, "GOARCH="+c.Platform.Arch)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = stopGrace
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s: %w\n%s", cmd, err, lastLines(output.Bytes(), 20))
	}
	return nil
}

// lastLines returns the end of a compiler's output, where the errors are: before them stand the
// names of a thousand downloaded modules.
func lastLines(output []byte, n int) []byte {
	output = bytes.TrimSpace(output)
	at := len(output)
	for ; n > 0 && at >= 0; n-- {
		at = bytes.LastIndexByte(output[:at], '\n')
	}
	return output[at+1:]
}
