// Package repository finds the checkout that a developer's command works on.
package repository

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrOutside is the error of a command that is run outside the checkout.
var ErrOutside = errors.New("run this inside the repository: no go.mod here or above")

// Root is the folder of the go.mod that governs the working directory.
func Root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	file := strings.TrimSpace(string(out))
	if filepath.Base(file) != "go.mod" {
		return "", ErrOutside
	}
	return filepath.Dir(file), nil
}
