package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
)

// settle is how long a burst of changes may go on arriving before it is compiled.
const settle = 20 * time.Millisecond

// Compiler holds the newest result. New makes one; it is safe for concurrent use.
type Compiler struct {
	cache cache.Cache
	log   logr.Logger

	result  atomic.Pointer[compiler.Result]
	changed chan struct{}

	mu          sync.Mutex // guards what follows
	subscribers []subscriber
	listeners   []func(*compiler.Result)
}

// New makes a Compiler over the cache of a manager or of its own.
func New(cache cache.Cache, log logr.Logger) *Compiler {
	return &Compiler{cache: cache, log: log.WithName("compiler"), changed: make(chan struct{}, 1)}
}

// Result is the newest result, or nil until Start has compiled once.
func (c *Compiler) Result() *compiler.Result { return c.result.Load() }

// OnResult has f called with every new result, in order, from one goroutine. Call
// it before Start.
func (c *Compiler) OnResult(f func(*compiler.Result)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners = append(c.listeners, f)
}

// NeedLeaderElection says that every replica compiles: webhooks and servers read
// the result as well.
func (c *Compiler) NeedLeaderElection() bool { return false }

// watched are the kinds that a compilation reads.
func watched() []client.Object {
	return []client.Object{
		&v1alpha1.AuthorizationServer{}, &v1alpha1.IdentityProvider{}, &v1alpha1.MCPServer{},
		&v1alpha1.Scope{}, &v1alpha1.OAuthClient{}, &corev1.Namespace{},
	}
}

// Start compiles until ctx ends. The cache must be started by the caller.
func (c *Compiler) Start(ctx context.Context) error {
	filled, err := c.watch(ctx)
	if err != nil || !wait(ctx, filled) {
		return err // or stopped before the caches had filled
	}
	c.touch()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.changed:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(settle):
		}
		if err := c.compile(ctx); err != nil {
			return err
		}
	}
}

// watch begins with all kinds at once and returns what says whether all of what
// there was has been seen.
func (c *Compiler) watch(ctx context.Context) (filled []toolscache.InformerSynced, err error) {
	for _, object := range watched() {
		informer, err := c.cache.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, fmt.Errorf("watch %T: %w", object, err)
		}
		registration, err := informer.AddEventHandler(c.handler())
		if err != nil {
			return nil, fmt.Errorf("watch %T: %w", object, err)
		}
		filled = append(filled, registration.HasSynced)
	}
	return filled, nil
}

// syncPoll is how often a starting process asks whether its caches have filled:
// nobody is served before.
const syncPoll = 5 * time.Millisecond

// wait reports whether all have filled before ctx ended.
func wait(ctx context.Context, filled []toolscache.InformerSynced) bool {
	ticker := time.NewTicker(syncPoll)
	defer ticker.Stop()
	for slices.ContainsFunc(filled, func(synced toolscache.InformerSynced) bool { return !synced() }) {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}

// handler marks the input as changed. Updates of status alone change nothing
// that a compilation reads, so they pass.
func (c *Compiler) handler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { c.touch() },
		DeleteFunc: func(any) { c.touch() },
		UpdateFunc: func(before, after any) {
			if matters(before, after) {
				c.touch()
			}
		},
	}
}

func matters(before, after any) bool {
	b, okB := before.(client.Object)
	a, okA := after.(client.Object)
	if !okA || !okB {
		return true
	}
	if _, namespace := a.(*corev1.Namespace); namespace {
		return b.GetResourceVersion() != a.GetResourceVersion() // labels have no generation
	}
	return b.GetGeneration() != a.GetGeneration() || b.GetUID() != a.GetUID()
}

func (c *Compiler) touch() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func (c *Compiler) compile(ctx context.Context) error {
	in, err := c.read(ctx)
	if err != nil {
		return err
	}
	before, after := c.result.Load(), compiler.Compile(in)
	c.result.Store(after)
	c.log.V(1).Info("compiled", "servers", len(after.Servers), "clients", len(after.Clients), "objectsWithProblems", len(after.Problems))

	c.mu.Lock()
	listeners, subscribers := c.listeners, c.subscribers
	c.mu.Unlock()
	for _, listener := range listeners {
		listener(after)
	}
	for _, s := range subscribers {
		s.notify(changes(s.kind, before, after))
	}
	return nil
}

// read lists the caches without copying: Compile changes nothing in its input.
func (c *Compiler) read(ctx context.Context) (compiler.Input, error) {
	var in compiler.Input
	return in, errors.Join(
		list(ctx, c.cache, &v1alpha1.AuthorizationServerList{}, func(l *v1alpha1.AuthorizationServerList) { in.AuthorizationServers = pointers(l.Items) }),
		list(ctx, c.cache, &v1alpha1.IdentityProviderList{}, func(l *v1alpha1.IdentityProviderList) { in.IdentityProviders = pointers(l.Items) }),
		list(ctx, c.cache, &v1alpha1.MCPServerList{}, func(l *v1alpha1.MCPServerList) { in.MCPServers = pointers(l.Items) }),
		list(ctx, c.cache, &v1alpha1.ScopeList{}, func(l *v1alpha1.ScopeList) { in.Scopes = pointers(l.Items) }),
		list(ctx, c.cache, &v1alpha1.OAuthClientList{}, func(l *v1alpha1.OAuthClientList) { in.OAuthClients = pointers(l.Items) }),
		list(ctx, c.cache, &corev1.NamespaceList{}, func(l *corev1.NamespaceList) { in.Namespaces = pointers(l.Items) }),
	)
}

func list[L client.ObjectList](ctx context.Context, reader client.Reader, into L, take func(L)) error {
	if err := reader.List(ctx, into, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list %T from the cache: %w", into, err)
	}
	take(into)
	return nil
}

func pointers[T any](items []T) []*T {
	out := make([]*T, len(items))
	for i := range items {
		out[i] = &items[i]
	}
	return out
}
