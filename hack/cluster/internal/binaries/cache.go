package binaries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mcpauth/mcpauth/hack/cluster/internal/filelock"
)

// Cache builds programs and keeps them. Several processes may use one folder at once: the first
// builds, the others wait for it.
type Cache struct {
	// Dir is the cache's folder; it is made when missing.
	Dir string
	// Repo is the repository's root, where hack/build is.
	Repo string
	// Platform is what to build for.
	Platform Platform
	// Progress receives one line for each step while something is built, none otherwise.
	Progress io.Writer
	// Now reads the clock for the elapsed times in Progress.
	Now func() time.Time
}

// Ensure builds those of the programs that are missing and returns the folder that holds them all.
// Cancelling ctx stops the compiler and leaves the programs that are complete.
func (c *Cache) Ensure(ctx context.Context, programs []Program) (string, error) {
	stored := make([]string, len(programs))
	for i, p := range programs {
		name, err := p.storeName(c.Repo, c.Platform)
		if err != nil {
			return "", err
		}
		stored[i] = name
	}
	set := filepath.Join(c.Dir, "sets", setName(stored))
	if c.complete(set, programs) {
		return set, nil
	}
	lock, err := filelock.Acquire(ctx, filepath.Join(c.Dir, "lock"), func() {
		fmt.Fprintln(c.Progress, "another process is building the cluster's programs: waiting for it")
	})
	if err != nil {
		return "", fmt.Errorf("lock the cache of programs: %w", err)
	}
	defer lock.Release()
	if err := c.buildMissing(ctx, programs, stored); err != nil {
		return "", err
	}
	return set, c.link(set, programs, stored)
}

// complete reports whether every program of the set can be run.
func (c *Cache) complete(set string, programs []Program) bool {
	for _, p := range programs {
		if !isFile(filepath.Join(set, p.Name)) {
			return false
		}
	}
	return true
}

func (c *Cache) buildMissing(ctx context.Context, programs []Program, stored []string) error {
	missing := make([]int, 0, len(programs))
	for i, p := range programs {
		if !isFile(filepath.Join(c.Dir, "store", stored[i], p.Name)) {
			missing = append(missing, i)
		}
	}
	for n, i := range missing {
		p := programs[i]
		report := newReporter(c, fmt.Sprintf("[%d/%d] %s %s", n+1, len(missing), p.Name, p.Version))
		err := c.build(ctx, p, stored[i])
		report.finish(err)
		if err != nil {
			return fmt.Errorf("build %s: %w", p.Name, err)
		}
	}
	return nil
}

// build compiles beside the store and renames, so that a store folder exists only complete.
func (c *Cache) build(ctx context.Context, p Program, storeName string) error {
	store := filepath.Join(c.Dir, "store")
	if err := os.MkdirAll(store, 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(c.Dir, "building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	if err := c.compile(ctx, p, filepath.Join(temporary, p.Name)); err != nil {
		return err
	}
	// A folder of that name without the program is what somebody's clean-up left.
	final := filepath.Join(store, storeName)
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	return os.Rename(temporary, final)
}

// link makes the set. Links are relative: a cache folder may be moved or restored elsewhere.
func (c *Cache) link(set string, programs []Program, stored []string) error {
	if err := os.MkdirAll(set, 0o755); err != nil {
		return err
	}
	for i, p := range programs {
		link := filepath.Join(set, p.Name)
		if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(filepath.Join("..", "..", "store", stored[i], p.Name), link); err != nil {
			return err
		}
	}
	return nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
