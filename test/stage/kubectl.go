package stage

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Kubectl runs kubectl against one cluster. The zero value uses the current
// context of the environment's kubeconfig.
type Kubectl struct {
	// Context names another context of the kubeconfig.
	Context string
	// Dir is the working directory; empty means the process's own.
	Dir string
}

func (k Kubectl) command(ctx context.Context, args ...string) *exec.Cmd {
	if k.Context != "" {
		args = append([]string{"--context", k.Context}, args...)
	}
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Dir = k.Dir
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Run returns what kubectl printed; its error holds what kubectl said.
func (k Kubectl) Run(ctx context.Context, args ...string) (string, error) {
	return k.Apply(ctx, "", args...)
}

// Apply is Run with a manifest on standard input.
func (k Kubectl) Apply(ctx context.Context, manifest string, args ...string) (string, error) {
	cmd := k.command(ctx, args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(manifest), &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errOut.String()))
	}
	return out.String(), nil
}
