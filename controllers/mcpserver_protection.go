package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/status"
	"github.com/mcpauth/mcpauth/injector"
)

// assessProtection says whether every request to the workload's pods passes the
// sidecar.
func (r *MCPServerReconciler) assessProtection(ctx context.Context, s *mcpServer) error {
	s.object.Status.Pods = nil
	if s.object.Spec.Workload == nil {
		s.report.Add(status.Unknown(v1alpha1.ConditionProtected, v1alpha1.ReasonUnmanaged,
			"spec.workload is absent: the server runs elsewhere and validates tokens itself"))
		return nil
	}
	config, err := injector.ConfigFor(s.object, nil, r.SidecarImage)
	if err != nil {
		return err
	}
	pods, err := r.readPods(ctx, s)
	if err != nil {
		return err
	}
	protected := assessPods(s.report, pods, config)
	unlabelled := assessWorkloads(s, pods)
	s.object.Status.Pods = &v1alpha1.PodCounts{Total: int32(len(pods)) + unlabelled, Protected: protected}
	if err := r.assessServices(ctx, s, pods, config); err != nil {
		return err
	}
	if s.report.Well(v1alpha1.ConditionProtected) {
		s.report.Add(protection(protected))
	}
	if len(pods) > 0 && !slices.ContainsFunc(pods, isReady) {
		s.report.Add(status.False(v1alpha1.ConditionReady, v1alpha1.ReasonNotReady, "no pod of the workload is ready"))
	}
	return nil
}

func protection(pods int32) status.Finding {
	if pods == 0 {
		return status.True(v1alpha1.ConditionProtected, "the workload is scaled to zero; its pods will be given the sidecar")
	}
	return status.True(v1alpha1.ConditionProtected, "every pod runs the validating sidecar, and no Service leads past it")
}

// readPods returns the pods that carry the server's label and have not ended. They
// are the cache's own: nobody changes them.
func (r *MCPServerReconciler) readPods(ctx context.Context, s *mcpServer) ([]*corev1.Pod, error) {
	var list corev1.PodList
	err := r.List(ctx, &list, client.InNamespace(s.object.Namespace),
		client.MatchingFields{serverIndex: s.object.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list the pods of MCPServer %s/%s: %w", s.object.Namespace, s.object.Name, err)
	}
	var pods []*corev1.Pod
	for i := range list.Items {
		pod := &list.Items[i]
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		if !ended && pod.DeletionTimestamp.IsZero() {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// assessPods adds what is wrong with the pods and returns how many are protected.
// Pods that only start take nothing from those that serve, so they count where no
// other does.
func assessPods(report *status.Report, pods []*corev1.Pod, config injector.Config) int32 {
	var protected int32
	var starting []injector.Finding
	for _, pod := range pods {
		findings := injector.Assess(pod, config)
		if len(findings) == 0 {
			protected++
		}
		for _, f := range findings {
			if f.Reason == v1alpha1.ReasonPending {
				starting = append(starting, f)
				continue
			}
			report.Add(status.False(v1alpha1.ConditionProtected, f.Reason, "%s", f.Message))
		}
	}
	if protected == 0 {
		for _, f := range starting {
			report.Add(status.Unknown(v1alpha1.ConditionProtected, v1alpha1.ReasonPending, "%s", f.Message))
		}
	}
	return protected
}

// assessWorkloads adds what is wrong with the workloads and returns how many of
// their pods have never passed the webhook.
func assessWorkloads(s *mcpServer, pods []*corev1.Pod) int32 {
	if len(s.workloads) == 0 {
		s.report.Add(status.False(v1alpha1.ConditionProtected, v1alpha1.ReasonNoWorkload,
			"no Deployment or StatefulSet in namespace %q has the annotation %s: %s; add it to the one that is to be protected",
			s.object.Namespace, v1alpha1.ServerAnnotation, s.object.Name))
		return 0
	}
	var unlabelled, wanted int32
	for _, w := range s.workloads {
		wanted += w.wanted
		old := w.unlabelled(pods)
		if old == 0 {
			continue
		}
		unlabelled += old
		s.report.Add(status.False(v1alpha1.ConditionProtected, v1alpha1.ReasonNotInjected,
			"%s: %d of %d pods run without the sidecar; %s", w, old, w.running, w.remedy(s.object.Name)))
	}
	if wanted > 0 && len(pods) == 0 && unlabelled == 0 {
		s.report.Add(status.Unknown(v1alpha1.ConditionProtected, v1alpha1.ReasonPending,
			"%s has no pod yet; kubectl describe it where that lasts", s.workloads[0]))
	}
	return unlabelled
}

// remedy says what replaces the pods of a workload that have no sidecar.
func (w workload) remedy(server string) string {
	switch {
	case w.label() != server:
		return "they are replaced as soon as the server is accepted and its policy is written"
	case w.paused:
		return "its rollout is paused; kubectl rollout resume continues it"
	default:
		return "its rollout replaces them; kubectl rollout status says how far it is, kubectl rollout restart begins one where its strategy is OnDelete"
	}
}

// assessServices adds the Services that lead past the sidecar, each once.
func (r *MCPServerReconciler) assessServices(ctx context.Context, s *mcpServer, pods []*corev1.Pod, config injector.Config) error {
	if len(pods) == 0 {
		return nil
	}
	var services corev1.ServiceList
	if err := r.List(ctx, &services, client.InNamespace(s.object.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list the Services of namespace %s: %w", s.object.Namespace, err)
	}
	for i := range services.Items {
		for _, pod := range pods {
			findings := injector.AssessService(&services.Items[i], pod, config)
			for _, f := range findings {
				s.report.Add(status.False(v1alpha1.ConditionProtected, f.Reason, "%s", f.Message))
			}
			if len(findings) > 0 {
				break
			}
		}
	}
	return nil
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
