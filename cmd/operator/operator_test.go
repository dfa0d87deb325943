package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const patience = 60 * time.Second

// TestOperatorServesItsWebhookWithACertificateThatTheAPIServerTrusts runs the
// whole command against a real API server: it takes the lease, makes a
// certificate, announces it, and only then is ready and serves.
func TestOperatorServesItsWebhookWithACertificateThatTheAPIServerTrusts(t *testing.T) {
	cluster := startCluster(t)
	health, hook := freeAddress(t), freeAddress(t)
	_, hookPort, _ := net.SplitHostPort(hook)
	output := launch(t, "--health-listen="+health, "--webhook-port="+hookPort, "--metrics-listen=0")

	eventually(t, "the operator to be ready", output, func() error { return answers("http://" + health + "/readyz") })

	var config admissionv1.MutatingWebhookConfiguration
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: webhookConfiguration}, &config); err != nil {
		t.Fatal(err)
	}
	for _, announced := range config.Webhooks {
		service := announced.ClientConfig.Service
		name := fmt.Sprintf("%s.%s.svc", service.Name, service.Namespace)
		if err := trusts(hook, name, announced.ClientConfig.CABundle); err != nil {
			t.Errorf("webhook %s: the API server could not call %s: %v", announced.Name, name, err)
		}
	}
	if strings.Contains(output.String(), "PRIVATE KEY") {
		t.Error("the log holds a private key")
	}
}

func TestOperatorExplainsItsFlags(t *testing.T) {
	var help bytes.Buffer
	cmd := command()
	cmd.SetOut(&help)
	cmd.SetArgs([]string{"--help"})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--namespace", "--authserver-image", "--sidecar-image", "--metrics-listen", "--health-listen", "--webhook-port", "--webhook-cert-dir", "--leader-elect", "--log-level"} {
		if !strings.Contains(help.String(), flag) {
			t.Errorf("the help does not name %s:\n%s", flag, help.String())
		}
	}
}

func TestOperatorRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, args := range [][]string{{"--log-level=loud"}, {"--no-such-flag"}, {"argument"}} {
		cmd := command()
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(args)
		if err := cmd.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

// startCluster starts an API server with what config/ installs and points
// KUBECONFIG at it.
func startCluster(t *testing.T) client.Client {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("KUBEBUILDER_ASSETS names no kube-apiserver; go run ./hack/cluster binaries --only envtest builds one and prints its folder")
	}
	cluster := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd")}, ErrorIfCRDPathMissing: true}
	config, err := cluster.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, cluster.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", kubeconfig)

	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	installation := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "mcpauth-system"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: certificateSecret, Namespace: "mcpauth-system"}},
	}
	for _, object := range installation {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	// Unlike in the tests of controllers it is installed as it is, with a Service.
	hooks := &envtest.WebhookInstallOptions{Paths: []string{filepath.Join("..", "..", "config", "webhook", "injector.yaml")}}
	if err := hooks.PrepWithoutInstalling(); err != nil {
		t.Fatal(err)
	}
	for _, hook := range hooks.MutatingWebhooks {
		for i := range hook.Webhooks {
			path, port := "/mutate-v1-pod", int32(443)
			hook.Webhooks[i].ClientConfig = admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{
				Name: webhookService, Namespace: "mcpauth-system", Path: &path, Port: &port,
			}}
		}
		if err := c.Create(t.Context(), hook); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// runEnvironment has the test binary be the operator, which is one process a cluster.
const runEnvironment = "MCPAUTH_TEST_RUN_OPERATOR"

func TestMain(m *testing.M) {
	if os.Getenv(runEnvironment) != "" {
		main()
	}
	ctrl.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// launch runs the operator until the test ends, and fails the test if it does not
// stop then, or stops before.
func launch(t *testing.T, args ...string) *log {
	t.Helper()
	output := &log{}
	operator := exec.Command(os.Args[0], args...)
	operator.Env = append(os.Environ(), runEnvironment+"=1")
	operator.Stdout, operator.Stderr = output, output
	if err := operator.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- operator.Wait() }()
	t.Cleanup(func() {
		if err := operator.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("stop the operator: %v", err)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the operator ended with: %v\n%s", err, output)
			}
		case <-time.After(patience):
			t.Errorf("the operator was told to stop and did not within %s\n%s", patience, output)
			if err := operator.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	})
	return output
}

// log is written by the operator while the test reads it.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func answers(url string) error {
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// trusts calls as the API server does: by the Service's name, trusting the
// announced authority alone.
func trusts(address, name string, authority []byte) error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return fmt.Errorf("the announced authority is no certificate: %q", authority)
	}
	connection, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: name})
	if err != nil {
		return err
	}
	return connection.Close()
}

func eventually(t *testing.T, what string, output fmt.Stringer, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s: %v\n%s", patience, what, err, output)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
