package controllers

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
	"github.com/mcpauth/mcpauth/controllers/reachability"
	"github.com/mcpauth/mcpauth/injector"
)

// portFindings says at which pods others reach the app's port past the sidecar, and of
// which nothing is known yet. It is about the pods that are injected: where there is
// no sidecar, nothing is past it.
func (r *MCPServerReconciler) portFindings(s *mcpServer) (open, untried []injector.Finding) {
	var targets []reachability.Target
	for _, pod := range s.pods {
		if target, ok := reachability.TargetOf(pod.Pod, s.config.AppPort); ok && pod.injected() {
			target.State = s.circumstances(pod)
			targets = append(targets, target)
		}
	}
	answers := r.Ports.Ask(client.ObjectKeyFromObject(s.object), targets)
	var openings, waiting, hopeless grouped
	closed := false
	for _, pod := range s.pods {
		if !pod.injected() {
			continue
		}
		answer, asked := answers[pod.UID]
		switch rest := s.judge(pod.Pod, answer); {
		case rest != "":
			openings.add(rest, pod)
		case !asked:
			hopeless.add("is at no address where it can be tried, so nobody knows whether it is closed to other pods", pod)
		case answer == reachability.Unheeded:
			hopeless.add("is one of too many to try, so nobody knows whether it is closed to other pods", pod)
		case answer == reachability.Untried:
			waiting.add("is being tried, to know whether it is closed to other pods", pod)
		default:
			closed = true
		}
	}
	open = openings.findings(v1alpha1.ReasonPortOpen, s.config.AppPort)
	if closed || len(open) > 0 {
		return open, nil // as with pods that start: what is known of others is told
	}
	if told, ok := s.toldBefore(); ok && len(waiting.rests) > 0 && len(hopeless.rests) == 0 {
		return told, nil
	}
	return nil, append(hopeless.findings(v1alpha1.ReasonPending, s.config.AppPort), waiting.findings(v1alpha1.ReasonPending, s.config.AppPort)...)
}

// injected reports whether a sidecar of ours runs in the pod, be it an old one.
func (p assessedPod) injected() bool {
	for _, f := range p.findings {
		switch f.Reason {
		case v1alpha1.ReasonNotInjected, v1alpha1.ReasonCounterfeit, v1alpha1.ReasonPending:
			return false
		}
	}
	return true
}

// toldBefore is what was found when the port was last tried, by this operator or the
// one before it, if anybody has said so of the server as it is: it holds until there is
// another answer.
func (s *mcpServer) toldBefore() ([]injector.Finding, bool) {
	before := meta.FindStatusCondition(s.before.Status.Conditions, v1alpha1.ConditionProtected)
	switch {
	case before == nil || before.ObservedGeneration != s.object.Generation:
		return nil, false
	case before.Reason == string(v1alpha1.ReasonPortOpen):
		// Not in the words of then, which told of other things as well.
		return []injector.Finding{{Reason: v1alpha1.ReasonPortOpen, Message: fmt.Sprintf(
			"port %d was open to other pods when it was last tried, and is being tried again", s.config.AppPort)}}, true
	default:
		return nil, before.Status == metav1.ConditionTrue && before.Message == s.protection()
	}
}

// circumstances are those after whose change the port may answer differently.
func (s *mcpServer) circumstances(pod assessedPod) string {
	var b strings.Builder
	fmt.Fprintf(&b, "closed=%v", s.closed)
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			fmt.Fprintf(&b, " ready=%s@%d", c.Status, c.LastTransitionTime.Unix())
		}
	}
	for _, policy := range s.policies {
		fmt.Fprintf(&b, " %s@%d", policy.UID, policy.Generation)
	}
	return b.String()
}

// What to do about an open port, whatever else there is to do.
const listenLocally = "let the server listen on 127.0.0.1 alone"

// judge says, as the rest of a sentence about the port, how others reach it; nothing
// where it is closed as far as anybody can see. Where nothing listens at the pod's
// address, no policy matters.
func (s *mcpServer) judge(pod *corev1.Pod, answer reachability.Answer) string {
	if answer < reachability.Open || answer == reachability.Refused {
		return ""
	}
	verdict := reachability.Verdict{Isolated: s.closed}
	if !s.closed {
		verdict = reachability.Examine(s.policies, pod, s.config.AppPort)
	}
	switch {
	case len(verdict.Openings) > 0:
		return s.admitted(verdict.Widest())
	case answer == reachability.Silent:
		return ""
	case verdict.Isolated:
		return fmt.Sprintf("answers other pods past the sidecar, so the cluster's network does not enforce NetworkPolicy %s; "+
			listenLocally+", or use a network plugin that enforces policies", s.enforced(pod))
	default:
		return "answers other pods past the sidecar, and no NetworkPolicy is about it; " + listenLocally + ", or " + s.coverage()
	}
}

// admitted words an opening.
func (s *mcpServer) admitted(opening reachability.Opening) string {
	peers := "some peers"
	if opening.Everybody {
		peers = "everybody"
	}
	return fmt.Sprintf("is open to %s past the sidecar by NetworkPolicy %s; name the sidecar's ports there (%d, and %d for probes and metrics), or %s",
		peers, client.ObjectKeyFromObject(opening.Policy), s.config.Port, s.config.HealthPort, listenLocally)
}

// enforced names the policy that should have closed the port.
func (s *mcpServer) enforced(pod *corev1.Pod) types.NamespacedName {
	name := types.NamespacedName{Namespace: s.object.Namespace, Name: manifests.NetworkPolicyName(s.object.Name)}
	if s.closed {
		return name
	}
	for _, policy := range s.policies {
		if reachability.Selects(policy, pod.Labels) {
			return client.ObjectKeyFromObject(policy)
		}
	}
	return name
}

// coverage says how the pod comes under a NetworkPolicy.
func (s *mcpServer) coverage() string {
	if s.object.Spec.Workload.NetworkPolicy == v1alpha1.PolicyUnmanaged {
		return "set spec.workload.networkPolicy: Managed"
	}
	if len(s.policies) > 0 {
		return fmt.Sprintf("have NetworkPolicy %s select it as well", client.ObjectKeyFromObject(s.policies[0]))
	}
	return "write one that closes it"
}

// grouped are pods of whose port the same is to be said.
type grouped struct {
	rests []string
	pods  map[string][]assessedPod
}

// add takes the rest of a sentence about a pod's port.
func (g *grouped) add(rest string, pod assessedPod) {
	if g.pods == nil {
		g.pods = make(map[string][]assessedPod)
	}
	if len(g.pods[rest]) == 0 {
		g.rests = append(g.rests, rest)
	}
	g.pods[rest] = append(g.pods[rest], pod)
}

// findings are the sentences.
func (g *grouped) findings(reason v1alpha1.Reason, port int32) []injector.Finding {
	var found []injector.Finding
	for _, rest := range g.rests {
		found = append(found, injector.Finding{Reason: reason, Message: fmt.Sprintf("port %d of %s %s", port, podNames(g.pods[rest]), rest)})
	}
	return found
}
