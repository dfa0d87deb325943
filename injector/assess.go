package injector

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// Finding is one thing about a pod or a Service that leaves its MCPServer
// unprotected.
type Finding struct {
	// Reason is Counterfeit where something by the sidecar's name is not of the
	// webhook's making, NotInjected where the sidecar is missing, Bypassed where a way
	// leads past it, Outdated where an earlier version or configuration of it runs,
	// Pending and NotReady where it is the right one and does not serve yet, or any more.
	Reason v1alpha1.Reason
	// Message names the object, what is wrong with it and what to do.
	Message string
	// Flaw is what is wrong with a pod, alone, where a new pod in its place is all that
	// is to be done, so that whoever knows what made the pod can say how; else empty.
	Flaw string
}

func finding(reason v1alpha1.Reason, format string, args ...any) Finding {
	return Finding{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Assess returns why a pod of the server's workload is not protected, the gravest
// reason first; nothing when it is, or when it has ended. A pod is protected
// while it runs exactly what Inject writes, the sidecar is ready, and no port of
// the pod leads past it. It changes nothing and is safe for concurrent use.
//
// What a resize in place or a LimitRange makes of the sidecar's resources is no
// difference. It says nothing of ephemeral containers: whoever may add one, or exec
// into a container, is inside the pod and needs no port of it.
func Assess(pod *corev1.Pod, cfg Config) []Finding {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return nil
	}
	cfg = cfg.withDefaults()
	if findSidecar(pod) == nil {
		return []Finding{missing(pod, cfg)}
	}
	flaws := inspect(pod, cfg)
	if len(flaws) == 0 {
		return assessReadiness(pod)
	}
	findings := make([]Finding, 0, len(flaws))
	for _, f := range flaws {
		found := finding(f.reason, "pod %s: %s; %s", nameOf(pod), f.what, cmp.Or(f.fix, cures[f.reason]))
		if f.fix == "" {
			found.Flaw = f.what
		}
		findings = append(findings, found)
	}
	return findings
}

// cures are what to do about flaws that have no fix of their own.
var cures = map[v1alpha1.Reason]string{
	v1alpha1.ReasonNotInjected: "restart it (kubectl rollout restart)",
	v1alpha1.ReasonBypassed:    "restart it (kubectl rollout restart)",
	v1alpha1.ReasonOutdated:    "restart it (kubectl rollout restart), or let spec.sidecar.rollout: Automatic do so",
	v1alpha1.ReasonCounterfeit: "find out who wrote it; a restart (kubectl rollout restart) puts the sidecar in its place, " +
		"also where the image has moved to another repository since",
}

// missing words that a pod has no sidecar where one would be.
func missing(pod *corev1.Pod, cfg Config) Finding {
	if slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == ContainerName }) {
		return finding(v1alpha1.ReasonCounterfeit, "pod %s: its container %q is not the sidecar, which is an init container that runs on; "+
			"remove it from the manifest and restart the pod (kubectl rollout restart)", nameOf(pod), ContainerName)
	}
	return finding(v1alpha1.ReasonNotInjected,
		"pod %s runs without the sidecar, as one that is older than its label %s=%s; restart it (kubectl rollout restart)",
		nameOf(pod), v1alpha1.ServerLabel, cfg.Server)
}

func assessReadiness(pod *corev1.Pod) []Finding {
	statuses := pod.Status.InitContainerStatuses
	i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == ContainerName })
	switch {
	case i >= 0 && statuses[i].Ready:
		return nil
	case pod.Status.Phase == corev1.PodPending || pod.Status.Phase == "":
		return []Finding{finding(v1alpha1.ReasonPending, "pod %s starts, and its sidecar is not ready yet", nameOf(pod))}
	default:
		return []Finding{finding(v1alpha1.ReasonNotReady, "the sidecar of pod %s is not ready; see kubectl logs -n %s %s -c %s",
			nameOf(pod), pod.Namespace, pod.Name, ContainerName)}
	}
}

func nameOf(o metav1.Object) string { return o.GetNamespace() + "/" + o.GetName() }
