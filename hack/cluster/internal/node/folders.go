//go:build linux

package node

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/mcpauth/mcpauth/hack/cluster/internal/filelock"
)

// lockFolders guards the machine's node folders, which all clusters mount theirs over: to remove
// a folder would undo the mounts on it in every namespace.
func (c *Cluster) lockFolders(ctx context.Context) (*filelock.Lock, error) {
	return filelock.Acquire(ctx, filepath.Join(filepath.Dir(c.Dir), "node-folders.lock"), func() {})
}

// mountFolders is makeMounts under the lock.
func (c *Cluster) mountFolders(ctx context.Context) error {
	lock, err := c.lockFolders(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	return c.makeMounts()
}

// removeFolders removes the machine's node folders that are empty, as they are when makeMounts
// made them, unless another cluster is there, running or coming up.
func (c *Cluster) removeFolders(ctx context.Context) error {
	lock, err := c.lockFolders(ctx)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Dir(c.Dir))
	if err != nil {
		lock.Release()
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			lock.Release()
			return nil
		}
	}
	return errors.Join(removeEmpty(nodeFolders()), lock.Remove())
}

func removeEmpty(folders []string) error {
	for _, folder := range folders {
		err := os.Remove(folder)
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTEMPTY), errors.Is(err, unix.EBUSY):
		default:
			return err
		}
	}
	return nil
}
