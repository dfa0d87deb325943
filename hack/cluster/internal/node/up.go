//go:build linux

package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mcpauth/mcpauth/hack/cluster/internal/filelock"
)

// startTimeout bounds the wait for one component to get ready. Where nothing is wrong it takes
// seconds, on a busy machine many.
const startTimeout = 2 * time.Minute

// Up brings the cluster up, or finds that it is up already. A cluster that is not healthy, or was
// started with other programs or settings, is taken down first. Up returns when pods can run and
// names resolve.
//
// It fails with *Unable where no node can run and with *Failed when a component gave up; what did
// start stays then, with its logs, until the next Up or Down.
func (c *Cluster) Up(ctx context.Context, binaries func(context.Context) (string, error)) error {
	if err := CanRun(); err != nil {
		return err
	}
	lock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer c.unlock(lock)
	done := c.Out.Begin("ready")
	if err := c.installPackages(ctx); err != nil {
		return err
	}
	if c.Binaries, err = binaries(ctx); err != nil {
		return err
	}
	reused, err := c.reuse(ctx)
	if err != nil {
		return err
	}
	if reused {
		done("it was up already")
		return nil
	}
	if err := c.bring(ctx); err != nil {
		return c.aborted(ctx, err)
	}
	done("node, DNS and Services")
	return nil
}

func (c *Cluster) lock(ctx context.Context) (*filelock.Lock, error) {
	return filelock.Acquire(ctx, c.lockFile(), func() {
		c.Out.Line("waiting", "another command works on cluster "+c.Name)
	})
}

// unlock leaves no lock behind where there is no cluster.
func (c *Cluster) unlock(lock *filelock.Lock) {
	if exists(c.Dir) {
		lock.Release()
		return
	}
	if err := lock.Remove(); err != nil {
		c.Out.Line("lock", err.Error())
	}
}

// reuse reports whether the cluster is up. What is left of one that is not is removed.
func (c *Cluster) reuse(ctx context.Context) (bool, error) {
	if !exists(c.Dir) {
		return false, nil
	}
	if reason := c.stale(ctx); reason != nil {
		c.Out.Line("starting anew", reason.Error())
		return false, c.clear(ctx)
	}
	return true, nil
}

// stale says why the cluster in the folder cannot be used, nil if it can.
func (c *Cluster) stale(ctx context.Context) error {
	content, err := os.ReadFile(c.path("fingerprint"))
	if err != nil {
		return errors.New("the last start did not finish")
	}
	if now, err := c.fingerprint(); err != nil || string(content) != now {
		return errors.New("the programs or settings have changed")
	}
	return c.Healthy(ctx)
}

// aborted removes what a cancelled start has started: who presses Ctrl-C wants nothing to stay.
func (c *Cluster) aborted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return errors.Join(context.Cause(ctx), c.clear(context.WithoutCancel(ctx)))
}

// bring starts a cluster in an empty folder.
func (c *Cluster) bring(ctx context.Context) error {
	done := c.Out.Begin("network")
	if err := c.prepare(); err != nil {
		return err
	}
	done("namespace, certificates, configuration")
	for _, phase := range []func(context.Context) error{c.startStores, c.startAPI, c.startNode, c.finish} {
		if err := phase(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) prepare() error {
	for _, folder := range []string{"logs/pods", "conf", "containerd", "volumes"} {
		if err := os.MkdirAll(c.path(folder), 0o755); err != nil {
			return err
		}
	}
	if err := os.Symlink(c.Binaries, c.path("bin")); err != nil {
		return err
	}
	return errors.Join(c.makeNetwork(), c.makeCgroups(), c.writeIdentities(), c.writeConfig())
}

// startStores starts what waits for nobody: the store of objects and the store of images.
func (c *Cluster) startStores(ctx context.Context) error {
	done := c.Out.Begin("etcd")
	etcd, err := c.start(ctx, c.etcd())
	if err != nil {
		return err
	}
	containerd, err := c.start(ctx, c.containerd())
	if err != nil {
		return err
	}
	if err := c.await(ctx, etcd, c.etcdServes); err != nil {
		return err
	}
	done("serves")
	done = c.Out.Begin("containerd")
	if err := c.await(ctx, containerd, c.containerdServes); err != nil {
		return err
	}
	if err := c.loadPause(ctx); err != nil {
		return err
	}
	done("serves, with the pause image")
	return nil
}

func (c *Cluster) startAPI(ctx context.Context) error {
	done := c.Out.Begin("kube-apiserver")
	api, err := c.start(ctx, c.apiserver())
	if err != nil {
		return err
	}
	if err := c.await(ctx, api, c.apiServes); err != nil {
		return err
	}
	if err := c.applyBootstrap(ctx); err != nil {
		return api.fail(err)
	}
	done(apiServer)
	return nil
}

// startNode starts all that works on what the API server knows, at once.
func (c *Cluster) startNode(ctx context.Context) error {
	done := c.Out.Begin("node")
	conditions := map[string]func(context.Context) error{
		"kubelet": c.nodeReady,
		"coredns": c.dnsServes,
	}
	var started []*running
	for _, what := range []component{c.kubelet(), c.dns(), c.controllerManager(), c.scheduler(), c.proxy(), c.provisioner()} {
		r, err := c.start(ctx, what)
		if err != nil {
			return err
		}
		started = append(started, r)
	}
	for _, r := range started {
		condition := conditions[r.name]
		if condition == nil {
			condition = c.accountsExist
		}
		if err := c.await(ctx, r, condition); err != nil {
			return err
		}
	}
	done(c.Name + " is Ready")
	return nil
}

// finish writes down that the start is complete, and of what.
func (c *Cluster) finish(context.Context) error {
	fingerprint, err := c.fingerprint()
	if err != nil {
		return err
	}
	return writeFile(c.path("fingerprint"), []byte(fingerprint))
}

// await waits until the component is ready, has ended, or the time is up.
func (c *Cluster) await(ctx context.Context, r *running, ready func(context.Context) error) error {
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	for {
		err := ready(ctx)
		if err == nil && !r.hasEnded() {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.ended:
			return r.fail(r.end())
		case <-deadline.C:
			return r.fail(fmt.Errorf("not ready after %s: %w", startTimeout, err))
		case <-time.After(pollEvery):
		}
	}
}
