//go:build linux

package node

// component is one process of the cluster.
type component struct {
	name string
	args []string
	// onNode components run in the cluster's mount namespace too.
	onNode bool
	// fromSystem components are the distribution's, not ours.
	fromSystem bool
}

func (c *Cluster) etcd() component {
	return component{name: "etcd", args: []string{
		"--name=" + c.Name,
		"--data-dir=" + c.path("etcd"),
		"--listen-client-urls=http://" + etcdAddress,
		"--advertise-client-urls=http://" + etcdAddress,
		"--listen-peer-urls=http://127.0.0.1:2380",
		"--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--initial-cluster=" + c.Name + "=http://127.0.0.1:2380",
		// What a crash of the machine would lose, the next start makes anew.
		"--unsafe-no-fsync",
	}}
}

func (c *Cluster) apiserver() component {
	return component{name: "kube-apiserver", args: []string{
		"--etcd-servers=http://" + etcdAddress,
		"--bind-address=0.0.0.0",
		"--secure-port=6443",
		"--advertise-address=" + nodeAddress,
		"--service-cluster-ip-range=" + serviceSubnet,
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--client-ca-file=" + c.path("pki", "ca.crt"),
		"--tls-cert-file=" + c.path("pki", "kube-apiserver.crt"),
		"--tls-private-key-file=" + c.path("pki", "kube-apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.path("pki", "service-accounts.crt"),
		"--service-account-signing-key-file=" + c.path("pki", "service-accounts.key"),
		"--requestheader-client-ca-file=" + c.path("pki", "front-proxy-ca.crt"),
		"--requestheader-allowed-names=" + frontProxy,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.path("pki", frontProxy+".crt"),
		"--proxy-client-key-file=" + c.path("pki", frontProxy+".key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-certificate-authority=" + c.path("pki", "ca.crt"),
		"--kubelet-client-certificate=" + c.path("pki", "kubelet-client.crt"),
		"--kubelet-client-key=" + c.path("pki", "kubelet-client.key"),
		"--profiling=false",
	}}
}

func (c *Cluster) controllerManager() component {
	kubeconfig := c.path("conf", "kube-controller-manager.kubeconfig")
	return component{name: "kube-controller-manager", args: []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		// Its own start alone would take five seconds at the default of 20 calls a second.
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + c.path("pki", "service-accounts.key"),
		"--root-ca-file=" + c.path("pki", "ca.crt"),
		"--cluster-signing-cert-file=" + c.path("pki", "ca.crt"),
		"--cluster-signing-key-file=" + c.path("pki", "ca.key"),
		"--profiling=false",
	}}
}

func (c *Cluster) scheduler() component {
	kubeconfig := c.path("conf", "kube-scheduler.kubeconfig")
	return component{name: "kube-scheduler", args: []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		"--profiling=false",
	}}
}

func (c *Cluster) containerd() component {
	return component{name: "containerd", onNode: true, fromSystem: true, args: []string{
		"--config=" + c.path("conf", "containerd.toml"),
	}}
}

func (c *Cluster) kubelet() component {
	return component{name: "kubelet", onNode: true, args: []string{
		"--config=" + c.path("conf", "kubelet.yaml"),
		"--kubeconfig=" + c.path("conf", "kubelet.kubeconfig"),
		"--hostname-override=" + c.Name,
		"--node-ip=" + nodeAddress,
	}}
}

func (c *Cluster) proxy() component {
	return component{name: "kube-proxy", args: []string{
		"--config=" + c.path("conf", "kube-proxy.yaml"),
	}}
}

func (c *Cluster) dns() component {
	return component{name: "coredns", args: []string{
		"-conf=" + c.path("conf", "Corefile"),
	}}
}

// provisioner makes the volumes of the default StorageClass.
func (c *Cluster) provisioner() component {
	return component{name: "provisioner", args: []string{
		"--server=" + apiServer,
		"--certificate-authority=" + c.path("pki", "ca.crt"),
		"--client-certificate=" + c.path("pki", "provisioner.crt"),
		"--client-key=" + c.path("pki", "provisioner.key"),
		"--folder=" + c.path("volumes"),
		"--node=" + c.Name,
	}}
}

// components lists all processes in the order in which they start.
func (c *Cluster) components() []component {
	return []component{
		c.etcd(), c.containerd(), c.apiserver(), c.controllerManager(), c.scheduler(),
		c.kubelet(), c.proxy(), c.dns(), c.provisioner(),
	}
}
