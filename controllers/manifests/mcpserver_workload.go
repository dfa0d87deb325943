package manifests

import (
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// Stamp is all that the operator owns of a workload that it protects: entries of the
// pod template's metadata. An empty field is not written, or taken back.
type Stamp struct {
	// Server is the label by which the webhook sees the pods.
	Server string
	// Sidecar is the annotation after whose change the pods are replaced.
	Sidecar string
}

// StampedDeployment is a Deployment with nothing but the stamp.
func StampedDeployment(namespace, name string, stamp Stamp) *appsv1ac.DeploymentApplyConfiguration {
	d := appsv1ac.Deployment(name, namespace)
	if stamp != (Stamp{}) {
		d.WithSpec(appsv1ac.DeploymentSpec().WithTemplate(stamp.template()))
	}
	return d
}

// StampedStatefulSet is a StatefulSet with nothing but the stamp.
func StampedStatefulSet(namespace, name string, stamp Stamp) *appsv1ac.StatefulSetApplyConfiguration {
	s := appsv1ac.StatefulSet(name, namespace)
	if stamp != (Stamp{}) {
		s.WithSpec(appsv1ac.StatefulSetSpec().WithTemplate(stamp.template()))
	}
	return s
}

func (s Stamp) template() *corev1ac.PodTemplateSpecApplyConfiguration {
	template := corev1ac.PodTemplateSpec()
	if s.Server != "" {
		template.WithLabels(map[string]string{v1alpha1.ServerLabel: s.Server})
	}
	if s.Sidecar != "" {
		template.WithAnnotations(map[string]string{v1alpha1.SidecarAnnotation: s.Sidecar})
	}
	return template
}

// StampOf reads the stamp from a pod template that holds only what the operator owns.
func StampOf(template *corev1ac.PodTemplateSpecApplyConfiguration) Stamp {
	if template == nil || template.ObjectMetaApplyConfiguration == nil {
		return Stamp{}
	}
	return Stamp{Server: template.Labels[v1alpha1.ServerLabel], Sidecar: template.Annotations[v1alpha1.SidecarAnnotation]}
}
