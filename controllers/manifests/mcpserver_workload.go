package manifests

import (
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// LabelledDeployment is the one field that the operator owns of a Deployment
// that it protects: the label on the pod template by which the webhook sees the
// pods. An empty server takes the label back.
func LabelledDeployment(namespace, name, server string) *appsv1ac.DeploymentApplyConfiguration {
	d := appsv1ac.Deployment(name, namespace)
	if server != "" {
		d.WithSpec(appsv1ac.DeploymentSpec().WithTemplate(labelledTemplate(server)))
	}
	return d
}

// LabelledStatefulSet is the same for a StatefulSet.
func LabelledStatefulSet(namespace, name, server string) *appsv1ac.StatefulSetApplyConfiguration {
	s := appsv1ac.StatefulSet(name, namespace)
	if server != "" {
		s.WithSpec(appsv1ac.StatefulSetSpec().WithTemplate(labelledTemplate(server)))
	}
	return s
}

func labelledTemplate(server string) *corev1ac.PodTemplateSpecApplyConfiguration {
	return corev1ac.PodTemplateSpec().WithLabels(map[string]string{v1alpha1.ServerLabel: server})
}
