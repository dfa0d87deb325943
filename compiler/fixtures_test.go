package compiler_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/oauth"
)

const (
	documentURL = "https://app.example.com/client.json"
	keyID       = "one"

	privateKeyPEM      = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
	damagedCertificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
)

func hours(n int) *metav1.Duration { return &metav1.Duration{Duration: time.Duration(n) * time.Hour} }

func pinned(clientID, document string) *v1alpha1.Registration {
	return &v1alpha1.Registration{Documents: []v1alpha1.ClientDocument{{ClientID: clientID, Document: document}}}
}

// certificate is one that signed itself, in PEM.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: epoch.AddDate(100, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// publicKeys is a key set with one key of the given id: that of RFC 7515 appendix A.3.
func publicKeys(kid string) string {
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":%q,`+
		`"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`, kid)
}

// privateKeys is the same key with its private half.
func privateKeys(kid string) string {
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":%q,"d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",`+
		`"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`, kid)
}

// trust adds the trusted issuer "ci", of workloads, changed.
func trust(in *compiler.Input, change func(*v1alpha1.TrustedIssuer)) {
	issuer := v1alpha1.TrustedIssuer{Name: "ci", Type: v1alpha1.TrustedWorkload, Issuer: "https://ci.example.com"}
	if change != nil {
		change(&issuer)
	}
	spec := &in.AuthorizationServers[0].Spec
	spec.TrustedIssuers = append(spec.TrustedIssuers, issuer)
}

func trustCluster(in *compiler.Input, name string) {
	trust(in, func(t *v1alpha1.TrustedIssuer) { t.Name, t.Issuer, t.Cluster = name, "", true })
}

// signing makes the client one that signs, and returns its wish to name keys in.
func signing(in *compiler.Input) *v1alpha1.OAuthClientSpec {
	spec := &in.OAuthClients[0].Spec
	spec.TokenEndpointAuthMethod, spec.Secret = oauth.AuthMethodPrivateKeyJWT, nil
	return spec
}

func workload(in *compiler.Input, trustedIssuer, subject string) {
	spec := &in.OAuthClients[0].Spec
	spec.Workloads = append(spec.Workloads, v1alpha1.ClientWorkload{TrustedIssuer: trustedIssuer, Subject: subject})
}

func serviceAccount(in *compiler.Input, namespace, name string) {
	spec := &in.OAuthClients[0].Spec
	spec.ServiceAccounts = append(spec.ServiceAccounts, v1alpha1.ServiceAccountReference{Namespace: namespace, Name: name})
}
