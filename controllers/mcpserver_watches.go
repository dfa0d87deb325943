package controllers

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
	"github.com/mcpauth/mcpauth/controllers/reachability"
)

// inNamespaceOf names the MCPServers that have workloads in the object's namespace: a
// Service may lead to their pods, and a NetworkPolicy be about them.
func (r *MCPServerReconciler) inNamespaceOf(ctx context.Context, o client.Object) []ctrl.Request {
	var servers v1alpha1.MCPServerList
	if err := r.List(ctx, &servers, client.InNamespace(o.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		logf.FromContext(ctx).Error(err, "MCPServers could not be listed from the cache", "namespace", o.GetNamespace())
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

// underNetworkPolicy names the MCPServer that a policy of our making is for, or
// whoever may be concerned by somebody else's.
func (r *MCPServerReconciler) underNetworkPolicy(ctx context.Context, o client.Object) []ctrl.Request {
	if policy, ok := o.(*networkingv1.NetworkPolicy); ok {
		if server, ours := manifests.ServerOfNetworkPolicy(policy); ours {
			return []ctrl.Request{{NamespacedName: types.NamespacedName{Namespace: policy.Namespace, Name: server}}}
		}
	}
	return r.inNamespaceOf(ctx, o)
}

// portAnswers has the prober work while the controller does, and enqueues the servers
// about whose pods it has something new to say.
func portAnswers(prober *reachability.Prober) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		go prober.Run(ctx, func(server types.NamespacedName) { queue.Add(reconcile.Request{NamespacedName: server}) })
		return nil
	})
}

// besideBare names the MCPServers in the namespace of a workload that asks for none:
// their Services may lead to it as well.
func (r *MCPServerReconciler) besideBare(ctx context.Context, o client.Object) []ctrl.Request {
	if w, ok := newWorkload(o); !ok || w.asks() != "" || w.label() != "" {
		return nil // their servers are called otherwise
	}
	return r.inNamespaceOf(ctx, o)
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
