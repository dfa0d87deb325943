//go:build linux

package node

import (
	"fmt"
	"path/filepath"
	"regexp"
	"time"
)

// The addresses are the same in every cluster: each has a network namespace of its own. Those of
// the node and the pods are RFC 5737's for documentation, which no real network uses.
const (
	nodeAddress     = "192.0.2.10"
	nodePrefix      = "/24"
	podSubnet       = "198.51.100.0/24"
	serviceSubnet   = "10.96.0.0/16"
	serviceAddress  = "10.96.0.1"
	clusterDomain   = "cluster.local"
	apiServer       = "https://" + nodeAddress + ":6443"
	dnsReadyAddress = nodeAddress + ":8181"
	etcdAddress     = "127.0.0.1:2379"
	pauseImage      = "mcpauth/pause:v1"
)

// maxDir bounds a cluster's folder: below it are Unix sockets, whose paths end at 107 bytes.
const maxDir = 75

// Cluster is one cluster of this machine, running or not.
type Cluster struct {
	// Name tells clusters of one machine apart. It is also the node's name.
	Name string
	// Dir is the folder of all that the cluster keeps.
	Dir string
	// Binaries is the folder of the Kubernetes programs, set by Up.
	Binaries string
	// Out hears what is being done.
	Out *Steps
	// Now reads the clock.
	Now func() time.Time
}

// New returns the cluster of that name below the folder of all clusters. Nothing is started.
func New(clusters, name string, out *Steps, now func() time.Time) (*Cluster, error) {
	if ok, err := regexp.MatchString(`^[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?$`, name); err != nil || !ok {
		return nil, fmt.Errorf("cluster name %q: use 1 to 30 of a-z, 0-9 and, inside, '-'", name)
	}
	dir := filepath.Join(clusters, name)
	if len(dir) > maxDir {
		return nil, fmt.Errorf("the folder %s is too long for the Unix sockets in it: at most %d bytes", dir, maxDir)
	}
	return &Cluster{Name: name, Dir: dir, Out: out, Now: now}, nil
}

// Kubeconfig is the file that names the cluster's administrator. Its server answers inside the
// cluster's network namespace only.
func (c *Cluster) Kubeconfig() string { return c.path("kubeconfig") }

func (c *Cluster) path(elements ...string) string {
	return filepath.Join(append([]string{c.Dir}, elements...)...)
}

func (c *Cluster) lockFile() string       { return c.Dir + ".lock" }
func (c *Cluster) networkFile() string    { return c.path("netns") }
func (c *Cluster) containerdSock() string { return c.path("containerd", "containerd.sock") }
func (c *Cluster) cgroup() string         { return "mcpauth-" + c.Name }
