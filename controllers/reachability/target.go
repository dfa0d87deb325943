package reachability

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Target is a port of a pod that is to be tried.
type Target struct {
	Pod     types.UID
	Address netip.AddrPort
	// State is anything after whose change the answer may be another, such as when
	// the pod became ready and which policies select it: the port is tried again
	// soon then.
	State string
}

// TargetOf is the port of a pod at the address that its status names. It reports
// false where there is nothing that may be tried: the pod does not run, it shares the
// address of its node, or the address is none that a pod can have, which only somebody
// who writes the status of pods could have put there.
func TargetOf(pod *corev1.Pod, port int32) (Target, bool) {
	if pod.Status.Phase != corev1.PodRunning || pod.Spec.HostNetwork {
		return Target{}, false
	}
	address, err := netip.ParseAddr(pod.Status.PodIP)
	if err != nil {
		return Target{}, false
	}
	address = address.Unmap()
	if address.Zone() != "" || address.IsUnspecified() || address.IsLoopback() || address.IsLinkLocalUnicast() || address.IsMulticast() {
		return Target{}, false
	}
	return Target{Pod: pod.UID, Address: netip.AddrPortFrom(address, uint16(port))}, true
}

// Answer is what trying a port has shown.
type Answer int

// The answers.
const (
	// Untried: nothing is known yet.
	Untried Answer = iota
	// Unheeded: the Prober has no room for the target.
	Unheeded
	// Open: something accepts connections from other pods.
	Open
	// Refused: nothing listens at the pod's address.
	Refused
	// Silent: nothing comes back, as where a policy is enforced.
	Silent
)

// dialTimeout is how long a port has to answer.
const dialTimeout = time.Second

// Connect connects by TCP and hangs up again.
func Connect(ctx context.Context, address netip.AddrPort) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address.String())
	if err != nil {
		return err
	}
	return connection.Close()
}

// answerTo reads the outcome of a connection.
func answerTo(err error) Answer {
	switch {
	case err == nil:
		return Open
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	default:
		return Silent
	}
}
