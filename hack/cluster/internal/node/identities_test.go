//go:build linux

package node

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
)

func written(t *testing.T) *Cluster {
	t.Helper()
	c := cluster(t)
	if err := c.writeIdentities(); err != nil {
		t.Fatal(err)
	}
	return c
}

// chain reads a certificate and verifies it against one of the cluster's authorities.
func chain(t *testing.T, c *Cluster, authority, name string, usage x509.ExtKeyUsage) *x509.Certificate {
	t.Helper()
	loaded, err := tls.LoadX509KeyPair(c.path("pki", name+".crt"), c.path("pki", name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(c.path("pki", authority+".crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	_, err = loaded.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: time.Now(), KeyUsages: []x509.ExtKeyUsage{usage}})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return loaded.Leaf
}

func TestTheAPIServerIsCertifiedForEveryNameItIsCalledBy(t *testing.T) {
	certificate := chain(t, written(t), "ca", "kube-apiserver", x509.ExtKeyUsageServerAuth)
	for _, host := range []string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		"localhost", "127.0.0.1", "10.96.0.1", "192.0.2.10",
	} {
		if err := certificate.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
}

func TestEveryIdentityIsWhoKubernetesExpects(t *testing.T) {
	c := written(t)
	got := map[string][]string{}
	for _, id := range c.identities() {
		path := c.path("conf", id.file+".kubeconfig")
		if id.file == "admin" {
			path = c.Kubeconfig()
		}
		config, err := clientcmd.LoadFromFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := clientcmd.Validate(*config); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		context := config.Contexts[config.CurrentContext]
		if config.CurrentContext != "test" || config.Clusters[context.Cluster].Server != apiServer {
			t.Errorf("%s: context %q, server %q", path, config.CurrentContext, config.Clusters[context.Cluster].Server)
		}
		user := config.AuthInfos[context.AuthInfo]
		own, err := tls.X509KeyPair(user.ClientCertificateData, user.ClientKeyData)
		if err != nil {
			t.Fatal(err)
		}
		got[id.file] = append([]string{own.Leaf.Subject.CommonName}, own.Leaf.Subject.Organization...)
	}
	want := map[string][]string{
		"admin":                   {"kubernetes-admin", "system:masters"},
		"kube-controller-manager": {"system:kube-controller-manager"},
		"kube-scheduler":          {"system:kube-scheduler"},
		"kubelet":                 {"system:node:test", "system:nodes"},
		"kube-proxy":              {"system:kube-proxy"},
		"coredns":                 {"coredns"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("users and groups (-want +got):\n%s", diff)
	}
}

func TestTheFrontProxysAuthorityCertifiesNobodyElse(t *testing.T) {
	c := written(t)
	chain(t, c, "front-proxy-ca", frontProxy, x509.ExtKeyUsageClientAuth)
	ca, err := os.ReadFile(c.path("pki", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	front, err := os.ReadFile(c.path("pki", "front-proxy-ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if string(ca) == string(front) {
		t.Error("whoever has a client certificate of the cluster could claim to be anybody")
	}
}

func TestKeysAreTheirOwnersAlone(t *testing.T) {
	c := written(t)
	for _, path := range []string{c.Kubeconfig(), c.path("pki", "ca.key"), c.path("pki", "service-accounts.key")} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}
