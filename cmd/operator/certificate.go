package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Names that config/webhook and config/manager use as well.
const (
	certificateSecret    = "mcpauth-webhook-cert"
	webhookConfiguration = "mcpauth-injector"
	webhookService       = "mcpauth-webhook"
)

// How often the Secret, or the mounted folder, is looked at: often until there is a
// certificate, then less so for its successors. Where the authority is a new one as
// well, no pod that asks for a sidecar is let in until the successor is served.
const (
	firstLook = time.Second
	laterLook = 5 * time.Second
)

// addMounted takes the certificate that somebody else, such as cert-manager, keeps in
// a folder and announces to the API server. A renewed one is served when it appears.
func addMounted(mgr ctrl.Manager, dir string) (<-chan struct{}, error) {
	certified := make(chan struct{})
	return certified, mgr.Add(&mounted{dir: dir, certified: certified})
}

// mounted waits for a certificate that somebody else mounts.
type mounted struct {
	dir       string
	certified chan<- struct{}
}

// NeedLeaderElection says that every replica serves the webhook.
func (m *mounted) NeedLeaderElection() bool { return false }

// Start waits until the folder holds a certificate and its key, or ctx ends.
func (m *mounted) Start(ctx context.Context) error {
	for {
		_, err := tls.LoadX509KeyPair(filepath.Join(m.dir, corev1.TLSCertKey), filepath.Join(m.dir, corev1.TLSPrivateKeyKey))
		if err == nil {
			close(m.certified)
			return nil
		}
		ctrl.LoggerFrom(ctx).Info("Waiting for the webhook's certificate, which --webhook-cert-dir says is mounted", "problem", err.Error())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(laterLook):
		}
	}
}

// addOwn has the webhook's certificate made, kept in a Secret, written to
// dir and announced to the API server. The channel is closed once all of that is
// done.
func addOwn(mgr ctrl.Manager, namespace, dir string) (<-chan struct{}, error) {
	secret := types.NamespacedName{Namespace: namespace, Name: certificateSecret}
	certified := make(chan struct{})
	err := rotator.AddRotator(mgr, &rotator.CertRotator{
		SecretKey:      secret,
		CertDir:        dir,
		CAName:         "mcpauth-webhook-ca",
		CAOrganization: "mcpauth",
		DNSName:        webhookService + "." + namespace + ".svc",
		IsReady:        certified,
		Webhooks:       []rotator.WebhookInfo{{Name: webhookConfiguration, Type: rotator.Mutating}},
		// Every replica needs the certificate, also one that waits for the lease. Two
		// that make one at once collide on the Secret, and one of them wins.
		RequireLeaderElection: false,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the webhook's certificate: %w", err)
	}
	return certified, mgr.Add(&certificateFiles{reader: mgr.GetAPIReader(), secret: secret, dir: dir})
}

// certificateFiles copies the certificate from the Secret to the folder that the
// webhook server watches. Mounting the Secret instead would make a fresh install
// wait a minute or more for the kubelet to notice that it was filled.
type certificateFiles struct {
	reader client.Reader
	secret types.NamespacedName
	dir    string

	version string
}

// NeedLeaderElection says that every replica serves the webhook.
func (c *certificateFiles) NeedLeaderElection() bool { return false }

// Start copies until ctx ends.
func (c *certificateFiles) Start(ctx context.Context) error {
	for {
		if err := c.copy(ctx); err != nil && ctx.Err() == nil {
			ctrl.LoggerFrom(ctx).Error(err, "the webhook's certificate could not be read; trying again")
		}
		pause := laterLook
		if c.version == "" {
			pause = firstLook
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

func (c *certificateFiles) copy(ctx context.Context) error {
	var secret corev1.Secret
	if err := c.reader.Get(ctx, c.secret, &secret); err != nil {
		return fmt.Errorf("read Secret %s: %w", c.secret, err)
	}
	certificate, key := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	if len(certificate) == 0 || len(key) == 0 || secret.ResourceVersion == c.version {
		return nil
	}
	// The certificate comes last: that it is there is what others wait for.
	err := errors.Join(c.write(corev1.TLSPrivateKeyKey, key), c.write(corev1.TLSCertKey, certificate))
	if err != nil {
		return fmt.Errorf("write the webhook's certificate: %w", err)
	}
	c.version = secret.ResourceVersion
	return nil
}

// write puts a whole file in place at once, so that nobody reads half of one.
func (c *certificateFiles) write(name string, content []byte) error {
	file := filepath.Join(c.dir, name)
	if err := os.WriteFile(file+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
