//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/test/bench/internal/child"
)

const namespace = "bench"

// cluster is an API server with MCPServers, and the webhook that it asks.
type cluster struct {
	environment *envtest.Environment
	clients     *kubernetes.Clientset
	webhook     *child.Child
	config      *rest.Config
}

func startCluster(ctx context.Context, repository string) (*cluster, error) {
	ctrllog.SetLogger(logr.Discard())
	programs, err := kubernetesPrograms(ctx, repository)
	if err != nil {
		return nil, err
	}
	c := &cluster{environment: &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(repository, "config", "crd")},
		ErrorIfCRDPathMissing: true,
		BinaryAssetsDirectory: programs,
		WebhookInstallOptions: envtest.WebhookInstallOptions{Paths: []string{filepath.Join(repository, "config", "webhook", "injector.yaml")}},
	}}
	if c.config, err = c.environment.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start an API server: %w", err), c.environment.Stop())
	}
	c.config.QPS = -1 // The load is ours to bound.
	if c.clients, err = kubernetes.NewForConfig(c.config); err != nil {
		return nil, errors.Join(err, c.environment.Stop())
	}
	return c, nil
}

// kubernetesPrograms is the folder of kube-apiserver and etcd.
func kubernetesPrograms(ctx context.Context, repository string) (string, error) {
	if folder := os.Getenv("KUBEBUILDER_ASSETS"); folder != "" {
		return folder, nil
	}
	cmd := exec.CommandContext(ctx, "go", "run", "./hack/cluster", "binaries", "--only", "envtest")
	cmd.Dir, cmd.Stderr = repository, os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build an API server: %w", err)
	}
	return string(bytes.TrimSpace(output)), nil
}

// install creates the MCPServers, all of one AuthorizationServer, and the policies that
// belong to the webhook.
func (c *cluster) install(ctx context.Context, repository string, servers int) error {
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	writer, err := client.New(c.config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	in := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	issuer := &v1alpha1.AuthorizationServer{ObjectMeta: in("main"), Spec: v1alpha1.AuthorizationServerSpec{
		Issuer: "https://auth.example.com", Storage: v1alpha1.Storage{Type: v1alpha1.StorageSQLite},
	}}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, &corev1.ServiceAccount{ObjectMeta: in("default")}, issuer,
	} {
		if err := writer.Create(ctx, object); err != nil {
			return err
		}
	}
	if err := installPolicies(ctx, writer, repository); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i := range servers {
		group.Go(func() error {
			name := serverName(i)
			return writer.Create(ctx, &v1alpha1.MCPServer{ObjectMeta: in(name), Spec: v1alpha1.MCPServerSpec{
				AuthorizationServerRef: v1alpha1.AuthorizationServerReference{Name: "main"},
				URL:                    "https://" + name + ".example.com/mcp", Workload: &v1alpha1.Workload{Port: 8080},
			}})
		})
	}
	return group.Wait()
}

func serverName(i int) string { return "server-" + strconv.Itoa(i) }

func installPolicies(ctx context.Context, writer client.Client, repository string) error {
	text, err := os.ReadFile(filepath.Join(repository, "config", "webhook", "counterfeit.yaml"))
	if err != nil {
		return err
	}
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var object map[string]any
		if err := yaml.Unmarshal(document, &object); err != nil {
			return err
		}
		if err := writer.Create(ctx, unstructuredOf(object)); err != nil {
			return err
		}
	}
	return nil
}

// startWebhook starts the webhook and waits until the API server gets pods injected.
func (c *cluster) startWebhook(ctx context.Context, folder string) (known int, err error) {
	kubeconfig := filepath.Join(folder, "kubeconfig")
	if err := os.WriteFile(kubeconfig, c.environment.KubeConfig, 0o600); err != nil {
		return 0, err
	}
	if c.webhook, err = child.Start(ctx, roleWebhook); err != nil {
		return 0, err
	}
	hook := c.environment.WebhookInstallOptions
	request, err := json.Marshal(order{Kubeconfig: kubeconfig, Host: hook.LocalServingHost, Port: hook.LocalServingPort, CertDir: hook.LocalServingCertDir})
	if err != nil {
		return 0, err
	}
	answer, err := c.webhook.Ask(string(request))
	if err != nil {
		return 0, err
	}
	if known, err = strconv.Atoi(answer); err != nil {
		return 0, err
	}
	return known, await("pods to be injected", func() error { _, err := c.create(ctx, injectedPod(0), true); return err })
}

func (c *cluster) stop() error {
	var err error
	if c.webhook != nil {
		err = c.webhook.Stop()
	}
	return errors.Join(err, c.environment.Stop())
}

// patience bounds every wait.
const patience = time.Minute

func await(what string, try func() error) error {
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
