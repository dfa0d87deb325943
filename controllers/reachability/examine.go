package reachability

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Verdict is what NetworkPolicies promise about one TCP port of one pod.
type Verdict struct {
	// Isolated says that some policy is about what comes into the pod. What none of
	// them admits is refused then, and without any everything is admitted.
	Isolated bool
	// Openings are the policies that admit the port, in the order in which they came.
	Openings []Opening
}

// Opening is a NetworkPolicy with a rule that admits the port.
type Opening struct {
	Policy *networkingv1.NetworkPolicy
	// Everybody says that the rule is for all peers, in the cluster or not. Otherwise
	// it is for those that it names, whoever they are: none of them is the sidecar.
	Everybody bool
}

// Widest is an opening for everybody where there is one, else the first. There must be
// some.
func (v Verdict) Widest() Opening {
	for _, opening := range v.Openings {
		if opening.Everybody {
			return opening
		}
	}
	return v.Openings[0]
}

// Examine says what the policies, which are of the pod's namespace, promise about the
// TCP port. It changes nothing.
func Examine(policies []*networkingv1.NetworkPolicy, pod *corev1.Pod, port int32) Verdict {
	var verdict Verdict
	for _, policy := range policies {
		if !Selects(policy, pod.Labels) {
			continue
		}
		verdict.Isolated = true
		if opening, open := openingOf(policy, pod, port); open {
			verdict.Openings = append(verdict.Openings, opening)
		}
	}
	return verdict
}

// Selects reports whether the policy is about what comes into pods with the labels.
// One whose selector cannot be read selects none: no network plugin could apply it.
func Selects(policy *networkingv1.NetworkPolicy, podLabels map[string]string) bool {
	// An absent list means Ingress, and Egress where there are rules for it.
	if types := policy.Spec.PolicyTypes; len(types) > 0 && !slices.Contains(types, networkingv1.PolicyTypeIngress) {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	return err == nil && selector.Matches(labels.Set(podLabels))
}

// openingOf finds the widest rule that admits the port.
func openingOf(policy *networkingv1.NetworkPolicy, pod *corev1.Pod, port int32) (opening Opening, open bool) {
	opening.Policy = policy
	for _, rule := range policy.Spec.Ingress {
		if !admits(rule, pod, port) {
			continue
		}
		open = true
		opening.Everybody = opening.Everybody || len(rule.From) == 0
	}
	return opening, open
}

func admits(rule networkingv1.NetworkPolicyIngressRule, pod *corev1.Pod, port int32) bool {
	return len(rule.Ports) == 0 || slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool {
		return isTCP(p.Protocol) && covers(p, pod, port)
	})
}

func isTCP(protocol *corev1.Protocol) bool { return protocol == nil || *protocol == corev1.ProtocolTCP }

// covers reports whether a port of a rule is the port, or a range around it.
func covers(p networkingv1.NetworkPolicyPort, pod *corev1.Pod, port int32) bool {
	switch {
	case p.Port == nil:
		return true
	case p.Port.Type == intstr.String:
		return named(pod, p.Port.StrVal, port)
	case p.EndPort != nil:
		return p.Port.IntVal <= port && port <= *p.EndPort
	default:
		return p.Port.IntVal == port
	}
}

// named reports whether any container of the pod calls the port by the name. Network
// plugins differ in whether they look among init containers, so all count.
func named(pod *corev1.Pod, name string, port int32) bool {
	calls := func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool {
			return p.Name == name && p.ContainerPort == port && (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP)
		})
	}
	return slices.ContainsFunc(pod.Spec.Containers, calls) || slices.ContainsFunc(pod.Spec.InitContainers, calls)
}
