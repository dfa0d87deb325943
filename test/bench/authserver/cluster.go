//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"golang.org/x/crypto/bcrypt"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/controllers/manifests"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/test/bench/internal/child"
	"github.com/mcpauth/mcpauth/test/bench/internal/machine"
)

// What the cluster holds.
const (
	namespace    = "bench"
	serverName   = "main"
	providerName = "people"
	userName     = "alice"
	userEmail    = "alice@example.com"
	mcpServer    = "todo"
	resourceID   = oauth.ResourceID(namespace + "-" + mcpServer)
	agentID      = "agent" // acts for itself
	appID        = "app"   // public, acts for users
	appRedirect  = "http://127.0.0.1:8765/callback"
)

// cluster is an API server with what the authorization server reads from one.
type cluster struct {
	environment *envtest.Environment
	client      client.Client
	guardian    *child.Guardian
	// processes are the API server's and etcd's.
	processes []int
	// server is the AuthorizationServer as it was created.
	server *v1alpha1.AuthorizationServer
	// kubeconfig is a file.
	kubeconfig string
}

// startCluster builds the API server where there is none, and starts it.
func startCluster(ctx context.Context, repository, folder string, g *child.Guardian) (_ *cluster, err error) {
	ctrllog.SetLogger(logr.Discard())
	programs, err := kubernetesPrograms(ctx, repository)
	if err != nil {
		return nil, err
	}
	c := &cluster{guardian: g, kubeconfig: filepath.Join(folder, "kubeconfig"), environment: &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(repository, "config", "crd")},
		ErrorIfCRDPathMissing: true,
		BinaryAssetsDirectory: programs,
	}}
	config, err := c.environment.Start()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start an API server: %w", err), c.environment.Stop())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	if c.processes, err = machine.Children(os.Getpid(), "kube-apiserver", "etcd"); err != nil {
		return nil, err
	}
	if len(c.processes) != 2 {
		return nil, fmt.Errorf("found %d processes of the API server and etcd, not 2", len(c.processes))
	}
	for _, pid := range c.processes {
		if err := g.Watch(pid); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(c.kubeconfig, c.environment.KubeConfig, 0o600); err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	c.client, err = client.New(config, client.Options{Scheme: scheme})
	return c, err
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

// install creates what the authorization server serves: one MCPServer with two
// scopes, a user, a client that acts for itself and one that acts for the user. The
// agent's secret is the one given.
func (c *cluster) install(ctx context.Context, issuer, secret string) error {
	password, err := bcrypt.GenerateFromPassword([]byte(credential.Random(16)), bcrypt.MinCost)
	if err != nil {
		return err
	}
	in := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	refs := []v1alpha1.LocalServerReference{{Name: mcpServer}}
	scope := func(name, text, description string) *v1alpha1.Scope {
		return &v1alpha1.Scope{ObjectMeta: in(name), Spec: v1alpha1.ScopeSpec{
			Scope: text, Description: description, ServerRefs: refs, Default: true,
		}}
	}
	c.server = &v1alpha1.AuthorizationServer{ObjectMeta: in(serverName), Spec: v1alpha1.AuthorizationServerSpec{
		Issuer: issuer, Storage: v1alpha1.Storage{Type: v1alpha1.StorageSQLite},
	}}
	agent := &v1alpha1.OAuthClient{ObjectMeta: in(agentID), Spec: v1alpha1.OAuthClientSpec{
		ClientID: agentID, ServerRefs: refs, GrantTypes: []v1alpha1.GrantType{oauth.GrantClientCredentials},
		TokenEndpointAuthMethod: oauth.AuthMethodClientSecretBasic, Secret: &v1alpha1.ClientSecret{Name: agentID},
	}}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		c.server,
		&v1alpha1.IdentityProvider{ObjectMeta: in(providerName), Spec: v1alpha1.IdentityProviderSpec{
			AuthorizationServerRef: v1alpha1.LocalAuthorizationServerReference{Name: serverName}, Type: v1alpha1.ProviderStatic,
			Static: &v1alpha1.StaticProvider{Users: []v1alpha1.StaticUser{{Username: userName, Email: userEmail, PasswordHash: string(password)}}},
		}},
		&v1alpha1.MCPServer{ObjectMeta: in(mcpServer), Spec: v1alpha1.MCPServerSpec{
			AuthorizationServerRef: v1alpha1.AuthorizationServerReference{Name: serverName}, URL: "https://mcp.example.com/todo",
		}},
		scope("todo-read", "todo:read", "Read your tasks"),
		scope("todo-write", "todo:write", "Create and delete tasks"),
		agent,
		&v1alpha1.OAuthClient{ObjectMeta: in(appID), Spec: v1alpha1.OAuthClientSpec{
			ClientID: appID, ServerRefs: refs, TokenEndpointAuthMethod: oauth.AuthMethodNone,
			GrantTypes:   []v1alpha1.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
			RedirectURIs: []string{appRedirect},
		}},
	} {
		if err := c.client.Create(ctx, object); err != nil {
			return fmt.Errorf("create %T %s: %w", object, object.GetName(), err)
		}
	}
	mirror := manifests.Mirror(agent, &compiler.Client{ID: agentID, AuthorizationServer: client.ObjectKeyFromObject(c.server)}, credential.HashOf(secret))
	if err := c.client.Apply(ctx, mirror, client.FieldOwner("bench")); err != nil {
		return fmt.Errorf("mirror the agent's secret: %w", err)
	}
	return nil
}

// setRing makes it the server's.
func (c *cluster) setRing(ctx context.Context, ring *keyring.Ring) error {
	encoded, err := ring.Encode()
	if err != nil {
		return err
	}
	secret := manifests.KeySecret(c.server, encoded)
	err = c.client.Create(ctx, secret)
	if client.IgnoreAlreadyExists(err) == nil && err != nil {
		err = c.client.Update(ctx, manifests.KeySecret(c.server, encoded))
	}
	if err != nil {
		return fmt.Errorf("write the key Secret: %w", err)
	}
	return nil
}

// frozen runs f while the API server and etcd stand still, so that they take no
// time from what is measured.
func (c *cluster) frozen(f func() error) (err error) {
	defer func() { err = errors.Join(err, c.signal(syscall.SIGCONT)) }()
	if err := c.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return f()
}

func (c *cluster) signal(s syscall.Signal) error {
	var failures []error
	for _, pid := range c.processes {
		failures = append(failures, syscall.Kill(pid, s))
	}
	return errors.Join(failures...)
}

func (c *cluster) stop() error {
	err := c.environment.Stop()
	if err != nil {
		return fmt.Errorf("stop the API server: %w", err) // the guardian will
	}
	for _, pid := range c.processes {
		err = errors.Join(err, c.guardian.Forget(pid))
	}
	return err
}
