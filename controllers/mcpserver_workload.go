package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
	"github.com/mcpauth/mcpauth/controllers/status"
)

// readWorkloads returns the workloads that ask for the server or carry its label.
// They are the cache's own: nobody changes them.
func (r *MCPServerReconciler) readWorkloads(ctx context.Context, server types.NamespacedName) ([]workload, error) {
	found, err := r.listWorkloads(ctx, client.InNamespace(server.Namespace), client.MatchingFields{serverIndex: server.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list the workloads of MCPServer %s: %w", server, err)
	}
	return found, nil
}

// listWorkloads returns Deployments and StatefulSets.
func (r *MCPServerReconciler) listWorkloads(ctx context.Context, options ...client.ListOption) ([]workload, error) {
	var deployments appsv1.DeploymentList
	var statefulSets appsv1.StatefulSetList
	if err := errors.Join(r.List(ctx, &deployments, options...), r.List(ctx, &statefulSets, options...)); err != nil {
		return nil, err
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
// templates that ask for the server; that also replaces the pods that run already. It
// comes after the policy, since pods without one would not start.
func (r *MCPServerReconciler) labelWorkloads(ctx context.Context, s *mcpServer) error {
	if s.object.Spec.Workload == nil {
		return r.release(ctx, s.workloads)
	}
	if s.compiled == nil || s.config == nil || !s.report.Well(v1alpha1.ConditionProgrammed) {
		return r.releaseUnasked(ctx, s.workloads)
	}
	for _, w := range s.workloads {
		if label := w.label(); label != "" && w.asks() != "" && label != w.asks() && w.stamp().Server == "" {
			// Whoever wrote the label would write it again, and each time replace all pods.
			s.report.Add(status.False(v1alpha1.ConditionProtected, v1alpha1.ReasonInvalid,
				"%s asks for MCPServer %q in its annotation and for %q in the label of its pod template, which somebody else has written; let them agree", w, w.asks(), label))
			continue
		}
		have, want := w.stamp(), s.stampFor(w)
		if have == want {
			continue
		}
		if err := r.stamp(ctx, w, want); err != nil {
			return err
		}
		if w.label() != want.Server && want.Server != "" {
			r.Recorder.Eventf(s.object, w.object, corev1.EventTypeNormal, "WorkloadLabelled", "LabelWorkload",
				"labelled the pods of %s, so that they get the sidecar", w)
		} else {
			r.Recorder.Eventf(s.object, w.object, corev1.EventTypeNormal, "WorkloadRolledOut", "RollOutWorkload",
				"began a rollout of %s, whose pods have another sidecar than they should", w)
		}
	}
	return r.releaseUnasked(ctx, s.workloads)
}

// stampFor is what a workload's pod template should say. Of what is stamped already
// nothing changes without need, since any change replaces all pods: where rollout is
// Automatic the sidecar is named as soon as a pod has another one, and where it is
// Manual, again or still, the name stays as it is.
func (s *mcpServer) stampFor(w workload) manifests.Stamp {
	stamp := w.stamp()
	if w.asks() == s.object.Name && w.label() != s.object.Name {
		if stamp.Server != "" {
			stamp.Sidecar = "" // it was another server's
		}
		stamp.Server = s.object.Name
	}
	old := func(pod assessedPod) bool { return w.owns(pod.Pod) && pod.replaceable() }
	protects := cmp.Or(w.asks(), w.label()) == s.object.Name
	if protects && s.rollout() == v1alpha1.RolloutAutomatic && slices.ContainsFunc(s.pods, old) {
		stamp.Sidecar = s.config.Shape()
	}
	return stamp
}

// rollout is Manual where nobody says otherwise.
func (s *mcpServer) rollout() v1alpha1.Rollout {
	var rollout v1alpha1.Rollout
	if s.authz != nil && s.authz.Spec.Sidecars != nil {
		rollout = s.authz.Spec.Sidecars.Rollout
	}
	if own := s.object.Spec.Sidecar; own != nil {
		rollout = cmp.Or(own.Rollout, rollout)
	}
	return cmp.Or(rollout, v1alpha1.RolloutManual)
}

// releaseUnasked takes the stamp back from workloads that ask for no server any
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

// release takes back the labels that the operator wrote, and what it wrote beside
// them. Those that the workload's owner wrote stay.
func (r *MCPServerReconciler) release(ctx context.Context, workloads []workload) error {
	for _, w := range workloads {
		if w.stamp().Server == "" {
			continue
		}
		if err := r.stamp(ctx, w, manifests.Stamp{}); err != nil {
			return err
		}
		r.Recorder.Eventf(w.object, nil, corev1.EventTypeNormal, "WorkloadReleased", "ReleaseWorkload",
			"took the label %s back; new pods get no sidecar", v1alpha1.ServerLabel)
	}
	return nil
}

// stamp writes into a workload's pod template, or takes back what the stamp lacks.
func (r *MCPServerReconciler) stamp(ctx context.Context, w workload, stamp manifests.Stamp) error {
	namespace, name := w.object.GetNamespace(), w.object.GetName()
	var err error
	if w.kind == "Deployment" {
		err = r.Apply(ctx, manifests.StampedDeployment(namespace, name, stamp), workloadManager, client.ForceOwnership)
	} else {
		err = r.Apply(ctx, manifests.StampedStatefulSet(namespace, name, stamp), workloadManager, client.ForceOwnership)
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("stamp the pods of %s: %w", w, err)
	}
	return nil
}
