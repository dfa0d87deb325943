package filelock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// waitLimit bounds every wait of these tests.
const waitLimit = 30 * time.Second

func acquire(t *testing.T, path string, waiting func()) *Lock {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	lock, err := Acquire(ctx, path, waiting)
	if err != nil {
		t.Fatalf("acquire %s: %v", path, err)
	}
	return lock
}

func TestAcquireWaitsForTheHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "lock")
	held := acquire(t, path, func() { t.Error("the first had to wait") })
	waits := make(chan struct{})
	second := make(chan *Lock)
	go func() { second <- acquire(t, path, func() { close(waits) }) }()
	select {
	case <-waits:
	case <-time.After(waitLimit):
		t.Fatal("the second never said that it waits")
	}
	select {
	case <-second:
		t.Fatal("two hold the lock")
	default:
	}
	held.Release()
	select {
	case lock := <-second:
		lock.Release()
	case <-time.After(waitLimit):
		t.Fatal("the second never got the released lock")
	}
}

func TestAcquireEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	defer acquire(t, path, func() {}).Release()
	ctx, cancel := context.WithCancelCause(context.Background())
	gaveUp := errors.New("gave up")
	_, err := Acquire(ctx, path, func() { cancel(gaveUp) })
	if !errors.Is(err, gaveUp) {
		t.Errorf("error: %v", err)
	}
}

func TestRemovedLocksExcludeEachOtherToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside atomic.Int32
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			lock := acquire(t, path, func() {})
			if inside.Add(1) != 1 {
				t.Error("two hold the lock")
			}
			time.Sleep(time.Millisecond)
			inside.Add(-1)
			if err := lock.Remove(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the lock's file stays: %v", err)
	}
}
