package manifests

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
)

// CredentialSecret delivers a client's credentials to its owner.
func CredentialSecret(client *v1alpha1.OAuthClient, compiled *compiler.Client, secret string) *corev1.Secret {
	s := &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Name: client.Spec.Secret.Name, Namespace: client.Namespace,
			OwnerReferences: []metav1.OwnerReference{controlledBy(client, oauthClientKind)},
		},
		Type: corev1.SecretTypeOpaque,
	}
	FillCredentialSecret(s, client, compiled, secret)
	return s
}

// FillCredentialSecret brings labels and entries of a Secret that the client
// owns up to date, and leaves those that others added.
func FillCredentialSecret(s *corev1.Secret, client *v1alpha1.OAuthClient, compiled *compiler.Client, secret string) {
	if s.Labels == nil {
		s.Labels = make(map[string]string)
	}
	if s.Data == nil {
		s.Data = make(map[string][]byte)
	}
	maps.Copy(s.Labels, labels("mcpauth-client", client.Name))
	s.Data[v1alpha1.SecretClientID] = []byte(compiled.ID)
	s.Data[v1alpha1.SecretClientSecret] = []byte(secret)
	s.Data[v1alpha1.SecretIssuer] = []byte(compiled.Issuer)
	s.Data[v1alpha1.SecretTokenEndpoint] = []byte(compiled.TokenEndpoint)
}
