package reachability

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestWhichPodsMayBeTried(t *testing.T) {
	running := func(ip string, change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip}}
		p.UID = "uid"
		if change != nil {
			change(p)
		}
		return p
	}
	for _, test := range []struct {
		name string
		pod  *corev1.Pod
		want string
	}{
		{"one that runs", running("10.1.2.3", nil), "10.1.2.3:8080"},
		{"one with an address of IPv6", running("fd00::7", nil), "[fd00::7]:8080"},
		{"one with an address of both", running("::ffff:10.1.2.3", nil), "10.1.2.3:8080"},
		{"one that starts", running("10.1.2.3", func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }), ""},
		{"one that has ended", running("10.1.2.3", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), ""},
		{"one of which nothing is known", running("10.1.2.3", func(p *corev1.Pod) { p.Status.Phase = "" }), ""},
		{"one with its node's address", running("192.0.2.10", func(p *corev1.Pod) { p.Spec.HostNetwork = true }), ""},
		{"one without an address", running("", nil), ""},
		{"one with a name for an address", running("kubernetes.default.svc", nil), ""},
		{"one with a port in its address", running("10.1.2.3:22", nil), ""},
		{"one at loopback", running("127.0.0.1", nil), ""},
		{"one at loopback in disguise", running("::ffff:127.0.0.1", nil), ""},
		{"one at loopback of IPv6", running("::1", nil), ""},
		{"one everywhere", running("0.0.0.0", nil), ""},
		{"one where clouds keep credentials", running("169.254.169.254", nil), ""},
		{"one on a link", running("fe80::1", nil), ""},
		{"one on an interface", running("fe80::1%eth0", nil), ""},
		{"one that is many", running("224.0.0.1", nil), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			target, ok := TargetOf(test.pod, appPort)
			if ok != (test.want != "") || ok && (target.Address.String() != test.want || target.Pod != "uid") {
				t.Errorf("TargetOf = %+v, %v; want %q", target, ok, test.want)
			}
		})
	}
}

func TestWhatAConnectionShows(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr).AddrPort()
	if got := answerTo(Connect(t.Context(), address)); got != Open {
		t.Errorf("a port that listens: %v, want Open", got)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if got := answerTo(Connect(t.Context(), address)); got != Refused {
		t.Errorf("a port that does not listen: %v, want Refused", got)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if got := answerTo(Connect(over, netip.MustParseAddrPort("192.0.2.1:8080"))); got != Silent {
		t.Errorf("a port that does not answer in time: %v, want Silent", got)
	}
}

func TestWhatAnErrorShows(t *testing.T) {
	for _, test := range []struct {
		err  error
		want Answer
	}{
		{nil, Open},
		{&net.OpError{Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, Refused},
		{fmt.Errorf("dial: %w", syscall.ECONNREFUSED), Refused},
		{&net.OpError{Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, Silent},
		{context.DeadlineExceeded, Silent},
		{errors.New("anything else"), Silent},
	} {
		if got := answerTo(test.err); got != test.want {
			t.Errorf("answerTo(%v) = %v, want %v", test.err, got, test.want)
		}
	}
}
