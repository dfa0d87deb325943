package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const webhookName = "mcpauth-webhook.mcpauth-system.svc"

// pair is a certificate and its key, signed by itself or another one.
type pair struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

// issue makes a certificate that ends soon; by itself it is an authority.
func issue(t *testing.T, by *pair, lifetime time.Duration) *pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "mcpauth-webhook-ca", Organization: []string{"mcpauth"}},
		DNSNames:  []string{webhookName, "mcpauth-webhook-ca"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lifetime), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	made := &pair{certificate: template, key: key}
	if by == nil {
		template.IsCA, by = true, made
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	if made.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return made
}

// encoded is the pair as PEM.
func (p *pair) encoded() (certificate, key []byte) {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certificate.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(p.key)})
}

// served is the certificate that the webhook answers with, whoever signed it.
func served(address string) (*x509.Certificate, error) {
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close() }()
	return connection.ConnectionState().PeerCertificates[0], nil
}

// announced is the authority that the API server trusts for the webhook.
func announced(t *testing.T, cluster client.Client) []byte {
	t.Helper()
	var config admissionv1.MutatingWebhookConfiguration
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: webhookConfiguration}, &config); err != nil {
		t.Fatal(err)
	}
	return config.Webhooks[0].ClientConfig.CABundle
}

// TestACertificateThatEndsSoonIsReplacedAndServedWithoutARestart puts a certificate
// that ends in a month, and its authority, in the place of the operator's own.
func TestACertificateThatEndsSoonIsReplacedAndServedWithoutARestart(t *testing.T) {
	cluster := startCluster(t)
	health, hook := freeAddress(t), freeAddress(t)
	_, hookPort, _ := net.SplitHostPort(hook)
	output := launch(t, "--health-listen="+health, "--webhook-port="+hookPort, "--metrics-listen=0")
	eventually(t, "the operator to be ready", output, func() error { return answers("http://" + health + "/readyz") })
	first, err := served(hook)
	if err != nil {
		t.Fatal(err)
	}

	const month = 30 * 24 * time.Hour
	for _, authority := range []struct {
		name     string
		lifetime time.Duration
	}{{"an authority that lasts", 10 * 365 * 24 * time.Hour}, {"an authority that ends soon too", month}} {
		t.Run(authority.name, func(t *testing.T) {
			ca := issue(t, nil, authority.lifetime)
			expiring := issue(t, ca, month)
			replaceSecret(t, cluster, ca, expiring)
			eventually(t, "a lasting certificate to be served and trusted", output, func() error {
				now, err := served(hook)
				switch {
				case err != nil:
					return err
				case now.Equal(first):
					return errors.New("the first certificate is served still")
				case time.Until(now.NotAfter) < 2*month:
					return fmt.Errorf("the certificate ends at %s", now.NotAfter)
				}
				return trusts(hook, webhookName, announced(t, cluster))
			})
			if first, err = served(hook); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func replaceSecret(t *testing.T, cluster client.Client, ca, server *pair) {
	t.Helper()
	var secret corev1.Secret
	if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: "mcpauth-system", Name: certificateSecret}, &secret); err != nil {
		t.Fatal(err)
	}
	secret.Data["ca.crt"], secret.Data["ca.key"] = ca.encoded()
	secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey] = server.encoded()
	if err := cluster.Update(t.Context(), &secret); err != nil {
		t.Fatal(err)
	}
}

func TestACertificateThatSomebodyElseMountsIsServedAndItsSuccessorToo(t *testing.T) {
	cluster := startCluster(t)
	dir := t.TempDir()
	health, hook := freeAddress(t), freeAddress(t)
	_, hookPort, _ := net.SplitHostPort(hook)
	output := launch(t, "--health-listen="+health, "--webhook-port="+hookPort, "--metrics-listen=0", "--webhook-cert-dir="+dir)
	eventually(t, "the operator to live without a certificate", output, func() error { return answers("http://" + health + "/healthz") })
	if answers("http://"+health+"/readyz") == nil {
		t.Error("the operator is ready without a certificate")
	}

	ca := issue(t, nil, time.Hour)
	authority, _ := ca.encoded()
	for _, which := range []string{"the first certificate", "its successor"} {
		mounted := issue(t, ca, time.Hour)
		certificate, key := mounted.encoded()
		for name, content := range map[string][]byte{corev1.TLSPrivateKeyKey: key, corev1.TLSCertKey: certificate} {
			file := filepath.Join(dir, name)
			if err := errors.Join(os.WriteFile(file+".new", content, 0o600), os.Rename(file+".new", file)); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, which+" to be served", output, func() error {
			if now, err := served(hook); err != nil || !now.Equal(mounted.certificate) {
				return fmt.Errorf("another one is served: %w", err)
			}
			return trusts(hook, webhookName, authority)
		})
	}
	eventually(t, "the operator to be ready", output, func() error { return answers("http://" + health + "/readyz") })

	var secret corev1.Secret
	if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: "mcpauth-system", Name: certificateSecret}, &secret); err != nil {
		t.Fatal(err)
	}
	if len(secret.Data) > 0 || len(bytes.TrimSpace(announced(t, cluster))) > 0 {
		t.Error("the operator made and announced a certificate of its own beside the mounted one")
	}
}
