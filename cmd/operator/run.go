package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler/kube"
	"github.com/mcpauth/mcpauth/controllers"
	"github.com/mcpauth/mcpauth/injector"
)

const leaseName = "mcpauth-operator"

// run wires the operator and runs it until ctx ends. Reconcilers and webhook begin
// when the webhook's certificate is there: a pod template that is labelled before
// could start no pod.
func (o options) run(ctx context.Context, logger *slog.Logger) error {
	ctrl.SetLogger(logr.FromSlogHandler(logger.Handler()))
	restConfig, err := config.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	certDir := o.webhookCertDir
	if certDir == "" {
		if certDir, err = os.MkdirTemp("", "mcpauth-webhook-"); err != nil {
			return fmt.Errorf("make a folder for the webhook's certificate: %w", err)
		}
		defer func() { _ = os.RemoveAll(certDir) }()
	}
	mgr, err := o.newManager(restConfig, certDir)
	if err != nil {
		return err
	}
	compiled := kube.New(mgr.GetCache(), mgr.GetLogger())
	if err := mgr.Add(compiled); err != nil {
		return err
	}
	certified, err := o.addCertificate(mgr, certDir)
	if err != nil {
		return err
	}
	started := &start{options: o, manager: mgr, compiled: compiled, certified: certified}
	err = errors.Join(
		mgr.Add(started),
		mgr.AddHealthzCheck("process", healthz.Ping),
		mgr.AddReadyzCheck("webhook", started.ready),
	)
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// addCertificate returns a channel that is closed once the folder holds a certificate
// that the API server trusts.
func (o options) addCertificate(mgr ctrl.Manager, dir string) (<-chan struct{}, error) {
	if o.webhookCertDir != "" {
		return addMounted(mgr, dir)
	}
	return addOwn(mgr, o.namespace, dir)
}

func (o options) newManager(restConfig *rest.Config, certDir string) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	cacheOptions, err := controllers.CacheOptions()
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cacheOptions,
		Client:                        controllers.ClientOptions(),
		Metrics:                       metricsserver.Options{BindAddress: o.metricsListen},
		HealthProbeBindAddress:        o.healthListen,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       o.namespace,
		LeaderElectionReleaseOnCancel: true,
		WebhookServer:                 webhook.NewServer(webhook.Options{Port: o.webhookPort, CertDir: certDir}),
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the manager: %w", err)
	}
	return mgr, nil
}

// start is the part of the operator that waits for the webhook's certificate.
type start struct {
	options   options
	manager   ctrl.Manager
	compiled  *kube.Compiler
	certified <-chan struct{}

	serving atomic.Bool
}

// NeedLeaderElection says that every replica serves the webhook; the reconcilers
// that are set up here wait for the lease themselves.
func (s *start) NeedLeaderElection() bool { return false }

// Start sets reconcilers and webhook up.
func (s *start) Start(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.certified:
	}
	err := controllers.Setup(ctx, s.manager, controllers.Options{
		Compiled:        s.compiled,
		AuthServerImage: s.options.authServerImage,
		SidecarImage:    s.options.sidecarImage,
	})
	if err != nil {
		return fmt.Errorf("set up the reconcilers: %w", err)
	}
	s.manager.GetWebhookServer().Register(injector.Path, &webhook.Admission{Handler: &injector.Handler{
		Servers: &injector.Cluster{Reader: s.manager.GetClient(), Image: s.options.sidecarImage},
		Decoder: admission.NewDecoder(s.manager.GetScheme()),
	}})
	s.serving.Store(true)
	<-ctx.Done()
	return nil
}

// ready says whether the webhook answers.
func (s *start) ready(request *http.Request) error {
	if !s.serving.Load() {
		return errors.New("the webhook's certificate is not there yet")
	}
	return s.manager.GetWebhookServer().StartedChecker()(request)
}
