//go:build linux

package node

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ownerVariable marks the environment of every process that a cluster starts; its value is the
// cluster's folder. containerd hands it on to its shims. Pods and what Exec runs do not have it.
const ownerVariable = "MCPAUTH_CLUSTER_DIR"

// owned lists the running processes that carry the cluster's mark: also those that were started
// but not recorded because the start was cut short, and the shims.
func (c *Cluster) owned() ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environment, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err != nil || !carries(environment, ownerVariable+"="+c.Dir) {
			continue // it ended meanwhile, or it is not ours
		}
		if p, err := identify(programOf(pid), pid); err == nil {
			found = append(found, p)
		}
	}
	return found, nil
}

// carries reports whether an environment, as the kernel keeps it, has exactly that entry.
func carries(environment []byte, entry string) bool {
	for _, candidate := range bytes.Split(environment, []byte{0}) {
		if string(candidate) == entry {
			return true
		}
	}
	return false
}

// programOf names a process for messages.
func programOf(pid int) string {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return "process"
	}
	return strings.TrimSpace(string(content))
}

// unmountAll removes what is still mounted at or below the cluster's folder, the latest first.
func (c *Cluster) unmountAll() error {
	all, err := mounts()
	if err != nil {
		return err
	}
	points := mountsAt(all, c.Dir)
	for _, point := range points {
		if err := unix.Unmount(point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	return nil
}

// mountsAt lists the mounts at or below a folder, deeper ones first.
func mountsAt(all []mount, folder string) []string {
	var points []string
	for _, m := range all {
		if m.point == folder || strings.HasPrefix(m.point, folder+"/") {
			points = append(points, m.point)
		}
	}
	sort.SliceStable(points, func(i, j int) bool { return len(points[i]) > len(points[j]) })
	return points
}
