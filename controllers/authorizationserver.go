package controllers

import (
	"context"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/controllers/status"
)

// authorizationServerManager is the field manager of an AuthorizationServer's children.
const authorizationServerManager client.FieldOwner = managers + "authorizationserver"

// AuthorizationServerReconciler runs authorization servers.
type AuthorizationServerReconciler struct {
	client.Client
	Compiled Compiled
	Recorder events.EventRecorder
	// Image is the authorization server's container image.
	Image string
	Now   func() time.Time
}

func (r *AuthorizationServerReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.AuthorizationServer{}).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.Service{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&corev1.PersistentVolumeClaim{}).
		Owns(&rbacv1.Role{}).
		Owns(&rbacv1.RoleBinding{}).
		Owns(&corev1.Secret{}, builder.OnlyMetadata).
		Watches(&rbacv1.ClusterRoleBinding{}, handler.EnqueueRequestsFromMapFunc(toOwner)).
		WatchesRawSource(r.Compiled.Source(compiler.KindAuthorizationServer)).
		Complete(r)
}

// authorizationServer is what one reconciliation knows.
type authorizationServer struct {
	before *v1alpha1.AuthorizationServer
	// object is a copy of before whose status the phases fill.
	object *v1alpha1.AuthorizationServer
	report *status.Report
	// served says that the object is accepted, at least without a part of it that is
	// wrong.
	served bool
	// again is when to look at a Secret that is not watched.
	again time.Duration
}

// +kubebuilder:rbac:groups=mcpauth.dev,resources=authorizationservers,verbs=get;list;watch
// +kubebuilder:rbac:groups=mcpauth.dev,resources=authorizationservers/status,verbs=patch
// +kubebuilder:rbac:groups=mcpauth.dev,resources=authorizationservers/finalizers,verbs=update
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=services;serviceaccounts,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch;create
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;rolebindings,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=clusterrolebindings,verbs=get;list;watch;create;patch;delete

// Reconcile runs the server that the object wishes for. Where the wish is not
// accepted, what runs is left as it is.
func (r *AuthorizationServerReconciler) Reconcile(ctx context.Context, req ctrl.Request) (_ ctrl.Result, err error) {
	s, err := r.read(ctx, req.NamespacedName)
	if s == nil || err != nil {
		return ctrl.Result{}, err
	}
	defer func() { err = errors.Join(err, r.write(ctx, s, err)) }()
	if !s.served {
		s.report.Add(notAccepted())
		err = run(ctx, s, r.checkDatabase, r.assessAvailability)
		return ctrl.Result{RequeueAfter: s.again}, err
	}
	err = run(ctx, s,
		r.checkDatabase,
		r.ensureKeys,
		r.ensureAccess,
		r.ensureVolume,
		r.ensureDeployment,
		r.ensureService,
		r.assessAvailability,
	)
	return ctrl.Result{RequeueAfter: s.again}, err
}

// read returns nil where there is nothing to do, or not yet.
func (r *AuthorizationServerReconciler) read(ctx context.Context, name types.NamespacedName) (*authorizationServer, error) {
	var before v1alpha1.AuthorizationServer
	if found, err := get(ctx, r.Client, name, &before); err != nil {
		return nil, err
	} else if !found {
		return nil, r.removeAccess(ctx, name)
	}
	result := current(r.Compiled, compiler.KindAuthorizationServer, &before)
	if result == nil {
		return nil, nil
	}
	report := status.NewReport(v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs, v1alpha1.ConditionProgrammed, v1alpha1.ConditionAvailable)
	report.Problems(problems(result, compiler.KindAuthorizationServer, &before))
	return &authorizationServer{
		before: &before, object: before.DeepCopy(), report: report, served: result.Catalogs[name] != nil,
	}, nil
}

// write ends a reconciliation whose phases ended with err.
func (r *AuthorizationServerReconciler) write(ctx context.Context, s *authorizationServer, err error) error {
	if apierrors.IsConflict(err) {
		return nil // what was read is old; the next attempt will know more
	}
	if err != nil {
		s.report.Add(failed(err))
	}
	s.object.Status.ObservedGeneration = s.object.Generation
	s.report.Write(&s.object.Status.Conditions, s.object.Generation, r.Now())
	return status.Patch(ctx, r.Client, s.before, s.object)
}

// notAccepted is the finding that nothing is written for an object that is not
// accepted.
func notAccepted() status.Finding {
	return status.False(v1alpha1.ConditionProgrammed, v1alpha1.ReasonPending,
		"waits until the object is accepted and its references are resolved; what is there already is left as it is")
}

// failed is the finding that a phase could not be taken.
func failed(err error) status.Finding {
	return status.False(v1alpha1.ConditionProgrammed, v1alpha1.ReasonPending, "the last attempt failed and is repeated: %s", err)
}
