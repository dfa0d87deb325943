package manifests

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
)

// Service is where an authorization server is reached inside the cluster:
// compiler.ServiceURL.
func Service(s *v1alpha1.AuthorizationServer) *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(compiler.ServiceName(s.Name), s.Namespace).
		WithLabels(authorizationServerLabels(s)).
		WithOwnerReferences(ownedBy(s, authorizationServerKind)).
		WithSpec(corev1ac.ServiceSpec().
			WithSelector(authorizationServerSelector(s)).
			WithPorts(corev1ac.ServicePort().
				WithName("http").WithProtocol(corev1.ProtocolTCP).
				WithPort(80).WithTargetPort(intstr.FromString("http"))))
}
