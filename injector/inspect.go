package injector

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// flaw is what keeps a pod's specification from being protected.
type flaw struct {
	reason v1alpha1.Reason
	// what is wrong, as the rest of a sentence about the pod.
	what string
	// fix is what to do. Where it is empty, injecting the pod anew is the cure.
	fix string
}

func notInjected(format string, args ...any) flaw {
	return flaw{reason: v1alpha1.ReasonNotInjected, what: fmt.Sprintf(format, args...)}
}

func bypassed(format string, args ...any) flaw {
	return flaw{reason: v1alpha1.ReasonBypassed, what: fmt.Sprintf(format, args...)}
}

func (f flaw) curedBy(fix string) flaw {
	f.fix = fix
	return f
}

// inspect compares a pod's specification with what Inject makes. It looks at what
// would run, never at labels and annotations.
func inspect(pod *corev1.Pod, cfg Config) []flaw {
	sidecar := findSidecar(pod)
	if sidecar == nil {
		return []flaw{notInjected("it passes for injected, but no init container is named %q", ContainerName)}
	}
	var flaws []flaw
	name := portName(sidecar)
	if fields := differences(*sidecar, cfg.container(name)); len(fields) > 0 {
		flaws = append(flaws, notInjected("its container %q is not the sidecar that is injected now, but differs in %s", ContainerName, strings.Join(fields, ", ")))
	}
	if !isIn(pod.Spec.Volumes, cfg.volumes()[0]) {
		flaws = append(flaws, notInjected("its volume %q is not the policy in ConfigMap %q", VolumeName, ConfigMapName(cfg.Server)))
	}
	if name == "" {
		flaws = append(flaws, notInjected("its sidecar has not taken over the name of the app's port"))
	}
	flaws = append(flaws, appPortFlaws(pod, cfg)...)
	return append(flaws, waysAround(pod, cfg, name)...)
}

// findSidecar returns the init container of the sidecar's name. A container of
// that name elsewhere is none: it would start beside the app, not before it.
func findSidecar(pod *corev1.Pod) *corev1.Container {
	i := slices.IndexFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == ContainerName })
	if i < 0 {
		return nil
	}
	return &pod.Spec.InitContainers[i]
}

// portName is the name that a sidecar has taken over; nothing where there is none.
func portName(sidecar *corev1.Container) string {
	if len(sidecar.Ports) == 0 {
		return ""
	}
	return sidecar.Ports[0].Name
}

// appPortFlaws finds an injected app that lacks its port, or has a name for it.
func appPortFlaws(pod *corev1.Pod, cfg Config) []flaw {
	declared := false
	var flaws []flaw
	for d := range declarations(pod) {
		if d.number != cfg.AppPort {
			continue
		}
		declared = true
		if d.name != "" {
			flaws = append(flaws, bypassed("container %q still calls port %d %q, so Services of that name lead past the sidecar", d.by.Name, d.number, d.name))
		}
	}
	if !declared {
		flaws = append(flaws, notInjected("no container declares port %d, the MCPServer's spec.workload.port", cfg.AppPort).
			curedBy("declare it with a name, or correct spec.workload.port"))
	}
	return flaws
}

// waysAround are the reasons why a Service for the name would not reach the
// sidecar, or somebody would reach the app without it, whether or not the
// sidecar is there.
func waysAround(pod *corev1.Pod, cfg Config, name string) []flaw {
	if pod.Spec.HostNetwork {
		return []flaw{bypassed("it uses the node's network, where port %d is open beside the sidecar", cfg.AppPort).curedBy("set hostNetwork: false")}
	}
	var flaws []flaw
	for d := range declarations(pod) {
		own := d.number == cfg.AppPort
		if own && d.hostPort != 0 {
			flaws = append(flaws, bypassed("container %q opens port %d on the node (hostPort: %d), past the sidecar", d.by.Name, d.number, d.hostPort).
				curedBy("remove the hostPort"))
		}
		if d.number == cfg.Port || d.number == cfg.HealthPort {
			flaws = append(flaws, bypassed("container %q declares port %d, which the sidecar needs", d.by.Name, d.number).
				curedBy("let it listen on another"))
		}
		if !own && name != "" && d.name == name {
			flaws = append(flaws, bypassed("container %q has a port %d that is named %q too, where a Service may lead instead of to the sidecar", d.by.Name, d.number, name).
				curedBy("rename it"))
		}
	}
	return flaws
}
