//go:build linux

package node

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

// identity is one user of the API server.
type identity struct {
	// file is the name of the kubeconfig below conf/, without its ending.
	file   string
	user   string
	groups []string
}

// identities lists who speaks to the API server with a kubeconfig. The names are those that
// Kubernetes's own roles are bound to.
func (c *Cluster) identities() []identity {
	return []identity{
		{"admin", "kubernetes-admin", []string{"system:masters"}},
		{"kube-controller-manager", "system:kube-controller-manager", nil},
		{"kube-scheduler", "system:kube-scheduler", nil},
		{"kubelet", "system:node:" + c.Name, []string{"system:nodes"}},
		{"kube-proxy", "system:kube-proxy", nil},
		{"coredns", "coredns", nil},
	}
}

// writeIdentities makes every key, certificate and kubeconfig of the cluster.
func (c *Cluster) writeIdentities() error {
	ca, signed, err := newAuthority(c.Now())
	if err != nil {
		return err
	}
	if err := c.writePair("ca", signed, nil); err != nil {
		return err
	}
	accounts, err := serviceAccountKey()
	if err := c.writePair("service-accounts", accounts, err); err != nil {
		return err
	}
	server, err := ca.server("kube-apiserver", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc."+clusterDomain, "localhost", "127.0.0.1", serviceAddress, nodeAddress)
	if err := c.writePair("kube-apiserver", server, err); err != nil {
		return err
	}
	kubelet, err := ca.server("kubelet", c.Name, nodeAddress)
	if err := c.writePair("kubelet", kubelet, err); err != nil {
		return err
	}
	// The API server speaks to the kubelet as this user: logs, exec, port-forward.
	toKubelet, err := ca.client("kube-apiserver-kubelet-client", "system:masters")
	if err := c.writePair("kubelet-client", toKubelet, err); err != nil {
		return err
	}
	if err := c.writeFrontProxy(); err != nil {
		return err
	}
	provisioner, err := ca.client("provisioner")
	if err := c.writePair("provisioner", provisioner, err); err != nil {
		return err
	}
	for _, id := range c.identities() {
		if err := c.writeKubeconfig(ca, signed.certificate, id); err != nil {
			return err
		}
	}
	return nil
}

// frontProxy is who the API server is when it passes requests on to API servers of extensions.
const frontProxy = "front-proxy-client"

// writeFrontProxy makes an authority of its own: who it certifies may claim to be anybody.
func (c *Cluster) writeFrontProxy() error {
	ca, signed, err := newAuthority(c.Now())
	if err := c.writePair("front-proxy-ca", signed, err); err != nil {
		return err
	}
	client, err := ca.client(frontProxy)
	return c.writePair(frontProxy, client, err)
}

// writePair takes the error of making the pair, so that a list of pairs reads as one.
func (c *Cluster) writePair(name string, p pair, err error) error {
	if err != nil {
		return fmt.Errorf("certificate %s: %w", name, err)
	}
	if err := writeFile(c.path("pki", name+".crt"), p.certificate); err != nil {
		return err
	}
	return writeFile(c.path("pki", name+".key"), p.key)
}

func (c *Cluster) writeKubeconfig(ca *authority, root []byte, id identity) error {
	p, err := ca.client(id.user, id.groups...)
	if err != nil {
		return err
	}
	content := kubeconfig(c.Name, root, id.user, p)
	if id.file == "admin" {
		if err := c.writePair(id.file, p, nil); err != nil {
			return err
		}
		return writeFile(c.Kubeconfig(), content)
	}
	return writeFile(c.path("conf", id.file+".kubeconfig"), content)
}

// kubeconfig renders a kubeconfig whose context has the cluster's name.
func kubeconfig(cluster string, root []byte, user string, p pair) []byte {
	encode := base64.StdEncoding.EncodeToString
	var b bytes.Buffer
	fmt.Fprintf(&b, `apiVersion: v1
kind: Config
current-context: %[1]s
clusters:
- name: %[1]s
  cluster:
    server: %[2]s
    certificate-authority-data: %[3]s
users:
- name: %[4]s
  user:
    client-certificate-data: %[5]s
    client-key-data: %[6]s
contexts:
- name: %[1]s
  context:
    cluster: %[1]s
    user: %[4]s
`, cluster, apiServer, encode(root), user, encode(p.certificate), encode(p.key))
	return b.Bytes()
}
