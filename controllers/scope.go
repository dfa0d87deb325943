package controllers

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/controllers/status"
)

// ScopeReconciler says of each Scope whether it is in force.
type ScopeReconciler struct {
	client.Client
	Compiled Compiled
	Now      func() time.Time
}

func (r *ScopeReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Scope{}).
		WatchesRawSource(r.Compiled.Source(compiler.KindScope)).
		Complete(r)
}

// +kubebuilder:rbac:groups=mcpauth.dev,resources=scopes,verbs=get;list;watch
// +kubebuilder:rbac:groups=mcpauth.dev,resources=scopes/status,verbs=patch

// Reconcile writes the Scope's conditions.
func (r *ScopeReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	before := &v1alpha1.Scope{}
	if found, err := get(ctx, r.Client, req.NamespacedName, before); !found {
		return ctrl.Result{}, err
	}
	result := current(r.Compiled, compiler.KindScope, before)
	if result == nil {
		return ctrl.Result{}, nil
	}
	report := status.NewReport(v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs)
	report.Problems(problems(result, compiler.KindScope, before))

	after := before.DeepCopy()
	after.Status.ObservedGeneration = after.Generation
	report.Write(&after.Status.Conditions, after.Generation, r.Now())
	return ctrl.Result{}, status.Patch(ctx, r.Client, before, after)
}
