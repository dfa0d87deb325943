package controllers

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/controllers/manifests"
	"github.com/mcpauth/mcpauth/controllers/status"
	"github.com/mcpauth/mcpauth/oauth"
)

// ensureAccess lets the server read the custom resources, and the Secrets of its
// own namespace.
func (r *AuthorizationServerReconciler) ensureAccess(ctx context.Context, s *authorizationServer) error {
	const manager = authorizationServerManager
	return errors.Join(
		apply(ctx, r.Client, manager, &corev1.ServiceAccount{}, manifests.ServiceAccount(s.object), corev1ac.ExtractServiceAccount),
		apply(ctx, r.Client, manager, &rbacv1.Role{}, manifests.Role(s.object), rbacv1ac.ExtractRole),
		apply(ctx, r.Client, manager, &rbacv1.RoleBinding{}, manifests.RoleBinding(s.object), rbacv1ac.ExtractRoleBinding),
		apply(ctx, r.Client, manager, &rbacv1.ClusterRoleBinding{}, manifests.ClusterRoleBinding(s.object), rbacv1ac.ExtractClusterRoleBinding),
	)
}

// removeAccess takes back, after the AuthorizationServer is gone, what Kubernetes
// cannot collect because no owner reference leads out of a namespace.
func (r *AuthorizationServerReconciler) removeAccess(ctx context.Context, name types.NamespacedName) error {
	var binding rbacv1.ClusterRoleBinding
	found, err := get(ctx, r.Client, client.ObjectKey{Name: manifests.ClusterRoleBindingName(name)}, &binding)
	if !found {
		return err
	}
	if owner, ok := manifests.OwnerOf(binding.Annotations); !ok || owner != name {
		return nil
	}
	if err := r.Delete(ctx, &binding); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete ClusterRoleBinding %s: %w", binding.Name, err)
	}
	return nil
}

// ensureVolume makes the volume claim once, where there is to be a database file;
// Kubernetes lets nobody change it. It stays when the storage becomes another: what
// is in it can be wanted back.
func (r *AuthorizationServerReconciler) ensureVolume(ctx context.Context, s *authorizationServer) error {
	if s.object.Spec.Storage.Type != v1alpha1.StorageSQLite {
		return nil
	}
	want := manifests.VolumeClaim(s.object)
	var claim corev1.PersistentVolumeClaim
	found, err := get(ctx, r.Client, client.ObjectKeyFromObject(want), &claim)
	if found || err != nil {
		return err
	}
	if err := r.Create(ctx, want, authorizationServerManager); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create PersistentVolumeClaim %s/%s: %w", want.Namespace, want.Name, err)
	}
	return nil
}

func (r *AuthorizationServerReconciler) ensureDeployment(ctx context.Context, s *authorizationServer) error {
	return apply(ctx, r.Client, authorizationServerManager, &appsv1.Deployment{},
		manifests.Deployment(s.object, r.Image), appsv1ac.ExtractDeployment)
}

func (r *AuthorizationServerReconciler) ensureService(ctx context.Context, s *authorizationServer) error {
	s.object.Status.Endpoints = &v1alpha1.AuthorizationServerEndpoints{
		Metadata: oauth.WellKnownURL(s.object.Spec.Issuer, oauth.WellKnownServer),
		JWKS:     s.object.Spec.Issuer + "/keys",
		Service:  compiler.ServiceURL(client.ObjectKeyFromObject(s.object)),
	}
	return apply(ctx, r.Client, authorizationServerManager, &corev1.Service{},
		manifests.Service(s.object), corev1ac.ExtractService)
}

// assessAvailability says whether the server answers, as its readiness probe sees
// it.
func (r *AuthorizationServerReconciler) assessAvailability(ctx context.Context, s *authorizationServer) error {
	name := compiler.ServiceName(s.object.Name)
	var deployment appsv1.Deployment
	found, err := get(ctx, r.Client, client.ObjectKey{Namespace: s.object.Namespace, Name: name}, &deployment)
	switch {
	case err != nil:
		return err
	case !found:
		s.report.Add(status.False(v1alpha1.ConditionAvailable, v1alpha1.ReasonPending, "Deployment %s/%s is not there yet", s.object.Namespace, name))
	case !isAvailable(&deployment):
		s.report.Add(status.False(v1alpha1.ConditionAvailable, v1alpha1.ReasonNotReady,
			"Deployment %s/%s has no available pod; kubectl describe pods -n %s -l app.kubernetes.io/instance=%s says why",
			s.object.Namespace, name, s.object.Namespace, s.object.Name))
	default:
		s.report.Add(status.True(v1alpha1.ConditionAvailable, "Deployment %s/%s is available", s.object.Namespace, name))
	}
	return nil
}

func isAvailable(d *appsv1.Deployment) bool {
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentAvailable {
			return c.Status == corev1.ConditionTrue && d.Status.AvailableReplicas > 0
		}
	}
	return false
}
