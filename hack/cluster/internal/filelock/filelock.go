// Package filelock lets one process at a time do a piece of work, by a lock on a file that the
// kernel releases when its holder ends, however it ends.
package filelock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// retryEvery is the pause between two attempts at a lock that another process holds.
const retryEvery = 100 * time.Millisecond

// Lock is a held lock.
type Lock struct {
	file *os.File
}

// Acquire takes the lock at path, whose folder it makes when missing. When another process holds
// it, Acquire calls waiting once and waits until the lock is free or ctx ends.
func Acquire(ctx context.Context, path string, waiting func()) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	for first := true; ; first = false {
		lock, err := try(path)
		if err != nil || lock != nil {
			return lock, err
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(retryEvery):
		}
	}
}

// try returns nil and no error when another process holds the lock.
func try(path string) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil && isAt(file, path) {
		return &Lock{file: file}, nil
	}
	file.Close()
	if err == nil || errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return nil, nil
	}
	return nil, err
}

// isAt reports whether the path still leads to the locked file: its last holder may have removed it
// between our opening and our locking.
func isAt(file *os.File, path string) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(held, named)
}

// Release gives the lock up and leaves the file.
func (l *Lock) Release() { l.file.Close() }

// Remove gives the lock up and removes the file. It does so in the order that lets no two
// processes hold the lock: who opened the file before finds that the path no longer leads to it.
func (l *Lock) Remove() error {
	err := os.Remove(l.file.Name())
	l.file.Close()
	return err
}
