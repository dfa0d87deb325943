package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/controllers/reachability"
)

// Compiled is the newest compilation and what tells of newer ones. *kube.Compiler
// is one.
type Compiled interface {
	// Result is nil until the first compilation.
	Result() *compiler.Result
	// Source enqueues every object of the kind that came out differently.
	Source(kind compiler.Kind) source.Source
}

// Options are what the reconcilers need beside a manager.
type Options struct {
	Compiled Compiled
	// AuthServerImage and SidecarImage are the container images that are run.
	AuthServerImage string
	SidecarImage    string
	// Connect is how the ports of apps are tried; reachability.Connect when nil.
	Connect func(context.Context, netip.AddrPort) error
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Setup adds all reconcilers to the manager, whose cache and client must have
// been made with CacheOptions and ClientOptions. Call it once for a manager.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := addIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	keys := newPublicKeys(mgr.GetClient(), mgr.GetCache())
	recorder := mgr.GetEventRecorder("mcpauth-operator")
	return errors.Join(
		(&AuthorizationServerReconciler{Client: mgr.GetClient(), Compiled: o.Compiled, Recorder: recorder, Image: o.AuthServerImage, Now: o.Now}).setup(mgr),
		(&IdentityProviderReconciler{Client: mgr.GetClient(), Compiled: o.Compiled, Now: o.Now}).setup(mgr),
		(&MCPServerReconciler{Client: mgr.GetClient(), Compiled: o.Compiled, Recorder: recorder, SidecarImage: o.SidecarImage, Ports: reachability.NewProber(o.Connect), Now: o.Now, keys: keys}).setup(mgr),
		(&ScopeReconciler{Client: mgr.GetClient(), Compiled: o.Compiled, Now: o.Now}).setup(mgr),
		(&OAuthClientReconciler{Client: mgr.GetClient(), Metadata: mgr.GetCache(), Compiled: o.Compiled, Recorder: recorder, Now: o.Now}).setup(mgr),
	)
}

// current is the newest result if it is about the object as it is now, else nil.
// The compiler's source calls again when it has caught up.
func current(c Compiled, kind compiler.Kind, o client.Object) *compiler.Result {
	result := c.Result()
	if result == nil {
		return nil
	}
	generation, known := result.Observed[compiler.Object{Kind: kind, NamespacedName: client.ObjectKeyFromObject(o)}]
	if !known || generation != o.GetGeneration() {
		return nil
	}
	return result
}

// problems are what the compiler says of the object.
func problems(result *compiler.Result, kind compiler.Kind, o client.Object) []compiler.Problem {
	return result.Problems[compiler.Object{Kind: kind, NamespacedName: client.ObjectKeyFromObject(o)}]
}

// phase is one step of a reconciliation over what was read. It adds findings to
// the state's report; an error means that the step could not be taken and is to
// be tried again.
type phase[S any] func(context.Context, S) error

// run takes the steps in order, up to the first that fails.
func run[S any](ctx context.Context, state S, phases ...phase[S]) error {
	for _, next := range phases {
		if err := next(ctx, state); err != nil {
			return err
		}
	}
	return nil
}

// get reads an object and reports whether it is there and is to stay. A reader
// that answers NotFound is no error.
func get(ctx context.Context, c client.Reader, key client.ObjectKey, into client.Object) (bool, error) {
	if err := c.Get(ctx, key, into); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return false, nil
		}
		return false, fmt.Errorf("read %T %s: %w", into, key, err)
	}
	return into.GetDeletionTimestamp().IsZero(), nil
}
