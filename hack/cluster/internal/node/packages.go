//go:build linux

package node

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// toolPath is where the node's processes find programs: the folders of Debian's packages, which
// the caller's own PATH need not name.
const toolPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// debianPackage is one package and what of it the node runs.
type debianPackage struct {
	name  string
	tools []string
}

// debianPackages lists all that the node takes from the distribution.
func debianPackages() []debianPackage {
	return []debianPackage{
		{"containerd", []string{"containerd", "containerd-shim-runc-v2", "ctr"}},
		{"runc", []string{"runc"}},
		{"iproute2", []string{"ip"}},
		{"nftables", []string{"nft"}},
		{"containernetworking-plugins", nil}, // see cniFolder
	}
}

// missingPackages names the packages of which something is not there. It looks for the programs:
// who has them from elsewhere needs no package.
func missingPackages() []string {
	var missing []string
	for _, p := range debianPackages() {
		for _, tool := range p.tools {
			if findTool(tool) == "" {
				missing = append(missing, p.name)
				break
			}
		}
	}
	if cniFolder() == "" {
		missing = append(missing, "containernetworking-plugins")
	}
	return missing
}

func findTool(name string) string {
	for _, folder := range filepath.SplitList(toolPath) {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// cniFolder is where the network plugins are; distributions do not agree on it.
func cniFolder() string {
	for _, folder := range []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"} {
		if exists(filepath.Join(folder, "ptp")) && exists(filepath.Join(folder, "host-local")) {
			return folder
		}
	}
	return ""
}

// installPackages installs what is missing. Debian may start a containerd service then: it is
// left alone, the cluster runs its own.
func (c *Cluster) installPackages(ctx context.Context) error {
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	done := c.Out.Begin("packages")
	c.Out.Line("packages", "apt-get install "+strings.Join(missing, " "))
	install := append([]string{"install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"}, missing...)
	if err := aptGet(ctx, install...); err != nil {
		// The lists are missing or older than the archive.
		c.Out.Line("packages", "apt-get update")
		if err := aptGet(ctx, "update"); err != nil {
			return err
		}
		if err := aptGet(ctx, install...); err != nil {
			return err
		}
	}
	if still := missingPackages(); len(still) > 0 {
		return fmt.Errorf("apt-get installed %s, but their programs are not in %s", strings.Join(still, " "), toolPath)
	}
	done("installed")
	return nil
}

func aptGet(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, findTool("apt-get"), args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "PATH="+toolPath)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, lastLines(output, 15))
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// lastLines returns the end of a program's output or log.
func lastLines(output []byte, n int) string {
	lines := bytes.Split(bytes.TrimSpace(output), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}
