package manifests

import (
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/compiler"
)

// KeySecretName is the name of the Secret that holds an AuthorizationServer's
// key ring, in its namespace.
func KeySecretName(authorizationServer string) string {
	return compiler.ServiceName(authorizationServer) + "-keys"
}

// VolumeClaimName is the name of the PersistentVolumeClaim of an
// AuthorizationServer's database.
func VolumeClaimName(authorizationServer string) string {
	return compiler.ServiceName(authorizationServer) + "-data"
}

// ClusterRoleBindingName is unique over all namespaces.
func ClusterRoleBindingName(authorizationServer types.NamespacedName) string {
	return "mcpauth-authserver:" + authorizationServer.Namespace + ":" + authorizationServer.Name
}

// MirrorName is the name of the Secret that holds the hashes of an OAuthClient's
// secrets, in the namespace of its AuthorizationServer.
func MirrorName(client types.UID) string { return mirrorPrefix + string(client) }

const mirrorPrefix = "mcpauth-client-"

// IsMirror reports whether a Secret is named as mirrors are.
func IsMirror(secret string) bool { return strings.HasPrefix(secret, mirrorPrefix) }

// OwnerOf reads an OwnerAnnotation.
func OwnerOf(annotations map[string]string) (types.NamespacedName, bool) {
	namespace, name, ok := strings.Cut(annotations[OwnerAnnotation], "/")
	return types.NamespacedName{Namespace: namespace, Name: name}, ok && namespace != "" && name != ""
}
