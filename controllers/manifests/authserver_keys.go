package manifests

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// KeySecret holds an encoded key ring. Once it exists it is never made anew:
// everything that was issued depends on it.
func KeySecret(s *v1alpha1.AuthorizationServer, ring []byte) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Name: KeySecretName(s.Name), Namespace: s.Namespace,
			Labels:          authorizationServerLabels(s),
			OwnerReferences: []metav1.OwnerReference{controlledBy(s, authorizationServerKind)},
		},
		Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{keyring.SecretKey: ring},
	}
}
