package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/controllers/status"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// oauthClientManager is the field manager of an OAuthClient's Secrets.
const oauthClientManager client.FieldOwner = managers + "oauthclient"

// mirrorFinalizer keeps a deleted OAuthClient until the hashes of its secrets are
// gone from the AuthorizationServer's namespace, where no owner reference reaches.
const mirrorFinalizer = "mcpauth.dev/credential-mirror"

// OAuthClientReconciler delivers credentials to clients.
type OAuthClientReconciler struct {
	client.Client
	// Metadata reads the metadata of Secrets from the cache, by ownerIndex.
	Metadata client.Reader
	Compiled Compiled
	Recorder events.EventRecorder
	Now      func() time.Time
}

func (r *OAuthClientReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.OAuthClient{}).
		Owns(&corev1.Secret{}, builder.OnlyMetadata).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(toOwner), builder.OnlyMetadata).
		WatchesRawSource(r.Compiled.Source(compiler.KindOAuthClient)).
		Complete(r)
}

// oauthClient is what one reconciliation knows.
type oauthClient struct {
	before *v1alpha1.OAuthClient
	// object is a copy of before whose status the phases fill.
	object *v1alpha1.OAuthClient
	// compiled is nil where the client is not accepted.
	compiled *compiler.Client
	report   *status.Report
	// live is set by readCredential: the hash of the secret that the client has,
	// where it has one.
	live []credential.Hash
	// again is when to look at a Secret that is not watched.
	again time.Duration
}

// +kubebuilder:rbac:groups=mcpauth.dev,resources=oauthclients,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=mcpauth.dev,resources=oauthclients/status,verbs=patch
// +kubebuilder:rbac:groups=mcpauth.dev,resources=oauthclients/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch;delete

// Reconcile delivers the client's credentials first and tells the authorization
// server their hashes then, so that no client is active whose owner has not got
// its secret.
func (r *OAuthClientReconciler) Reconcile(ctx context.Context, req ctrl.Request) (_ ctrl.Result, err error) {
	s, err := r.read(ctx, req.NamespacedName)
	if s == nil || err != nil {
		return ctrl.Result{}, err
	}
	defer func() { err = errors.Join(err, r.write(ctx, s, err)) }()
	if s.compiled == nil {
		s.report.Add(notAccepted())
		return ctrl.Result{}, nil
	}
	err = run(ctx, s, r.addFinalizer, r.readCredential, r.writeMirror, r.dropStaleMirrors)
	return ctrl.Result{RequeueAfter: s.again}, err
}

// read returns nil where there is nothing to do, or not yet.
func (r *OAuthClientReconciler) read(ctx context.Context, name types.NamespacedName) (*oauthClient, error) {
	var before v1alpha1.OAuthClient
	err := r.Get(ctx, name, &before)
	switch {
	case apierrors.IsNotFound(err):
		return nil, r.dropMirrors(ctx, name, types.NamespacedName{})
	case err != nil:
		return nil, fmt.Errorf("read OAuthClient %s: %w", name, err)
	case !before.DeletionTimestamp.IsZero():
		return nil, r.finalize(ctx, &before)
	}
	result := current(r.Compiled, compiler.KindOAuthClient, &before)
	if result == nil {
		return nil, nil
	}
	report := status.NewReport(v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs, v1alpha1.ConditionProgrammed)
	report.Problems(problems(result, compiler.KindOAuthClient, &before))
	return &oauthClient{before: &before, object: before.DeepCopy(), compiled: result.Clients[name], report: report}, nil
}

// write ends a reconciliation whose phases ended with err.
func (r *OAuthClientReconciler) write(ctx context.Context, s *oauthClient, err error) error {
	if apierrors.IsConflict(err) {
		return nil // what was read is old; the next attempt will know more
	}
	if err != nil {
		s.report.Add(failed(err))
	}
	if s.compiled != nil {
		s.object.Status.ClientID = s.compiled.ID
	}
	s.object.Status.ObservedGeneration = s.object.Generation
	s.report.Write(&s.object.Status.Conditions, s.object.Generation, r.Now())
	return status.Patch(ctx, r.Client, s.before, s.object)
}

// addFinalizer comes before the first mirror is made. It runs before any phase
// fills the status, because the answer replaces the object.
func (r *OAuthClientReconciler) addFinalizer(ctx context.Context, s *oauthClient) error {
	if s.object.Spec.Secret == nil || !controllerutil.AddFinalizer(s.object, mirrorFinalizer) {
		return nil
	}
	patch := client.MergeFromWithOptions(s.before, client.MergeFromWithOptimisticLock{})
	if err := r.Patch(ctx, s.object, patch, oauthClientManager); err != nil {
		return fmt.Errorf("add the finalizer %s: %w", mirrorFinalizer, err)
	}
	s.before = s.object.DeepCopy()
	return nil
}

// finalize lets go of a deleted client once its mirrors are gone. It needs no
// AuthorizationServer, so it cannot wait for one that is gone too.
func (r *OAuthClientReconciler) finalize(ctx context.Context, object *v1alpha1.OAuthClient) error {
	before := object.DeepCopy()
	if !controllerutil.RemoveFinalizer(object, mirrorFinalizer) {
		return nil
	}
	if err := r.dropMirrors(ctx, client.ObjectKeyFromObject(object), types.NamespacedName{}); err != nil {
		return err
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Patch(ctx, object, patch, oauthClientManager); client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("remove the finalizer %s: %w", mirrorFinalizer, err)
	}
	return nil
}
