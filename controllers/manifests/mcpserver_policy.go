package manifests

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/injector"
	"github.com/mcpauth/mcpauth/policy"
)

// PolicyConfigMap holds an MCPServer's encoded policy, where the sidecars of its
// workload mount it.
func PolicyConfigMap(server *v1alpha1.MCPServer, encoded []byte) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(injector.ConfigMapName(server.Name), server.Namespace).
		WithLabels(labels("mcpauth-policy", server.Name)).
		WithOwnerReferences(ownedBy(server, mcpServerKind)).
		WithData(map[string]string{policy.FileName: string(encoded)})
}
