package controllers

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	controllerconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler/kube"
	"github.com/mcpauth/mcpauth/controllers/reachability"
	"github.com/mcpauth/mcpauth/injector"
)

const (
	authServerImage = "registry.example.com/authserver:test"
	sidecarImage    = "registry.example.com/sidecar:test"

	// patience is how long the operator may take for anything here, and polling how
	// often a test looks.
	patience = 15 * time.Second
	polling  = 25 * time.Millisecond
	// quiet is how long a test watches that something does not happen.
	quiet = 500 * time.Millisecond
)

// The cluster that all specs share, each in namespaces of its own. k8s is the
// user's client: it reads the API server and its writes are not counted.
var (
	k8s      client.Client
	operator *underTest
	written  *writes
	hook     *envtest.WebhookInstallOptions
	pods     = &network{doors: make(map[netip.AddrPort]door), tried: make(map[netip.AddrPort]int)}
)

// underTest is the running operator, for specs that call a reconciler directly.
type underTest struct {
	manager  ctrl.Manager
	compiled *kube.Compiler
}

// mcpServers is the reconciler of an operator that has just begun.
func (o *underTest) mcpServers() *MCPServerReconciler {
	c := o.manager.GetClient()
	return &MCPServerReconciler{
		Client: c, Compiled: o.compiled, SidecarImage: sidecarImage, Now: time.Now,
		Ports: reachability.NewProber(pods.connect), keys: newPublicKeys(c, o.manager.GetCache()),
	}
}

func TestControllers(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Controllers and webhook")
}

var _ = BeforeSuite(func(ctx context.Context) {
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(polling)
	SetDefaultConsistentlyDuration(quiet)
	SetDefaultConsistentlyPollingInterval(polling)
	EnforceDefaultTimeoutsWhenUsingContexts()
	logf.SetLogger(GinkgoLogr)

	scheme := runtime.NewScheme()
	Expect(errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme))).To(Succeed())
	cluster := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "config", "crd")},
		ErrorIfCRDPathMissing: true,
		BinaryAssetsDirectory: binaries(),
		WebhookInstallOptions: envtest.WebhookInstallOptions{Paths: []string{filepath.Join("..", "config", "webhook", "injector.yaml")}},
	}
	// As some distributions do: whoever makes an owner wait for its children must be
	// allowed to change the owner's finalizers.
	cluster.ControlPlane.GetAPIServer().Configure().Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement")
	config, err := cluster.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(cluster.Stop)
	k8s, err = client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())

	// The operator outlives this node, so it does not hang on its context.
	running, stop := context.WithCancel(context.Background())
	written = &writes{}
	hook = &cluster.WebhookInstallOptions
	operator = start(running, written.observe(asOperator(ctx, config)), scheme, hook)
	DeferCleanup(stop)
	Eventually(ctx, func() error { return operator.manager.GetWebhookServer().StartedChecker()(nil) }).
		Should(Succeed(), "the webhook must answer")
}, NodeTimeout(2*time.Minute))

// binaries is the folder of kube-apiserver, etcd and kubectl: the one that the
// environment names, else the newest that hack/cluster has built.
func binaries() string {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir
	}
	cache, err := os.UserCacheDir()
	Expect(err).NotTo(HaveOccurred())
	built, err := filepath.Glob(filepath.Join(cache, "mcpauth", "binaries", "sets", "*", "kube-apiserver"))
	Expect(err).NotTo(HaveOccurred())
	Expect(built).NotTo(BeEmpty(), "there is no kube-apiserver to test with; run: make test-controllers")
	newest := built[0]
	for _, candidate := range built[1:] {
		if modified(candidate).After(modified(newest)) {
			newest = candidate
		}
	}
	return filepath.Dir(newest)
}

func modified(file string) time.Time {
	info, err := os.Stat(file)
	Expect(err).NotTo(HaveOccurred())
	return info.ModTime()
}

// start runs compiler, reconcilers and webhook as cmd/operator wires them.
func start(ctx context.Context, config *rest.Config, scheme *runtime.Scheme, hook *envtest.WebhookInstallOptions) *underTest {
	cacheOptions, err := CacheOptions()
	Expect(err).NotTo(HaveOccurred())
	unvalidated := true // a second operator has controllers of the same names
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:     scheme,
		Cache:      cacheOptions,
		Client:     ClientOptions(),
		Controller: controllerconfig.Controller{SkipNameValidation: &unvalidated},
		Metrics:    metricsserver.Options{BindAddress: "0"},
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: hook.LocalServingHost, Port: hook.LocalServingPort, CertDir: hook.LocalServingCertDir,
		}),
	})
	Expect(err).NotTo(HaveOccurred())
	compiled := kube.New(mgr.GetCache(), mgr.GetLogger())
	Expect(mgr.Add(compiled)).To(Succeed())
	Expect(Setup(ctx, mgr, Options{Compiled: compiled, AuthServerImage: authServerImage, SidecarImage: sidecarImage, Connect: pods.connect})).To(Succeed())
	mgr.GetWebhookServer().Register(injector.Path, &webhook.Admission{Handler: &injector.Handler{
		Servers: &injector.Cluster{Reader: mgr.GetClient(), Image: sidecarImage},
		Decoder: admission.NewDecoder(scheme),
	}})
	go func() {
		defer GinkgoRecover()
		Expect(mgr.Start(ctx)).To(Succeed())
	}()
	return &underTest{manager: mgr, compiled: compiled}
}
