package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/status"
	"github.com/mcpauth/mcpauth/injector"
)

// assessProtection says whether every request to the server's pods passes the sidecar
// that they should have now.
func (r *MCPServerReconciler) assessProtection(ctx context.Context, s *mcpServer) error {
	s.object.Status.Pods = nil
	if s.config == nil {
		r.Ports.Ask(client.ObjectKeyFromObject(s.object), nil)
	}
	if s.object.Spec.Workload == nil {
		s.report.Add(status.Unknown(v1alpha1.ConditionProtected, v1alpha1.ReasonUnmanaged,
			"spec.workload is absent: the server runs elsewhere and validates tokens itself"))
		return nil
	}
	if s.config == nil {
		return nil // the finding was made where the configuration was
	}
	around, err := r.servicesAround(ctx, s)
	if err != nil {
		return err
	}
	unlabelled, old := s.workloadFindings()
	open, untried := r.portFindings(s)
	found := slices.Concat(s.podFindings(), s.outdatedFindings(), unlabelled, around, open)
	for _, f := range inOrderOfGravity(found) {
		s.report.Add(status.False(v1alpha1.ConditionProtected, f.Reason, "%s", f.Message))
	}
	protected := s.countProtected()
	s.object.Status.Pods = &v1alpha1.PodCounts{Total: int32(len(s.pods)) + old, Protected: protected}
	s.addPending(protected, untried)
	if s.report.Well(v1alpha1.ConditionProtected) {
		s.report.Add(status.True(v1alpha1.ConditionProtected, "%s", s.protection()))
	}
	if len(s.pods) > 0 && !slices.ContainsFunc(s.pods, assessedPod.ready) {
		s.report.Add(status.False(v1alpha1.ConditionReady, v1alpha1.ReasonNotReady, "no pod of the workload is ready"))
	}
	return nil
}

// protection is what Protected says when it holds.
func (s *mcpServer) protection() string {
	if len(s.pods) == 0 {
		return "no pod of the server runs, as where it is scaled to zero; new ones are given the sidecar"
	}
	return fmt.Sprintf("every pod runs the validating sidecar, no Service leads past it, and port %d does not answer other pods", s.config.AppPort)
}

// addPending says what is waited for. Pods that only start take nothing from those
// that serve, so they count where no other does.
func (s *mcpServer) addPending(protected int32, untried []injector.Finding) {
	var pending []injector.Finding
	if protected == 0 {
		for _, pod := range s.pods {
			pending = append(pending, pod.because(isPending)...)
		}
		if waits, ok := s.awaitedPods(); ok {
			pending = append(pending, waits)
		}
	}
	for _, f := range append(pending, untried...) {
		s.report.Add(status.Unknown(v1alpha1.ConditionProtected, v1alpha1.ReasonPending, "%s", f.Message))
	}
}

// servicesAround finds the Services that lead past the sidecar, each once.
func (r *MCPServerReconciler) servicesAround(ctx context.Context, s *mcpServer) ([]injector.Finding, error) {
	if len(s.pods) == 0 {
		return nil, nil
	}
	var services corev1.ServiceList
	if err := r.List(ctx, &services, client.InNamespace(s.object.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the Services of namespace %s: %w", s.object.Namespace, err)
	}
	bare, err := r.bareWorkloads(ctx, s.object.Namespace)
	if err != nil {
		return nil, err
	}
	var found []injector.Finding
	for i := range services.Items {
		service := &services.Items[i]
		for _, pod := range s.pods {
			findings := injector.AssessService(service, pod.Pod, *s.config)
			found = append(found, findings...)
			if len(findings) > 0 {
				break
			}
		}
		found = append(found, s.besides(service, bare)...)
	}
	return found, nil
}

// bareWorkloads are those of a namespace that ask for no server, and run something.
func (r *MCPServerReconciler) bareWorkloads(ctx context.Context, namespace string) ([]workload, error) {
	all, err := r.listWorkloads(ctx, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list the workloads of namespace %s: %w", namespace, err)
	}
	return slices.DeleteFunc(all, func(w workload) bool { return w.asks() != "" || w.label() != "" || w.wanted == 0 }), nil
}

// besides finds the workloads without a sidecar to which a Service of the server's pods
// leads as well.
func (s *mcpServer) besides(service *corev1.Service, bare []workload) []injector.Finding {
	if len(service.Spec.Selector) == 0 {
		return nil
	}
	selector := labels.SelectorFromSet(service.Spec.Selector)
	if !slices.ContainsFunc(s.pods, func(pod assessedPod) bool { return selector.Matches(labels.Set(pod.Labels)) }) {
		return nil
	}
	var found []injector.Finding
	for _, w := range bare {
		if selector.Matches(labels.Set(w.template.Labels)) {
			found = append(found, injector.Finding{Reason: v1alpha1.ReasonBypassed, Message: fmt.Sprintf(
				"Service %s leads to the pods of %s as well, which has no sidecar; annotate it too, or narrow the Service's selector",
				client.ObjectKeyFromObject(service), w)})
		}
	}
	return found
}

// gravity orders the reasons why a server is not protected, the gravest first: what
// deceives, what lets everybody in, what lets somebody in, what is old.
var gravity = [...]v1alpha1.Reason{
	v1alpha1.ReasonCounterfeit, v1alpha1.ReasonNotInjected, v1alpha1.ReasonBypassed, v1alpha1.ReasonPortOpen,
	v1alpha1.ReasonOutdated, v1alpha1.ReasonNotReady, v1alpha1.ReasonNoWorkload,
}

// inOrderOfGravity puts the first finding of each reason before the second of any, so
// that a message that has no room for all of them names every reason.
func inOrderOfGravity(found []injector.Finding) []injector.Finding {
	weight := func(f injector.Finding) int {
		if i := slices.Index(gravity[:], f.Reason); i >= 0 {
			return i
		}
		return len(gravity)
	}
	slices.SortStableFunc(found, func(a, b injector.Finding) int { return weight(a) - weight(b) })
	var first, more []injector.Finding
	for i, f := range found {
		if i == 0 || found[i-1].Reason != f.Reason {
			first = append(first, f)
		} else {
			more = append(more, f)
		}
	}
	return append(first, more...)
}
