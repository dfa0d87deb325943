package controllers

import (
	"cmp"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
)

// workloadManager is the field manager of what the operator writes into workloads of others.
const workloadManager client.FieldOwner = managers + "workload"

// workload is what a Deployment and a StatefulSet have in common.
type workload struct {
	object   client.Object
	kind     string
	template *corev1.PodTemplateSpec
	selector *metav1.LabelSelector
	paused   bool
	// wanted is how many pods are wished for, running how many there are, updated
	// how many of those have the present template.
	wanted, running, updated int32
	// settled says that its controller has seen the present template.
	settled bool
}

// newWorkload reports false for objects of other kinds.
func newWorkload(o client.Object) (workload, bool) {
	switch w := o.(type) {
	case *appsv1.Deployment:
		return workload{
			object: w, kind: "Deployment", template: &w.Spec.Template, selector: w.Spec.Selector, paused: w.Spec.Paused,
			wanted: replicas(w.Spec.Replicas), running: w.Status.Replicas, updated: w.Status.UpdatedReplicas,
			settled: w.Status.ObservedGeneration >= w.Generation,
		}, true
	case *appsv1.StatefulSet:
		return workload{
			object: w, kind: "StatefulSet", template: &w.Spec.Template, selector: w.Spec.Selector,
			wanted: replicas(w.Spec.Replicas), running: w.Status.Replicas, updated: w.Status.UpdatedReplicas,
			settled: w.Status.ObservedGeneration >= w.Generation,
		}, true
	default:
		return workload{}, false
	}
}

func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// String is how messages name it.
func (w workload) String() string {
	return w.kind + " " + client.ObjectKeyFromObject(w.object).String()
}

// asks is the MCPServer that its owner wants it protected by, if any.
func (w workload) asks() string {
	return cmp.Or(w.template.Annotations[v1alpha1.ServerAnnotation], w.object.GetAnnotations()[v1alpha1.ServerAnnotation])
}

// label is the MCPServer whose label its pods get, whoever wrote it.
func (w workload) label() string { return w.template.Labels[v1alpha1.ServerLabel] }

// sidecar is the one that its pods should have, as far as its template says.
func (w workload) sidecar() string { return w.template.Annotations[v1alpha1.SidecarAnnotation] }

// stamp is what of that the operator wrote and may take back.
func (w workload) stamp() manifests.Stamp {
	switch o := w.object.(type) {
	case *appsv1.Deployment:
		if have, err := appsv1ac.ExtractDeployment(o, string(workloadManager)); err == nil && have.Spec != nil {
			return manifests.StampOf(have.Spec.Template)
		}
	case *appsv1.StatefulSet:
		if have, err := appsv1ac.ExtractStatefulSet(o, string(workloadManager)); err == nil && have.Spec != nil {
			return manifests.StampOf(have.Spec.Template)
		}
	}
	return manifests.Stamp{}
}

// argument is how kubectl names it.
func (w workload) argument() string { return strings.ToLower(w.kind) + "/" + w.object.GetName() }

// owns reports whether a pod is one of the workload's.
func (w workload) owns(pod *corev1.Pod) bool {
	selector, err := metav1.LabelSelectorAsSelector(w.selector)
	return err == nil && !selector.Empty() && selector.Matches(labels.Set(pod.Labels))
}

// unlabelled is how many of its running pods were made before the template had
// the label, given those that have it: they never passed the webhook.
func (w workload) unlabelled(labelled []assessedPod) int32 {
	if w.settled && w.updated == w.running && w.label() != "" {
		return 0
	}
	missing := w.running
	for _, pod := range labelled {
		if w.owns(pod.Pod) {
			missing--
		}
	}
	return max(missing, 0)
}
