//go:build linux

package node

import (
	"bytes"
	"embed"
	"fmt"
	"text/template"

	"golang.org/x/sys/unix"
)

//go:embed templates
var templates embed.FS

// settings is what the configuration files are rendered with.
type settings struct {
	Name, Dir        string
	Cgroup           string
	ContainerdSocket string
	Snapshotter      string
	CNIFolder        string
	PauseImage       string
	NodeAddress      string
	PodSubnet        string
	ClusterDomain    string
	APIServer        string
	DNSReadyAddress  string
}

func (c *Cluster) settings() settings {
	return settings{
		Name:             c.Name,
		Dir:              c.Dir,
		Cgroup:           c.cgroup(),
		ContainerdSocket: c.containerdSock(),
		Snapshotter:      c.snapshotter(),
		CNIFolder:        cniFolder(),
		PauseImage:       "docker.io/" + pauseImage,
		NodeAddress:      nodeAddress,
		PodSubnet:        podSubnet,
		ClusterDomain:    clusterDomain,
		APIServer:        apiServer,
		DNSReadyAddress:  dnsReadyAddress,
	}
}

// configFiles maps each template to its place in the cluster's folder.
func configFiles() map[string]string {
	return map[string]string{
		"containerd.toml": "conf/containerd.toml",
		"pods.conflist":   "conf/cni/10-pods.conflist",
		"kubelet.yaml":    "conf/kubelet.yaml",
		"kube-proxy.yaml": "conf/kube-proxy.yaml",
		"Corefile":        "conf/Corefile",
		"bootstrap.yaml":  "conf/bootstrap.yaml",
	}
}

func (c *Cluster) writeConfig() error {
	s := c.settings()
	for name, place := range configFiles() {
		content, err := s.render(name)
		if err != nil {
			return err
		}
		if err := writeFile(c.path(place), content); err != nil {
			return err
		}
	}
	return nil
}

func (s settings) render(name string) ([]byte, error) {
	parsed, err := template.New(name).Option("missingkey=error").ParseFS(templates, "templates/"+name)
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", name, err)
	}
	var b bytes.Buffer
	if err := parsed.Execute(&b, s); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// snapshotter is overlayfs, except where the folder itself is on an overlay, as in a container:
// the kernel does not stack them, and containerd copies instead.
func (c *Cluster) snapshotter() string {
	var fs unix.Statfs_t
	if err := unix.Statfs(c.Dir, &fs); err == nil && fs.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native"
	}
	return "overlayfs"
}
