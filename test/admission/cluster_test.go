package admission

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/injector"
)

const (
	sidecarImage = "registry.example.com/sidecar:test"
	namespace    = "apps"
	patience     = 30 * time.Second
)

// shared is the cluster of all tests, which the first one starts.
var shared struct {
	sync.Mutex
	*cluster
}

type cluster struct {
	client.Client
	environment *envtest.Environment
	stop        context.CancelFunc
}

// as is the cluster as somebody else meets it, with the rights of an administrator.
func (c *cluster) as(t *testing.T, user string) client.Client {
	t.Helper()
	config := rest.CopyConfig(c.environment.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	other, err := client.New(config, client.Options{Scheme: c.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	code := m.Run()
	if shared.cluster != nil {
		shared.stop()
		if err := shared.environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// start returns the cluster, and skips the test where there is no API server to start.
func start(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("KUBEBUILDER_ASSETS names no kube-apiserver; go run ./hack/cluster binaries --only envtest builds one and prints its folder")
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		c, err := newCluster()
		if err != nil {
			t.Fatal(err)
		}
		shared.cluster = c
	}
	return shared.cluster
}

func newCluster() (_ *cluster, err error) {
	c := &cluster{environment: &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "config", "crd")},
		ErrorIfCRDPathMissing: true,
		WebhookInstallOptions: envtest.WebhookInstallOptions{Paths: []string{filepath.Join("..", "..", "config", "webhook", "injector.yaml")}},
	}}
	config, err := c.environment.Start()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	defer func() {
		if err != nil {
			stop()
			err = errors.Join(err, c.environment.Stop())
		}
	}()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	if c.Client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	if err := errors.Join(c.serveWebhook(ctx), c.install(ctx)); err != nil {
		return nil, err
	}
	return c, nil
}

// serveWebhook runs the operator's webhook until ctx ends.
func (c *cluster) serveWebhook(ctx context.Context) error {
	hook := c.environment.WebhookInstallOptions
	mgr, err := ctrl.NewManager(c.environment.Config, ctrl.Options{
		Scheme:  c.Scheme(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: hook.LocalServingHost, Port: hook.LocalServingPort, CertDir: hook.LocalServingCertDir,
		}),
	})
	if err != nil {
		return err
	}
	mgr.GetWebhookServer().Register(injector.Path, &webhook.Admission{Handler: &injector.Handler{
		Servers: &injector.Cluster{Reader: mgr.GetClient(), Image: sidecarImage},
		Decoder: admission.NewDecoder(c.Scheme()),
	}})
	go func() {
		if err := mgr.Start(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "the webhook ended:", err)
		}
	}()
	return wait("the webhook to answer", func() error { return mgr.GetWebhookServer().StartedChecker()(nil) })
}

// install puts the policies of config/webhook and one MCPServer into the cluster.
// installPolicies installs a file of so many policies, each with its binding.
func (c *cluster) installPolicies(ctx context.Context, name string, count int) error {
	file, err := os.Open(filepath.Join("..", "..", "config", "webhook", name))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	decoder := yaml.NewYAMLOrJSONDecoder(file, 4096)
	for range count {
		for _, object := range []client.Object{&admissionv1.ValidatingAdmissionPolicy{}, &admissionv1.ValidatingAdmissionPolicyBinding{}} {
			if err := errors.Join(decoder.Decode(object), c.Create(ctx, object)); err != nil {
				return fmt.Errorf("install %T of %s: %w", object, file.Name(), err)
			}
		}
	}
	return nil
}

func (c *cluster) install(ctx context.Context) error {
	if err := errors.Join(c.installPolicies(ctx, "counterfeit.yaml", 2), c.installPolicies(ctx, "policies.yaml", 1)); err != nil {
		return err
	}
	server := &v1alpha1.MCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "todo"}, Spec: v1alpha1.MCPServerSpec{
		AuthorizationServerRef: v1alpha1.AuthorizationServerReference{Name: "main"},
		URL:                    "https://todo.example.com/mcp",
		Workload:               &v1alpha1.Workload{Port: 8080},
	}}
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}
	if err := errors.Join(c.Create(ctx, home), c.Create(ctx, account), c.Create(ctx, server)); err != nil {
		return err
	}
	// Policies and the webhook's cache take a moment to take hold.
	return wait("policies and webhook to decide", func() error {
		if err := c.Create(ctx, pod("probe", withClaim), client.DryRunAll); !apierrors.IsForbidden(err) {
			return fmt.Errorf("a pod with the reserved volume was answered with: %w", err)
		}
		return c.Create(ctx, pod("probe", labelled), client.DryRunAll)
	})
}

func wait(what string, try func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s for %s: %w", patience, what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// pod is one that could be protected, changed by the edits. Nobody asks for that yet.
func pod(name string, edits ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: "todo:1", Ports: []corev1.ContainerPort{{Name: "mcp", ContainerPort: 8080}},
		}}},
	}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func labelled(p *corev1.Pod) { p.Labels = map[string]string{v1alpha1.ServerLabel: "todo"} }

func annotated(p *corev1.Pod) { p.Annotations = map[string]string{v1alpha1.ServerAnnotation: "todo"} }

func withClaim(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{{Name: injector.VolumeName}} }

// stored creates the pod and removes it after the test.
func (c *cluster) stored(t *testing.T, p *corev1.Pod) *corev1.Pod {
	t.Helper()
	if err := c.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Delete(context.Background(), p, client.GracePeriodSeconds(0)); err != nil {
			t.Error(err)
		}
	})
	return p
}

// refused fails the test unless an answer is a refusal by whom, with all the words.
func refused(t *testing.T, err error, words ...string) {
	t.Helper()
	if !apierrors.IsForbidden(err) {
		t.Fatalf("the API server answered %v, want a refusal that says %q", err, words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the refusal %q does not say %q", err, word)
		}
	}
}
