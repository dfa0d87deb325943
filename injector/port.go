package injector

import (
	"fmt"
	"iter"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// neighbour is a container that runs beside the sidecar.
type neighbour struct {
	*corev1.Container
	// path is where it stands in the pod, as a JSON pointer.
	path string
}

// neighbours are the containers that run as long as the pod does, other native
// sidecars included. Init containers that end are over before anything serves.
func neighbours(pod *corev1.Pod) iter.Seq[neighbour] {
	return func(yield func(neighbour) bool) {
		for i := range pod.Spec.Containers {
			if !yield(neighbour{&pod.Spec.Containers[i], element("/spec/containers", i)}) {
				return
			}
		}
		for i := range pod.Spec.InitContainers {
			c := &pod.Spec.InitContainers[i]
			if isNativeSidecar(c) && c.Name != ContainerName && !yield(neighbour{c, element("/spec/initContainers", i)}) {
				return
			}
		}
	}
}

func isNativeSidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// declaration is an entry among the ports of a neighbour.
type declaration struct {
	by     neighbour
	name   string
	number int32
	// hostPort is zero where the node's port is not bound.
	hostPort int32
	// path is where it stands in the pod, as a JSON pointer.
	path string
}

// declarations are the TCP ports that the neighbours declare.
func declarations(pod *corev1.Pod) iter.Seq[declaration] {
	return func(yield func(declaration) bool) {
		for n := range neighbours(pod) {
			for i, port := range n.Ports {
				d := declaration{n, port.Name, port.ContainerPort, port.HostPort, element(n.path+"/ports", i)}
				if isTCP(port.Protocol) && !yield(d) {
					return
				}
			}
		}
	}
}

// isTCP: an absent protocol means TCP.
func isTCP(p corev1.Protocol) bool { return p == "" || p == corev1.ProtocolTCP }

// findAppPort returns the one named declaration of the app's port, whose name the
// sidecar takes over, or says in words why there is none.
func findAppPort(pod *corev1.Pod, cfg Config) (declaration, *Refusal) {
	var named, unnamed []declaration
	for d := range declarations(pod) {
		switch {
		case d.number != cfg.AppPort:
		case d.name == "":
			unnamed = append(unnamed, d)
		default:
			named = append(named, d)
		}
	}
	const fix = "give it a name there (ports: [{name: mcp, containerPort: %d}]) and let the Service's targetPort be that name"
	switch {
	case len(named) == 1:
		return named[0], nil
	case len(named) > 1:
		return declaration{}, cfg.refuse(bypassed("port %d has two names, %q and %q, of which the sidecar can take over one",
			cfg.AppPort, named[0].name, named[1].name), "remove the other")
	case len(unnamed) > 0:
		return declaration{}, cfg.refuse(bypassed("container %q declares port %d without a name, and a Service finds the sidecar by name only",
			unnamed[0].by.Name, cfg.AppPort), fmt.Sprintf(fix, cfg.AppPort))
	default:
		return declaration{}, cfg.refuse(notInjected("no container declares port %d, the MCPServer's spec.workload.port",
			cfg.AppPort), fmt.Sprintf("declare it and "+fix+", or correct spec.workload.port", cfg.AppPort))
	}
}

// takeOver moves the name of the app's port away from the app. The kubelet looks
// the names of ports up in the container that uses them, so what named the port
// there gets the number.
func (p *Patch) takeOver(d declaration) {
	p.remove(d.path + "/name")
	for _, use := range portUses(d.by) {
		if use.port.Type == intstr.String && use.port.StrVal == d.name {
			p.replace(use.path, d.number)
		}
	}
}

// portUse is a place in a container that says a port by number or name.
type portUse struct {
	port intstr.IntOrString
	// path is where it stands in the pod, as a JSON pointer.
	path string
}

// portUses are the probes and lifecycle hooks that open a port.
func portUses(n neighbour) []portUse {
	var uses []portUse
	action := func(path string, http *corev1.HTTPGetAction, tcp *corev1.TCPSocketAction) {
		if http != nil {
			uses = append(uses, portUse{http.Port, path + "/httpGet/port"})
		}
		if tcp != nil {
			uses = append(uses, portUse{tcp.Port, path + "/tcpSocket/port"})
		}
	}
	probe := func(field string, p *corev1.Probe) {
		if p != nil {
			action(n.path+"/"+field, p.HTTPGet, p.TCPSocket)
		}
	}
	hook := func(field string, h *corev1.LifecycleHandler) {
		if h != nil {
			action(n.path+"/lifecycle/"+field, h.HTTPGet, h.TCPSocket)
		}
	}
	probe("startupProbe", n.StartupProbe)
	probe("readinessProbe", n.ReadinessProbe)
	probe("livenessProbe", n.LivenessProbe)
	if n.Lifecycle != nil {
		hook("postStart", n.Lifecycle.PostStart)
		hook("preStop", n.Lifecycle.PreStop)
	}
	return uses
}
