//go:build linux

package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// podGrace is how long the processes of pods have to end by themselves.
const podGrace = 2 * time.Second

// Down removes the cluster: pods, processes, mounts, namespaces, folder. It works on a cluster that
// is half started or half gone, and on none. Programs and packages stay.
func (c *Cluster) Down(ctx context.Context) error {
	if !exists(c.Dir) && !exists(c.lockFile()) {
		c.Out.Line("down", "there is no cluster "+c.Name)
		return nil
	}
	lock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	done := c.Out.Begin("down")
	if err := c.clear(ctx); err != nil {
		lock.Release()
		return err
	}
	done("processes, mounts, namespaces and files are gone")
	return lock.Remove()
}

// clear is Down under the lock.
func (c *Cluster) clear(ctx context.Context) error {
	for _, step := range []func(context.Context) error{c.stopPods, c.stopComponents, c.removeTraces} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("take cluster %s down: %w", c.Name, err)
		}
	}
	return nil
}

// stopPods ends the processes of all pods, after the kubelet that would start them again: asked
// first, then killed.
func (c *Cluster) stopPods(ctx context.Context) error {
	owned, err := c.allOwned()
	if err != nil {
		return err
	}
	for _, p := range owned {
		if p.Name != c.kubelet().name {
			continue
		}
		if err := killAll([]process{p}, unix.SIGKILL); err != nil {
			return err
		}
	}
	done := c.Out.Begin("pods")
	pods, err := c.identifyPods()
	if err != nil || len(pods) == 0 {
		return err
	}
	if err := killAll(pods, unix.SIGTERM); err != nil {
		return err
	}
	c.vanish(ctx, c.identifyPods, podGrace)
	if pods, err = c.identifyPods(); err != nil {
		return err
	}
	if err := killAll(pods, unix.SIGKILL); err != nil {
		return err
	}
	if left := c.vanish(ctx, c.identifyPods, vanishTimeout); len(left) > 0 {
		return stillThere(left)
	}
	done("stopped")
	return nil
}

// stopComponents kills what the cluster started and what that started: nothing of theirs is worth
// a farewell. It looks again until it finds nothing, since a process may start another while dying.
func (c *Cluster) stopComponents(ctx context.Context) error {
	deadline := c.Now().Add(vanishTimeout)
	for {
		owned, err := c.allOwned()
		if err != nil || len(owned) == 0 {
			return err
		}
		if err := killAll(owned, unix.SIGKILL); err != nil {
			return err
		}
		if left := c.vanish(ctx, c.allOwned, time.Second); len(left) > 0 && c.Now().After(deadline) {
			return stillThere(left)
		}
	}
}

// removeTraces removes what is left when no process is.
func (c *Cluster) removeTraces(ctx context.Context) error {
	if err := errors.Join(c.removeCgroups(), c.unmountAll()); err != nil {
		return err
	}
	left, err := mounts()
	if err != nil {
		return err
	}
	if points := mountsAt(left, c.Dir); len(points) > 0 {
		return fmt.Errorf("still mounted, so nothing is deleted: %s", points[0])
	}
	if err := os.RemoveAll(c.Dir); err != nil {
		return err
	}
	return c.removeFolders(ctx)
}

// allOwned lists the recorded processes and the marked ones that run.
func (c *Cluster) allOwned() ([]process, error) {
	recorded, err := c.recorded()
	if err != nil {
		return nil, err
	}
	marked, err := c.owned()
	if err != nil {
		return nil, err
	}
	var all []process
	seen := map[int]bool{}
	for _, p := range append(recorded, marked...) {
		if !seen[p.PID] && p.alive() {
			seen[p.PID] = true
			all = append(all, p)
		}
	}
	return all, nil
}

func (c *Cluster) identifyPods() ([]process, error) {
	pids, err := c.podProcesses()
	if err != nil {
		return nil, err
	}
	var found []process
	for _, pid := range pids {
		if p, err := identify(programOf(pid), pid); err == nil && p.alive() {
			found = append(found, p)
		}
	}
	return found, nil
}

// vanish waits until the list is empty and returns what is still on it when the time is up.
func (c *Cluster) vanish(ctx context.Context, list func() ([]process, error), timeout time.Duration) []process {
	deadline := c.Now().Add(timeout)
	for {
		left, err := list()
		if (err == nil && len(left) == 0) || c.Now().After(deadline) || ctx.Err() != nil {
			return left
		}
		time.Sleep(pollEvery)
	}
}

func killAll(processes []process, signal unix.Signal) error {
	var failed []error
	for _, p := range processes {
		failed = append(failed, p.kill(signal))
	}
	return errors.Join(failed...)
}

func stillThere(left []process) error {
	return fmt.Errorf("%d processes do not end, among them %s (%d)", len(left), left[0].Name, left[0].PID)
}
