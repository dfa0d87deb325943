package controllers

import (
	"cmp"
	"context"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/controllers/reachability"
	"github.com/mcpauth/mcpauth/controllers/status"
	"github.com/mcpauth/mcpauth/injector"
)

// mcpServerManager is the field manager of an MCPServer's policy and NetworkPolicy.
const mcpServerManager client.FieldOwner = managers + "mcpserver"

// maxScopes bounds how many scopes status names.
const maxScopes = 256

// MCPServerReconciler protects MCP servers and says whether they are.
type MCPServerReconciler struct {
	client.Client
	Compiled Compiled
	Recorder events.EventRecorder
	// SidecarImage is the container image that pods run beside the app where neither
	// the server nor its AuthorizationServer names one.
	SidecarImage string
	// Ports tries whether the app's port is open to other pods.
	Ports *reachability.Prober
	Now   func() time.Time

	keys *publicKeys
}

func (r *MCPServerReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.MCPServer{}).
		Owns(&corev1.ConfigMap{}).
		Watches(&networkingv1.NetworkPolicy{}, handler.EnqueueRequestsFromMapFunc(r.underNetworkPolicy)).
		Watches(&appsv1.Deployment{}, handler.EnqueueRequestsFromMapFunc(toNamedServers(serversNamedBy))).
		Watches(&appsv1.StatefulSet{}, handler.EnqueueRequestsFromMapFunc(toNamedServers(serversNamedBy))).
		Watches(&appsv1.Deployment{}, handler.EnqueueRequestsFromMapFunc(r.besideBare), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&appsv1.StatefulSet{}, handler.EnqueueRequestsFromMapFunc(r.besideBare), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(toNamedServers(serverOfPod))).
		Watches(&corev1.Service{}, handler.EnqueueRequestsFromMapFunc(r.inNamespaceOf)).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.signedByKeys), builder.OnlyMetadata).
		Watches(&v1alpha1.AuthorizationServer{}, handler.EnqueueRequestsFromMapFunc(r.attachedTo), builder.WithPredicates(concernsServers())).
		WatchesRawSource(r.Compiled.Source(compiler.KindMCPServer)).
		WatchesRawSource(portAnswers(r.Ports)).
		Complete(r)
}

// mcpServer is what one reconciliation knows.
type mcpServer struct {
	before *v1alpha1.MCPServer
	// object is a copy of before whose status the phases fill.
	object *v1alpha1.MCPServer
	// compiled is nil where the server is not accepted.
	compiled *compiler.Server
	// authz is the server's AuthorizationServer; nil where there is none.
	authz *v1alpha1.AuthorizationServer
	// config is nil where no pod can be injected: the server runs elsewhere, or its
	// ports are in each other's way.
	config *injector.Config
	// workloads are those that ask for the server or carry its label.
	workloads []workload
	// pods are those that carry its label and have not ended; idle says that there
	// are others, which have.
	pods []assessedPod
	idle bool
	// policies are the NetworkPolicies of others that are about its pods, made or to
	// be made; closed says that instead of them the operator's own is.
	policies []*networkingv1.NetworkPolicy
	closed   bool
	report   *status.Report
}

// +kubebuilder:rbac:groups=mcpauth.dev,resources=mcpservers;authorizationservers,verbs=get;list;watch
// +kubebuilder:rbac:groups=mcpauth.dev,resources=mcpservers/status,verbs=patch
// +kubebuilder:rbac:groups=mcpauth.dev,resources=mcpservers/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=pods;services,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete

// Reconcile writes the server's policy, has the pods of its workload injected,
// and says whether they are protected.
func (r *MCPServerReconciler) Reconcile(ctx context.Context, req ctrl.Request) (_ ctrl.Result, err error) {
	s, err := r.read(ctx, req.NamespacedName)
	if s == nil || err != nil {
		return ctrl.Result{}, err
	}
	defer func() { err = errors.Join(err, r.write(ctx, s, err)) }()
	done := run(ctx, s,
		r.describe,
		r.writePolicy,
		r.closePort,
		r.labelWorkloads,
	)
	// Whatever could not be done, what there is has to be looked at.
	return ctrl.Result{}, errors.Join(done, run(ctx, s,
		r.assessProtection,
		r.awaitAuthorizationServer,
	))
}

// read returns nil where there is nothing to do, or not yet.
func (r *MCPServerReconciler) read(ctx context.Context, name types.NamespacedName) (*mcpServer, error) {
	workloads, err := r.readWorkloads(ctx, name)
	if err != nil {
		return nil, err
	}
	var before v1alpha1.MCPServer
	if found, err := get(ctx, r.Client, name, &before); err != nil {
		return nil, err
	} else if !found {
		r.Ports.Ask(name, nil)
		return nil, r.releaseUnasked(ctx, workloads)
	}
	result := current(r.Compiled, compiler.KindMCPServer, &before)
	if result == nil {
		return nil, nil
	}
	report := status.NewReport(v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs,
		v1alpha1.ConditionProgrammed, v1alpha1.ConditionProtected)
	report.Problems(problems(result, compiler.KindMCPServer, &before))
	s := &mcpServer{
		before: &before, object: before.DeepCopy(),
		compiled:  result.Servers[name],
		workloads: workloads,
		report:    report,
	}
	return s, errors.Join(r.readAuthorizationServer(ctx, s), r.readPods(ctx, s), r.readPolicies(ctx, s))
}

// readAuthorizationServer finds it, and with it how the server's pods are injected.
func (r *MCPServerReconciler) readAuthorizationServer(ctx context.Context, s *mcpServer) error {
	ref := s.object.Spec.AuthorizationServerRef
	var server v1alpha1.AuthorizationServer
	found, err := get(ctx, r.Client, types.NamespacedName{Namespace: cmp.Or(ref.Namespace, s.object.Namespace), Name: ref.Name}, &server)
	if err != nil {
		return err
	}
	var defaults *v1alpha1.Sidecar
	if found {
		s.authz, defaults = &server, server.Spec.Sidecars
	}
	if s.object.Spec.Workload == nil {
		return nil
	}
	config, err := injector.ConfigFor(s.object, defaults, r.SidecarImage)
	var refusal *injector.Refusal
	switch {
	case errors.As(err, &refusal):
		s.report.Add(status.False(v1alpha1.ConditionProtected, v1alpha1.ReasonInvalid, "%s", refusal.Message))
	case err != nil:
		return err
	default:
		s.config = &config
	}
	return nil
}

// write ends a reconciliation whose phases ended with err.
func (r *MCPServerReconciler) write(ctx context.Context, s *mcpServer, err error) error {
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

// describe says in status what the server compiled to.
func (r *MCPServerReconciler) describe(_ context.Context, s *mcpServer) error {
	st := &s.object.Status
	st.ResourceID, st.Issuer, st.MetadataURL, st.Scopes, st.Clients = "", "", "", nil, 0
	if s.compiled == nil {
		return nil
	}
	st.ResourceID = string(s.compiled.ResourceID)
	st.Issuer = s.compiled.Issuer
	st.MetadataURL = s.compiled.MetadataURL
	st.Clients = int32(s.compiled.Clients)
	for _, scope := range s.compiled.Policy.Scopes {
		if len(st.Scopes) == maxScopes {
			break
		}
		st.Scopes = append(st.Scopes, scope.Name)
	}
	return nil
}

// awaitAuthorizationServer holds Ready back while nobody can get a token.
func (r *MCPServerReconciler) awaitAuthorizationServer(_ context.Context, s *mcpServer) error {
	if s.compiled != nil && (s.authz == nil || !available(s.authz)) {
		s.report.Add(status.False(v1alpha1.ConditionReady, v1alpha1.ReasonNotReady,
			"AuthorizationServer %s is not available, so that nobody can get a token; its own status says why", s.compiled.AuthorizationServer))
	}
	return nil
}
