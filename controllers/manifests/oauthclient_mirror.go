package manifests

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// MirrorHashes is the entry of a mirror that holds the hashes, one a line.
const MirrorHashes = "hashes"

// Mirror tells an authorization server the hashes of a client's live secrets.
// It lies in the server's namespace, the only one whose Secrets it may read, and
// never holds a secret itself.
func Mirror(client *v1alpha1.OAuthClient, compiled *compiler.Client, hashes ...credential.Hash) *corev1ac.SecretApplyConfiguration {
	lines := make([]string, len(hashes))
	for i, hash := range hashes {
		lines[i] = hash.String()
	}
	all := labels("mcpauth-client", client.Name)
	all[v1alpha1.AuthorizationServerLabel] = compiled.AuthorizationServer.Name
	return corev1ac.Secret(MirrorName(client.UID), compiled.AuthorizationServer.Namespace).
		WithLabels(all).
		WithAnnotations(map[string]string{
			v1alpha1.ClientIDAnnotation: compiled.ID,
			OwnerAnnotation:             nameOf(client).String(),
		}).
		WithType(corev1.SecretTypeOpaque).
		WithData(map[string][]byte{MirrorHashes: []byte(strings.Join(lines, "\n"))})
}
