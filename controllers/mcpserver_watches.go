package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
)

// besideService names the MCPServers that have workloads in the Service's
// namespace: it may lead to their pods.
func (r *MCPServerReconciler) besideService(ctx context.Context, service client.Object) []ctrl.Request {
	var servers v1alpha1.MCPServerList
	if err := r.List(ctx, &servers, client.InNamespace(service.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		logf.FromContext(ctx).Error(err, "MCPServers could not be listed from the cache", "namespace", service.GetNamespace())
		return nil
	}
	var requests []ctrl.Request
	for i := range servers.Items {
		if servers.Items[i].Spec.Workload != nil {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&servers.Items[i])})
		}
	}
	return requests
}

// attachedTo names the MCPServers of an AuthorizationServer.
func (r *MCPServerReconciler) attachedTo(_ context.Context, server client.Object) []ctrl.Request {
	return r.serversOf(client.ObjectKeyFromObject(server))
}

// signedByKeys names the MCPServers whose tokens the keys of a Secret sign.
func (r *MCPServerReconciler) signedByKeys(_ context.Context, secret client.Object) []ctrl.Request {
	name := secret.GetLabels()[v1alpha1.AuthorizationServerLabel]
	if name == "" || secret.GetName() != manifests.KeySecretName(name) {
		return nil
	}
	return r.serversOf(types.NamespacedName{Namespace: secret.GetNamespace(), Name: name})
}

func (r *MCPServerReconciler) serversOf(authorizationServer types.NamespacedName) []ctrl.Request {
	result := r.Compiled.Result()
	if result == nil {
		return nil // the first compilation enqueues every server
	}
	var requests []ctrl.Request
	for name, server := range result.Servers {
		if server.AuthorizationServer == authorizationServer {
			requests = append(requests, ctrl.Request{NamespacedName: name})
		}
	}
	return requests
}
