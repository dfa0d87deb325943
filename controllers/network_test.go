package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"
)

// network stands for that of the cluster, which a control plane alone has not. What is
// not said otherwise listens on its loopback address alone.
type network struct {
	pods atomic.Int32

	mu    sync.Mutex
	doors map[netip.AddrPort]door
	tried map[netip.AddrPort]int
}

// door is what somebody finds who connects.
type door func() error

func locked() error { return syscall.ECONNREFUSED }     // nothing listens there
func open() error   { return nil }                      // anybody is let in
func silent() error { return context.DeadlineExceeded } // a policy is enforced

// address is one that no other pod has.
func (n *network) address() string {
	i := n.pods.Add(1)
	return fmt.Sprintf("10.1.%d.%d", i/250, i%250+1)
}

// set says what those find who connect to the app's port of a pod.
func (n *network) set(pod *corev1.Pod, d door) {
	GinkgoHelper()
	address, err := netip.ParseAddr(pod.Status.PodIP)
	Expect(err).NotTo(HaveOccurred())
	n.mu.Lock()
	defer n.mu.Unlock()
	n.doors[netip.AddrPortFrom(address, 8080)] = d
}

// attempts are the ports of an address that somebody has connected to.
func (n *network) attempts(address string) []uint16 {
	n.mu.Lock()
	defer n.mu.Unlock()
	var ports []uint16
	for at := range n.tried {
		if at.Addr().String() == address {
			ports = append(ports, at.Port())
		}
	}
	return ports
}

// connect is what the operator connects with.
func (n *network) connect(_ context.Context, address netip.AddrPort) error {
	n.mu.Lock()
	d := n.doors[address]
	n.tried[address]++
	n.mu.Unlock()
	if d == nil {
		d = locked
	}
	return d()
}
