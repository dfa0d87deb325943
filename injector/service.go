package injector

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// AssessService returns the ports of a Service by which requests reach the app of
// an injected pod without passing the sidecar; nothing for a Service that does
// not select the pod. It looks at what kube-proxy looks at: for a headless Service
// its clients choose the port themselves, and only a NetworkPolicy stops them.
func AssessService(svc *corev1.Service, pod *corev1.Pod, cfg Config) []Finding {
	cfg = cfg.withDefaults()
	if !selects(svc, pod) {
		return nil
	}
	var findings []Finding
	for _, port := range svc.Spec.Ports {
		if isTCP(port.Protocol) && resolve(port, pod) == cfg.AppPort {
			findings = append(findings, finding(v1alpha1.ReasonBypassed,
				"Service %s leads from port %d to port %d of pod %s, past the sidecar; set its targetPort to %s",
				nameOf(svc), port.Port, cfg.AppPort, nameOf(pod), targetName(pod)))
		}
	}
	return findings
}

func selects(svc *corev1.Service, pod *corev1.Pod) bool {
	return svc.Namespace == pod.Namespace && svc.Spec.Type != corev1.ServiceTypeExternalName &&
		len(svc.Spec.Selector) > 0 && labels.SelectorFromSet(svc.Spec.Selector).Matches(labels.Set(pod.Labels))
}

// resolve is the number that a Service's TCP port leads to in the pod, as the
// endpoint controller finds it: a name is looked for among the containers first,
// then among the native sidecars. Zero stands for nowhere.
func resolve(port corev1.ServicePort, pod *corev1.Pod) int32 {
	target := port.TargetPort
	switch {
	case target.Type == intstr.Int && target.IntVal == 0:
		return port.Port
	case target.Type == intstr.Int:
		return target.IntVal
	}
	for d := range declarations(pod) {
		if d.name == target.StrVal {
			return d.number
		}
	}
	return 0
}

// targetName is what to write as the targetPort of a Service.
func targetName(pod *corev1.Pod) string {
	if sidecar := findSidecar(pod); sidecar != nil && portName(sidecar) != "" {
		return portName(sidecar)
	}
	return "the name of that port"
}
