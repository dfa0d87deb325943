package kube

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/mcpauth/mcpauth/compiler"
)

// subscriber is a controller of one kind.
type subscriber struct {
	kind  compiler.Kind
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

func (s subscriber) notify(names []types.NamespacedName) {
	for _, name := range names {
		s.queue.Add(reconcile.Request{NamespacedName: name})
	}
}

// Source enqueues every object of the kind whose result came out differently:
// what it compiles to, its problems, or the generation that they are about. A
// controller that starts late is told of everything once.
func (c *Compiler) Source(kind compiler.Kind) source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		s := subscriber{kind: kind, queue: queue}
		c.mu.Lock()
		c.subscribers = append(c.subscribers, s)
		c.mu.Unlock()
		if result := c.Result(); result != nil {
			s.notify(changes(kind, nil, result))
		}
		return nil
	})
}

// changes names the objects of a kind that differ between two results; before is
// nil at first.
func changes(kind compiler.Kind, before, after *compiler.Result) []types.NamespacedName {
	var names []types.NamespacedName
	for object := range after.Observed {
		if object.Kind == kind && (before == nil || differs(object, before, after)) {
			names = append(names, object.NamespacedName)
		}
	}
	return names
}

func differs(object compiler.Object, before, after *compiler.Result) bool {
	generation, known := before.Observed[object]
	if !known || generation != after.Observed[object] || !equality.Semantic.DeepEqual(before.Problems[object], after.Problems[object]) {
		return true
	}
	name := object.NamespacedName
	switch object.Kind {
	case compiler.KindMCPServer:
		return !sameServer(before.Servers[name], after.Servers[name])
	case compiler.KindOAuthClient:
		return !equality.Semantic.DeepEqual(before.Clients[name], after.Clients[name])
	default:
		return false // what else they compile to is the authorization server's alone
	}
}

// sameServer compares what a reconciler writes of a server.
func sameServer(a, b *compiler.Server) bool {
	if a == nil || b == nil {
		return a == b
	}
	encodedA, errA := a.Policy.Encode()
	encodedB, errB := b.Policy.Encode()
	return errA == nil && errB == nil && string(encodedA) == string(encodedB) &&
		a.ResourceID == b.ResourceID && a.AuthorizationServer == b.AuthorizationServer &&
		a.Issuer == b.Issuer && a.MetadataURL == b.MetadataURL && a.Clients == b.Clients
}
