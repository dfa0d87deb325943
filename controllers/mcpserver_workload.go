package controllers

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
)

// readWorkloads returns the workloads that ask for the server or carry its label.
// They are the cache's own: nobody changes them.
func (r *MCPServerReconciler) readWorkloads(ctx context.Context, server types.NamespacedName) ([]workload, error) {
	options := []client.ListOption{
		client.InNamespace(server.Namespace), client.MatchingFields{serverIndex: server.Name}, client.UnsafeDisableDeepCopy,
	}
	var deployments appsv1.DeploymentList
	var statefulSets appsv1.StatefulSetList
	if err := errors.Join(r.List(ctx, &deployments, options...), r.List(ctx, &statefulSets, options...)); err != nil {
		return nil, fmt.Errorf("list the workloads of MCPServer %s: %w", server, err)
	}
	var found []workload
	for i := range deployments.Items {
		w, _ := newWorkload(&deployments.Items[i])
		found = append(found, w)
	}
	for i := range statefulSets.Items {
		w, _ := newWorkload(&statefulSets.Items[i])
		found = append(found, w)
	}
	return found, nil
}

// labelWorkloads stamps the label, by which the webhook sees pods, on the pod
// templates that ask for the server; that also replaces the pods that run
// already. It comes after the policy, since pods without one would not start.
func (r *MCPServerReconciler) labelWorkloads(ctx context.Context, s *mcpServer) error {
	if s.object.Spec.Workload == nil {
		return r.release(ctx, s.workloads)
	}
	if s.compiled == nil || !s.report.Well(v1alpha1.ConditionProgrammed) {
		return r.releaseUnasked(ctx, s.workloads)
	}
	for _, w := range s.workloads {
		if w.asks() != s.object.Name || w.label() == s.object.Name {
			continue
		}
		if err := r.label(ctx, w, s.object.Name); err != nil {
			return err
		}
		r.Recorder.Eventf(s.object, w.object, corev1.EventTypeNormal, "WorkloadLabelled", "LabelWorkload",
			"labelled the pods of %s, so that they get the sidecar", w)
	}
	return r.releaseUnasked(ctx, s.workloads)
}

// releaseUnasked takes the label back from workloads that ask for no server any
// more. It runs as well when the server is gone: a workload that still asks keeps
// its label then, and new pods are refused rather than let in unprotected.
func (r *MCPServerReconciler) releaseUnasked(ctx context.Context, workloads []workload) error {
	var unasked []workload
	for _, w := range workloads {
		if w.asks() == "" {
			unasked = append(unasked, w)
		}
	}
	return r.release(ctx, unasked)
}

// release takes back the labels that the operator wrote; those that the
// workload's owner wrote stay.
func (r *MCPServerReconciler) release(ctx context.Context, workloads []workload) error {
	for _, w := range workloads {
		if w.label() == "" || !w.labelledByUs() {
			continue
		}
		if err := r.label(ctx, w, ""); err != nil {
			return err
		}
		r.Recorder.Eventf(w.object, nil, corev1.EventTypeNormal, "WorkloadReleased", "ReleaseWorkload",
			"took the label %s back; new pods get no sidecar", v1alpha1.ServerLabel)
	}
	return nil
}

// label writes the label, or takes it back where server is empty.
func (r *MCPServerReconciler) label(ctx context.Context, w workload, server string) error {
	namespace, name := w.object.GetNamespace(), w.object.GetName()
	var err error
	if w.kind == "Deployment" {
		err = r.Apply(ctx, manifests.LabelledDeployment(namespace, name, server), workloadManager, client.ForceOwnership)
	} else {
		err = r.Apply(ctx, manifests.LabelledStatefulSet(namespace, name, server), workloadManager, client.ForceOwnership)
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("label the pods of %s: %w", w, err)
	}
	return nil
}
