package manifests

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// Labels on everything that the operator makes. The operator caches only objects
// with the first one where it may not read those of others.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "mcpauth"

	nameLabel     = "app.kubernetes.io/name"
	instanceLabel = "app.kubernetes.io/instance"
	partOfLabel   = "app.kubernetes.io/part-of"
)

// OwnerAnnotation holds the "namespace/name" of the custom resource that an
// object was made for where no owner reference can say so: across namespaces,
// and for objects without a namespace.
const OwnerAnnotation = "mcpauth.dev/owner"

// labels are the recommended ones of Kubernetes. An instance whose name is too
// long for a label value goes without.
func labels(name, instance string) map[string]string {
	all := map[string]string{
		nameLabel:      name,
		partOfLabel:    "mcpauth",
		ManagedByLabel: ManagedBy,
	}
	if len(instance) <= validation.LabelValueMaxLength {
		all[instanceLabel] = instance
	}
	return all
}

// authorizationServerLabels are on every object made for an AuthorizationServer.
func authorizationServerLabels(s *v1alpha1.AuthorizationServer) map[string]string {
	all := labels("mcpauth-authserver", s.Name)
	all[v1alpha1.AuthorizationServerLabel] = s.Name
	return all
}

// authorizationServerSelector is the immutable part of them that selects pods.
func authorizationServerSelector(s *v1alpha1.AuthorizationServer) map[string]string {
	return map[string]string{nameLabel: "mcpauth-authserver", instanceLabel: s.Name}
}

// The kinds of owners.
const (
	authorizationServerKind = "AuthorizationServer"
	mcpServerKind           = "MCPServer"
	oauthClientKind         = "OAuthClient"
)

// controlledBy is the reference by which a child goes with its owner.
func controlledBy(owner metav1.Object, kind string) metav1.OwnerReference {
	return *metav1.NewControllerRef(owner, v1alpha1.GroupVersion.WithKind(kind))
}

// ownedBy is the same as an apply configuration.
func ownedBy(owner metav1.Object, kind string) *metav1ac.OwnerReferenceApplyConfiguration {
	ref := controlledBy(owner, kind)
	return metav1ac.OwnerReference().
		WithAPIVersion(ref.APIVersion).WithKind(ref.Kind).WithName(ref.Name).WithUID(ref.UID).
		WithController(true).WithBlockOwnerDeletion(true)
}

func nameOf(o metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}
