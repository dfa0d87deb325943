package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/injector"
)

// assessedPod is a pod and why it is not protected.
type assessedPod struct {
	*corev1.Pod
	findings []injector.Finding
}

// because are the findings of which is true.
func (p assessedPod) because(is func(injector.Finding) bool) []injector.Finding {
	var found []injector.Finding
	for _, f := range p.findings {
		if is(f) {
			found = append(found, f)
		}
	}
	return found
}

func (p assessedPod) ready() bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func (p assessedPod) outdated() bool { return slices.ContainsFunc(p.findings, isOutdated) }

// replaceable reports whether a new pod would have the sidecar that this one lacks. A
// counterfeit is: an image that moved to another registry looks like one.
func (p assessedPod) replaceable() bool {
	return slices.ContainsFunc(p.findings, func(f injector.Finding) bool {
		return f.Flaw != "" && (f.Reason == v1alpha1.ReasonOutdated || f.Reason == v1alpha1.ReasonCounterfeit)
	})
}

func isPending(f injector.Finding) bool { return f.Reason == v1alpha1.ReasonPending }

// isOutdated reports whether a new pod in the place of the old one is all it takes.
func isOutdated(f injector.Finding) bool {
	return f.Reason == v1alpha1.ReasonOutdated && f.Flaw != ""
}

// readPods finds the pods that carry the server's label, whoever made them, and what
// is to be said of them. They are the cache's own: nobody changes them.
func (r *MCPServerReconciler) readPods(ctx context.Context, s *mcpServer) error {
	if s.config == nil {
		return nil
	}
	var list corev1.PodList
	err := r.List(ctx, &list, client.InNamespace(s.object.Namespace),
		client.MatchingFields{serverIndex: s.object.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("list the pods of MCPServer %s/%s: %w", s.object.Namespace, s.object.Name, err)
	}
	for i := range list.Items {
		pod := &list.Items[i]
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		switch {
		case ended:
			s.idle = true
		case pod.DeletionTimestamp.IsZero():
			s.pods = append(s.pods, assessedPod{pod, worthTelling(injector.Assess(pod, *s.config))})
		}
	}
	slices.SortFunc(s.pods, func(a, b assessedPod) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// worthTelling leaves out what else is wrong with a pod that has no sidecar of ours.
func worthTelling(findings []injector.Finding) []injector.Finding {
	if len(findings) > 0 && (findings[0].Reason == v1alpha1.ReasonCounterfeit || findings[0].Reason == v1alpha1.ReasonNotInjected) {
		return findings[:1]
	}
	return findings
}

// countProtected is how many pods run the sidecar that they should.
func (s *mcpServer) countProtected() int32 {
	var protected int32
	for _, pod := range s.pods {
		if len(pod.findings) == 0 {
			protected++
		}
	}
	return protected
}

// podFindings are those of single pods. The pods that only start are not among them,
// nor those of which many are outdated at once.
func (s *mcpServer) podFindings() []injector.Finding {
	var found []injector.Finding
	for _, pod := range s.pods {
		found = append(found, pod.because(func(f injector.Finding) bool { return !isPending(f) && !isOutdated(f) })...)
	}
	return found
}

// outdatedFindings says which workloads have pods with a sidecar that they should not
// have any more, and what replaces them.
func (s *mcpServer) outdatedFindings() []injector.Finding {
	makers := make(map[string][]assessedPod)
	var order []string
	for _, pod := range s.pods {
		if !pod.outdated() {
			continue
		}
		maker := s.makerOf(pod.Pod)
		if makers[maker] == nil {
			order = append(order, maker)
		}
		makers[maker] = append(makers[maker], pod)
	}
	var found []injector.Finding
	for _, maker := range order {
		pods := makers[maker]
		message := fmt.Sprintf("%s: %s: %s; %s", maker, podNames(pods), pods[0].because(isOutdated)[0].Flaw, s.replacement(pods[0].Pod))
		found = append(found, injector.Finding{Reason: v1alpha1.ReasonOutdated, Message: message})
	}
	return found
}

// podNames names the first of the pods and counts the others.
func podNames(pods []assessedPod) string {
	name := "pod " + client.ObjectKeyFromObject(pods[0].Pod).String()
	if more := len(pods) - 1; more > 0 {
		name += fmt.Sprintf(" and %d more", more)
	}
	return name
}

// makerOf names what made a pod, as messages do.
func (s *mcpServer) makerOf(pod *corev1.Pod) string {
	if w, ok := s.workloadOf(pod); ok {
		return w.String()
	}
	if owner := metav1.GetControllerOf(pod); owner != nil {
		return owner.Kind + " " + pod.Namespace + "/" + owner.Name
	}
	return "Pod " + pod.Namespace + "/" + pod.Name
}

func (s *mcpServer) workloadOf(pod *corev1.Pod) (workload, bool) {
	i := slices.IndexFunc(s.workloads, func(w workload) bool { return w.owns(pod) })
	if i < 0 {
		return workload{}, false
	}
	return s.workloads[i], true
}

// replacement says what replaces a pod by one with the present sidecar.
func (s *mcpServer) replacement(pod *corev1.Pod) string {
	w, ours := s.workloadOf(pod)
	owner := metav1.GetControllerOf(pod)
	switch {
	case ours && w.paused:
		return fmt.Sprintf("its rollout is paused; kubectl rollout resume -n %s %s continues it", pod.Namespace, w.argument())
	case ours && (s.rollout() == v1alpha1.RolloutAutomatic || w.sidecar() == s.config.Shape()):
		return fmt.Sprintf("its rollout replaces them; kubectl rollout status -n %s %s says how far it is", pod.Namespace, w.argument())
	case ours:
		return fmt.Sprintf("kubectl rollout restart -n %s %s replaces them, and spec.sidecar.rollout: Automatic does so by itself", pod.Namespace, w.argument())
	case owner != nil && owner.Kind == "DaemonSet":
		return fmt.Sprintf("kubectl rollout restart -n %s daemonset/%s replaces them, which the operator does for Deployments and StatefulSets alone", pod.Namespace, owner.Name)
	case owner != nil:
		return fmt.Sprintf("kubectl delete pod -n %s %s has its %s make another, which the operator does for Deployments and StatefulSets alone", pod.Namespace, pod.Name, owner.Kind)
	default:
		return "delete it and create it again"
	}
}
