//go:build linux

package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// makeNetwork makes the network namespace and gives it an address that the node can be known by.
// A file in the cluster's folder holds the namespace: no name is taken from the machine's.
func (c *Cluster) makeNetwork() error {
	if err := os.WriteFile(c.networkFile(), nil, 0o600); err != nil {
		return err
	}
	return onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		if err := unix.Mount("/proc/thread-self/ns/net", c.networkFile(), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("hold the network namespace at %s: %w", c.networkFile(), err)
		}
		return configureNetwork()
	})
}

// configureNetwork runs inside the namespace. The interface is one end of a pair whose other end
// nobody uses, since not every kernel has dummy interfaces.
func configureNetwork() error {
	for _, command := range []string{
		"link set lo up",
		"link add node0 type veth peer name node0p",
		"address add " + nodeAddress + nodePrefix + " dev node0",
		"link set node0p up",
		"link set node0 up",
		"route add default dev node0",
	} {
		if output, err := exec.Command(findTool("ip"), strings.Fields(command)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", command, err, strings.TrimSpace(string(output)))
		}
	}
	// /proc/sys/net is that of the thread's namespace.
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

// inNetwork runs fn on a thread inside the cluster's network namespace. Processes that fn starts
// are born there.
func (c *Cluster) inNetwork(fn func() error) error {
	return onOwnThread(func() error {
		if err := c.enterNetwork(); err != nil {
			return err
		}
		return fn()
	})
}

// enterNetwork moves the calling thread.
func (c *Cluster) enterNetwork() error {
	if err := setns(c.networkFile(), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the network namespace of cluster %s (is it up?): %w", c.Name, err)
	}
	return nil
}

// nodeFolders are the folders that containerd, the network plugins and the kubelet have compiled
// in. In the cluster's mount namespace each is a folder of the cluster's.
func nodeFolders() []string {
	return []string{"/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers"}
}

// makeMounts gives the calling thread a mount namespace with the cluster's own node folders. New
// mounts of the machine appear in it, mounts made in it stay in it.
func (c *Cluster) makeMounts() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("separate the mounts from the machine's: %w", err)
	}
	// Pods may ask for mounts that they share with the node (mountPropagation: Bidirectional).
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share the mounts with pods: %w", err)
	}
	return c.bindNodeFolders()
}

func (c *Cluster) bindNodeFolders() error {
	for _, folder := range nodeFolders() {
		own := c.path("node", folder)
		if err := os.MkdirAll(own, 0o755); err != nil {
			return err
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(own, folder, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", folder, err)
		}
	}
	return nil
}

// enterMounts moves the calling thread into the mount namespace of a process.
func enterMounts(pid int) error {
	// A thread that shares its root and working directory with others cannot change its mounts.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	return setns(filepath.Join("/proc", fmt.Sprint(pid), "ns/mnt"), unix.CLONE_NEWNS)
}

func setns(path string, kind int) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.Setns(int(file.Fd()), kind)
}
