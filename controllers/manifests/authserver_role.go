package manifests

import (
	rbacv1 "k8s.io/api/rbac/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
)

// AuthServerClusterRole is the ClusterRole, installed beside the operator, that
// lets authorization servers read the custom resources and Namespaces.
const AuthServerClusterRole = "mcpauth-authserver"

// Role lets an authorization server read the Secrets of its own namespace: its
// keys, the hashes of client secrets, and the secrets of identity providers.
func Role(s *v1alpha1.AuthorizationServer) *rbacv1ac.RoleApplyConfiguration {
	return rbacv1ac.Role(compiler.ServiceName(s.Name), s.Namespace).
		WithLabels(authorizationServerLabels(s)).
		WithOwnerReferences(ownedBy(s, authorizationServerKind)).
		WithRules(rbacv1ac.PolicyRule().WithAPIGroups("").WithResources("secrets").WithVerbs("get", "list", "watch"))
}

// RoleBinding gives the Role to the authorization server.
func RoleBinding(s *v1alpha1.AuthorizationServer) *rbacv1ac.RoleBindingApplyConfiguration {
	return rbacv1ac.RoleBinding(compiler.ServiceName(s.Name), s.Namespace).
		WithLabels(authorizationServerLabels(s)).
		WithOwnerReferences(ownedBy(s, authorizationServerKind)).
		WithRoleRef(roleRef("Role", compiler.ServiceName(s.Name))).
		WithSubjects(account(s))
}

// ClusterRoleBinding gives AuthServerClusterRole to the authorization server. No
// owner reference can point from it into a namespace, so an annotation does.
func ClusterRoleBinding(s *v1alpha1.AuthorizationServer) *rbacv1ac.ClusterRoleBindingApplyConfiguration {
	return rbacv1ac.ClusterRoleBinding(ClusterRoleBindingName(nameOf(s))).
		WithLabels(authorizationServerLabels(s)).
		WithAnnotations(map[string]string{OwnerAnnotation: nameOf(s).String()}).
		WithRoleRef(roleRef("ClusterRole", AuthServerClusterRole)).
		WithSubjects(account(s))
}

func roleRef(kind, name string) *rbacv1ac.RoleRefApplyConfiguration {
	return rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind(kind).WithName(name)
}

func account(s *v1alpha1.AuthorizationServer) *rbacv1ac.SubjectApplyConfiguration {
	return rbacv1ac.Subject().WithKind(rbacv1.ServiceAccountKind).
		WithNamespace(s.Namespace).WithName(compiler.ServiceName(s.Name))
}
