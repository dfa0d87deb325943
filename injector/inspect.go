package injector

import (
	"cmp"
	"fmt"
	"slices"

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

func counterfeit(format string, args ...any) flaw {
	return flaw{reason: v1alpha1.ReasonCounterfeit, what: fmt.Sprintf(format, args...)}
}

func outdated(format string, args ...any) flaw {
	return flaw{reason: v1alpha1.ReasonOutdated, what: fmt.Sprintf(format, args...)}
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

// inspect compares a pod's specification with what Inject makes, the gravest flaw
// first. It looks at what would run. A mark can only tell that a pod is older than it
// seems, never that it is in order.
func inspect(pod *corev1.Pod, cfg Config) []flaw {
	if unfit := unfit(pod, cfg); len(unfit) > 0 {
		return unfit
	}
	sidecar := findSidecar(pod)
	if sidecar == nil {
		return []flaw{counterfeit("it passes for injected, but no init container is named %q", ContainerName)}
	}
	flaws := judge(pod, sidecar, cfg)
	flaws = append(flaws, appPortFlaws(pod, cfg)...)
	flaws = append(flaws, waysAround(pod, cfg, portName(sidecar))...)
	flaws = append(flaws, exposures(pod)...)
	slices.SortStableFunc(flaws, func(a, b flaw) int {
		return cmp.Compare(slices.Index(gravity, a.reason), slices.Index(gravity, b.reason))
	})
	return flaws
}

// gravity is the order in which flaws are told.
var gravity = []v1alpha1.Reason{v1alpha1.ReasonCounterfeit, v1alpha1.ReasonNotInjected, v1alpha1.ReasonBypassed, v1alpha1.ReasonOutdated}

// isMarkedOtherwise reports whether the webhook noted another Shape on the pod. That is
// how changed resources and probes are seen, since in the container they may be somebody
// else's, such as a resize in place. A pod without the mark is as it looks.
func isMarkedOtherwise(pod *corev1.Pod, cfg Config) bool {
	mark, marked := pod.Annotations[v1alpha1.SidecarAnnotation]
	return marked && mark != cfg.Shape()
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
		flaws = append(flaws, outdated("no container declares port %d, the MCPServer's spec.workload.port", cfg.AppPort).
			curedBy("declare it with a name, or correct spec.workload.port"))
	}
	return flaws
}

// waysAround are the reasons why a Service for the name would not reach the
// sidecar, or somebody would reach the app without it, whether or not the
// sidecar is there.
func waysAround(pod *corev1.Pod, cfg Config, name string) []flaw {
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
