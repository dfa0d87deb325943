//go:build linux

package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
)

// Healthy returns nil when every process runs and pods, names and Services can be expected to
// work; else the first thing that is wrong.
func (c *Cluster) Healthy(ctx context.Context) error {
	if err := c.allRun(); err != nil {
		return err
	}
	for _, check := range []func(context.Context) error{c.apiServes, c.nodeReady, c.dnsServes, c.containerdServes} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) allRun() error {
	all, err := c.recorded()
	if err != nil {
		return err
	}
	alive := map[string]bool{}
	for _, p := range all {
		alive[p.Name] = p.alive()
	}
	for _, what := range c.components() {
		if !alive[what.name] {
			return fmt.Errorf("%s does not run", what.name)
		}
	}
	return nil
}

func (c *Cluster) etcdServes(ctx context.Context) error {
	return c.ask(ctx, "http://"+etcdAddress+"/health")
}

func (c *Cluster) apiServes(ctx context.Context) error { return c.ask(ctx, "/readyz") }

func (c *Cluster) dnsServes(ctx context.Context) error {
	return c.ask(ctx, "http://"+dnsReadyAddress+"/ready")
}

// accountsExist waits for the controller manager: no pod is admitted to a namespace before it
// made the namespace's default service account.
func (c *Cluster) accountsExist(ctx context.Context) error {
	return c.ask(ctx, "/api/v1/namespaces/default/serviceaccounts/default")
}

func (c *Cluster) ask(ctx context.Context, url string) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	_, err = client.get(ctx, url)
	return err
}

func (c *Cluster) nodeReady(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return client.nodeReady(ctx, c.Name)
}

// containerdServes asks for the version: containerd's socket is there before its plugins are.
func (c *Cluster) containerdServes(ctx context.Context) error {
	output, err := c.ctr(ctx, "version").CombinedOutput()
	if err != nil {
		return fmt.Errorf("containerd: %w: %s", err, bytes.TrimSpace(output))
	}
	return nil
}

// applyBootstrap creates the objects that the node's processes need beside Kubernetes's own.
func (c *Cluster) applyBootstrap(ctx context.Context) error {
	return c.inNetwork(func() error {
		cmd := exec.CommandContext(ctx, filepath.Join(c.Binaries, "kubectl"), "apply", "--server-side",
			"-f", c.path("conf", "bootstrap.yaml"))
		cmd.Env = append(c.environment(), "KUBECONFIG="+c.Kubeconfig())
		output, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("apply the first objects: %w\n%s", err, bytes.TrimSpace(output))
		}
		return nil
	})
}

// fingerprint stands for the programs and settings that a cluster is started with.
func (c *Cluster) fingerprint() (string, error) {
	h := sha256.New()
	binaries, err := filepath.EvalSymlinks(c.Binaries)
	if err != nil {
		return "", err
	}
	fmt.Fprintln(h, binaries)
	for _, what := range c.components() {
		fmt.Fprintf(h, "%s %q\n", what.name, what.args)
	}
	s := c.settings()
	names := make([]string, 0, len(configFiles()))
	for name := range configFiles() {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		content, err := s.render(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(content), content)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// ctr prepares a command of containerd's client on the images and containers of pods.
func (c *Cluster) ctr(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, findTool("ctr"),
		append([]string{"--address", c.containerdSock(), "--namespace", "k8s.io"}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+toolPath)
	return cmd
}
