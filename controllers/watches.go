package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
)

// toOwner maps an object to the custom resource that its annotation names as
// owner.
func toOwner(_ context.Context, o client.Object) []ctrl.Request {
	owner, ok := manifests.OwnerOf(o.GetAnnotations())
	if !ok {
		return nil
	}
	return []ctrl.Request{{NamespacedName: owner}}
}

// toNamedServers maps a workload or a pod to the MCPServers that it names.
func toNamedServers(names func(client.Object) []string) func(context.Context, client.Object) []ctrl.Request {
	return func(_ context.Context, o client.Object) []ctrl.Request {
		var requests []ctrl.Request
		for _, name := range names(o) {
			requests = append(requests, ctrl.Request{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}})
		}
		return requests
	}
}

// concernsServers lets through the changes of an AuthorizationServer after which its
// MCPServers may have to say something else, or their pods to run another sidecar.
func concernsServers() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			return available(e.ObjectOld) != available(e.ObjectNew) ||
				!equality.Semantic.DeepEqual(sidecarsOf(e.ObjectOld), sidecarsOf(e.ObjectNew))
		},
	}
}

func sidecarsOf(o client.Object) *v1alpha1.Sidecar {
	if server, ok := o.(*v1alpha1.AuthorizationServer); ok {
		return server.Spec.Sidecars
	}
	return nil
}

func available(o client.Object) bool {
	server, ok := o.(*v1alpha1.AuthorizationServer)
	return ok && meta.IsStatusConditionTrue(server.Status.Conditions, v1alpha1.ConditionAvailable)
}
