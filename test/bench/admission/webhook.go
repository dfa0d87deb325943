//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers"
	"github.com/mcpauth/mcpauth/injector"
	"github.com/mcpauth/mcpauth/test/bench/internal/child"
)

const sidecarImage = "mcpauth/sidecar:bench"

// order says where the webhook serves.
type order struct {
	Kubeconfig, Host, CertDir string
	Port                      int
}

// serveWebhook is the webhook as cmd/operator wires it, with the operator's cache and
// without its reconcilers, which would only make load. To an order it answers how many
// MCPServers it knows, once it serves.
func serveWebhook(in io.Reader, out io.Writer) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ctrl.SetLogger(logr.Discard())
	ended := make(chan error, 1)
	for requests := child.Lines(in); requests.Scan(); {
		var o order
		if err := json.Unmarshal(requests.Bytes(), &o); err != nil {
			return err
		}
		known, err := o.start(ctx, ended)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, known); err != nil {
			return err
		}
	}
	stop()
	return <-ended
}

func (o order) start(ctx context.Context, ended chan<- error) (known int, err error) {
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return 0, err
	}
	scheme, err := newScheme()
	if err != nil {
		return 0, err
	}
	cacheOptions, err := controllers.CacheOptions()
	if err != nil {
		return 0, err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Cache: cacheOptions, Client: controllers.ClientOptions(),
		Metrics:       metricsserver.Options{BindAddress: "0"},
		WebhookServer: webhook.NewServer(webhook.Options{Host: o.Host, Port: o.Port, CertDir: o.CertDir}),
	})
	if err != nil {
		return 0, err
	}
	mgr.GetWebhookServer().Register(injector.Path, &webhook.Admission{Handler: &injector.Handler{
		Servers: &injector.Cluster{Reader: mgr.GetClient(), Image: sidecarImage},
		Decoder: admission.NewDecoder(scheme),
	}})
	go func() { ended <- mgr.Start(ctx) }()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		return 0, errors.New("the webhook's cache did not fill")
	}
	var servers v1alpha1.MCPServerList
	var issuers v1alpha1.AuthorizationServerList
	if err := errors.Join(mgr.GetClient().List(ctx, &servers), mgr.GetClient().List(ctx, &issuers)); err != nil {
		return 0, err
	}
	return len(servers.Items), await("the webhook to serve", func() error { return mgr.GetWebhookServer().StartedChecker()(nil) })
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	return scheme, errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme))
}
