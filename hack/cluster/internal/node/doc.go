// Package node runs a real one-node Kubernetes cluster on a bare Linux machine, without a
// container engine: the control plane, containerd and the kubelet as plain processes.
//
// A cluster lives in namespaces of its own, so several run side by side and none is reachable
// from outside:
//
//	network namespace   all processes; 192.0.2.10 is the node, 198.51.100.0/24 its pods,
//	                    10.96.0.0/16 its Services
//	mount namespace     containerd, the kubelet and their pods: the folders that both have
//	                    compiled in (/var/lib/kubelet, /run/containerd…) are the cluster's own,
//	                    and every mount of a pod goes when its processes go
//	cgroup              /mcpauth-NAME in each hierarchy: all processes of its pods
//
// What it has on disk is one folder. Down removes all of it, also of a cluster that only half came
// up, and touches no process that it cannot prove to be the cluster's.
//
// NetworkPolicy objects are accepted but not enforced.
package node
