package controllers

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/controllers/status"
)

// How often Secrets are looked at that others made: they are not watched, so that
// the operator need not hold the names of all Secrets of the cluster.
const (
	missingSecretCheck = 15 * time.Second
	presentSecretCheck = 5 * time.Minute
)

// IdentityProviderReconciler says of each IdentityProvider whether users can sign
// in with it, as far as that can be seen in the cluster.
type IdentityProviderReconciler struct {
	client.Client
	Compiled Compiled
	Now      func() time.Time
}

func (r *IdentityProviderReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.IdentityProvider{}).
		WatchesRawSource(r.Compiled.Source(compiler.KindIdentityProvider)).
		Complete(r)
}

// +kubebuilder:rbac:groups=mcpauth.dev,resources=identityproviders,verbs=get;list;watch
// +kubebuilder:rbac:groups=mcpauth.dev,resources=identityproviders/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get

// Reconcile writes the IdentityProvider's conditions and callback URL.
func (r *IdentityProviderReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	before := &v1alpha1.IdentityProvider{}
	if found, err := get(ctx, r.Client, req.NamespacedName, before); !found {
		return ctrl.Result{}, err
	}
	result := current(r.Compiled, compiler.KindIdentityProvider, before)
	if result == nil {
		return ctrl.Result{}, nil
	}
	report := status.NewReport(v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs)
	report.Problems(problems(result, compiler.KindIdentityProvider, before))
	again, err := r.checkSecret(ctx, before, report)
	if err != nil {
		return ctrl.Result{}, err
	}

	after := before.DeepCopy()
	after.Status.ObservedGeneration = after.Generation
	if after.Status.CallbackURL, err = r.callbackURL(ctx, before); err != nil {
		return ctrl.Result{}, err
	}
	report.Write(&after.Status.Conditions, after.Generation, r.Now())
	return ctrl.Result{RequeueAfter: again}, status.Patch(ctx, r.Client, before, after)
}

// checkSecret finds out whether the client secret that the provider gave is
// there, and says when to look again.
func (r *IdentityProviderReconciler) checkSecret(ctx context.Context, idp *v1alpha1.IdentityProvider, report *status.Report) (time.Duration, error) {
	if idp.Spec.OIDC == nil || idp.Spec.OIDC.ClientSecretRef == nil {
		return 0, nil
	}
	ref := idp.Spec.OIDC.ClientSecretRef
	var secret corev1.Secret
	found, err := get(ctx, r.Client, client.ObjectKey{Namespace: idp.Namespace, Name: ref.Name}, &secret)
	switch {
	case err != nil:
		return 0, err
	case !found:
		report.Add(status.False(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonNotFound,
			"Secret %s/%s does not exist; create it with the client secret in its entry %q", idp.Namespace, ref.Name, ref.Key))
	case strings.TrimSpace(string(secret.Data[ref.Key])) == "":
		report.Add(status.False(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonNotFound,
			"Secret %s/%s has no entry %q; add it with the client secret, or correct clientSecretRef.key", idp.Namespace, ref.Name, ref.Key))
	default:
		return presentSecretCheck, nil
	}
	return missingSecretCheck, nil
}

// callbackURL is what to register at an OIDC provider; empty for other kinds, and
// while there is no AuthorizationServer to call back to.
func (r *IdentityProviderReconciler) callbackURL(ctx context.Context, idp *v1alpha1.IdentityProvider) (string, error) {
	if idp.Spec.Type != v1alpha1.ProviderOIDC {
		return "", nil
	}
	var server v1alpha1.AuthorizationServer
	key := client.ObjectKey{Namespace: idp.Namespace, Name: idp.Spec.AuthorizationServerRef.Name}
	if found, err := get(ctx, r.Client, key, &server); !found {
		return "", err
	}
	return server.Spec.Issuer + "/oauth/callback/" + idp.Name, nil
}
