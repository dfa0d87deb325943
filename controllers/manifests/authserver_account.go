package manifests

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
)

// ServiceAccount is what an authorization server's pods run as.
func ServiceAccount(s *v1alpha1.AuthorizationServer) *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount(compiler.ServiceName(s.Name), s.Namespace).
		WithLabels(authorizationServerLabels(s)).
		WithOwnerReferences(ownedBy(s, authorizationServerKind)).
		WithAutomountServiceAccountToken(false)
}
