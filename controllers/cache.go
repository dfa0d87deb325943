package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
)

// CacheOptions are those of the manager's cache. It holds what the operator made,
// the pods that a server protects, and every workload, Service and NetworkPolicy,
// because any of them may ask for protection, lead past it or see to it. Of Secrets it holds metadata only,
// and only of those that the operator made.
func CacheOptions() (cache.Options, error) {
	protected, err := labels.NewRequirement(v1alpha1.ServerLabel, selection.Exists, nil)
	if err != nil {
		return cache.Options{}, fmt.Errorf("select protected pods: %w", err)
	}
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{manifests.ManagedByLabel: manifests.ManagedBy})}
	return cache.Options{
		DefaultTransform: keepOwnFields,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}:                ours,
			&corev1.ConfigMap{}:             ours,
			&corev1.ServiceAccount{}:        ours,
			&corev1.PersistentVolumeClaim{}: ours,
			&rbacv1.Role{}:                  ours,
			&rbacv1.RoleBinding{}:           ours,
			&rbacv1.ClusterRoleBinding{}:    ours,
			&corev1.Pod{}:                   {Label: labels.NewSelector().Add(*protected)},
		},
	}, nil
}

// ClientOptions are those of the manager's client: Secrets are read from the API
// server when they are needed, and never held.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}}
}

// managers begin the names of all our field managers.
const managers = "mcpauth-"

// keepOwnFields drops the record of which fields others manage: it is often half
// of an object, and only our own entries are looked at.
func keepOwnFields(object any) (any, error) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return object, nil // what is told of a deletion is no object, and passes as it is
	}
	fields := accessor.GetManagedFields()
	kept := slices.DeleteFunc(slices.Clone(fields), func(e metav1.ManagedFieldsEntry) bool {
		return !strings.HasPrefix(e.Manager, managers)
	})
	accessor.SetManagedFields(slices.Clip(kept))
	return object, nil
}

// Indexes of the cache.
const (
	// serverIndex finds workloads and pods by the MCPServers that they name.
	serverIndex = "mcpauth.dev/server"
	// ownerIndex finds the metadata of Secrets by their owner across namespaces.
	ownerIndex = "mcpauth.dev/owner"
	// authorIndex finds the NetworkPolicies that are not of our making, by othersValue.
	authorIndex = "mcpauth.dev/author"
	othersValue = "others"
)

func addIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, object := range []client.Object{&appsv1.Deployment{}, &appsv1.StatefulSet{}} {
		if err := indexer.IndexField(ctx, object, serverIndex, serversNamedBy); err != nil {
			return fmt.Errorf("index %T by server: %w", object, err)
		}
	}
	if err := indexer.IndexField(ctx, &corev1.Pod{}, serverIndex, serverOfPod); err != nil {
		return fmt.Errorf("index pods by server: %w", err)
	}
	if err := indexer.IndexField(ctx, &networkingv1.NetworkPolicy{}, authorIndex, authorOfPolicy); err != nil {
		return fmt.Errorf("index NetworkPolicies by author: %w", err)
	}
	byOwner := func(o client.Object) []string {
		owner, ok := manifests.OwnerOf(o.GetAnnotations())
		if !ok {
			return nil
		}
		return []string{owner.String()}
	}
	if err := indexer.IndexField(ctx, secretMetadata(), ownerIndex, byOwner); err != nil {
		return fmt.Errorf("index Secrets by owner: %w", err)
	}
	return nil
}

// serversNamedBy are the servers that a workload asks for, or is labelled with.
func serversNamedBy(o client.Object) []string {
	w, ok := newWorkload(o)
	if !ok {
		return nil
	}
	names := slices.DeleteFunc([]string{w.asks(), w.label()}, func(name string) bool { return name == "" })
	return slices.Compact(names)
}

func serverOfPod(o client.Object) []string { return []string{o.GetLabels()[v1alpha1.ServerLabel]} }

// authorOfPolicy leaves our own out: each is about the pods of its one server, and
// there may be many of them in a namespace.
func authorOfPolicy(o client.Object) []string {
	policy, ok := o.(*networkingv1.NetworkPolicy)
	if !ok {
		return nil
	}
	if _, ours := manifests.ServerOfNetworkPolicy(policy); ours {
		return nil
	}
	return []string{othersValue}
}

// secretMetadata is an empty Secret of which only metadata is asked for.
func secretMetadata() *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return m
}
