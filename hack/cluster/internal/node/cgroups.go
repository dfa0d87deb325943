//go:build linux

package node

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// mount is one line of /proc/self/mountinfo.
type mount struct {
	point, kind string
}

// mounts lists the mounts that this process sees, in the order in which they were made.
func mounts() ([]mount, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return parseMounts(file)
}

// parseMounts reads proc_pid_mountinfo(5): "36 35 98:0 /root /point options [tags…] - type …".
func parseMounts(r io.Reader) ([]mount, error) {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var found []mount
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		fields, kinds := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 6 || len(kinds) < 1 {
			return nil, fmt.Errorf("mountinfo: unexpected line %q", lines.Text())
		}
		found = append(found, mount{point: unescape.Replace(fields[4]), kind: kinds[0]})
	}
	return found, lines.Err()
}

// cgroupRoots lists where the hierarchies of cgroups are: one in version 2, many in version 1. A
// machine may have both; then those of version 1, which have the controllers, are first.
func cgroupRoots() ([]string, error) {
	all, err := mounts()
	if err != nil {
		return nil, err
	}
	var version1, version2 []string
	for _, m := range all {
		switch m.kind {
		case "cgroup":
			version1 = append(version1, m.point)
		case "cgroup2":
			version2 = append(version2, m.point)
		}
	}
	return append(version1, version2...), nil
}

// makeCgroups makes the cgroup of all pods in each hierarchy.
func (c *Cluster) makeCgroups() error {
	roots, err := cgroupRoots()
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := os.MkdirAll(filepath.Join(root, c.cgroup()), 0o755); err != nil {
			return fmt.Errorf("make the pods' cgroup: %w", err)
		}
	}
	return nil
}

// podCgroups lists the cluster's cgroups, each after those below it.
func (c *Cluster) podCgroups() ([]string, error) {
	roots, err := cgroupRoots()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, root := range roots {
		below, err := foldersBelow(filepath.Join(root, c.cgroup()))
		if err != nil {
			return nil, err
		}
		found = append(found, below...)
	}
	return found, nil
}

func foldersBelow(root string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone while we look
		}
		if err == nil && entry.IsDir() {
			found = append([]string{path}, found...)
		}
		return err
	})
	return found, err
}

// podProcesses lists the processes of all pods.
func (c *Cluster) podProcesses() ([]int, error) {
	folders, err := c.podCgroups()
	if err != nil {
		return nil, err
	}
	var pids []int
	seen := map[int]bool{}
	for _, folder := range folders {
		content, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, field := range strings.Fields(string(content)) {
			pid, err := strconv.Atoi(field)
			if err == nil && pid > 0 && !seen[pid] {
				seen[pid] = true
				pids = append(pids, pid)
			}
		}
	}
	return pids, nil
}

// removeCgroups removes the cgroups once they are empty. The kernel lets go of a dead process's
// cgroup a moment after the process.
func (c *Cluster) removeCgroups() error {
	deadline := c.Now().Add(vanishTimeout)
	for {
		folders, err := c.podCgroups()
		if err != nil || len(folders) == 0 {
			return err
		}
		var failed error
		for _, folder := range folders {
			if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failed = err
			}
		}
		if failed != nil && c.Now().After(deadline) {
			return fmt.Errorf("remove the pods' cgroups: %w", failed)
		}
		if failed != nil {
			time.Sleep(pollEvery)
		}
	}
}
