package dev

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/compiler/dir"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// secrets are one authorization server's: its clients' hashes and, for upstream
// providers, the Secrets among the manifests. It is immutable.
type secrets struct {
	namespace string
	clients   map[string][]credential.Hash
	manifests map[types.NamespacedName]map[string]string
}

// ClientSecrets are the hashes of a client's live secrets.
func (s *secrets) ClientSecrets(clientID string) []credential.Hash { return s.clients[clientID] }

// ProviderSecret is the client secret for an upstream provider.
func (s *secrets) ProviderSecret(_ context.Context, p *catalog.OIDCProvider) (string, error) {
	if p.SecretName == "" {
		return "", nil
	}
	name := types.NamespacedName{Namespace: s.namespace, Name: p.SecretName}
	value := s.manifests[name][p.SecretKey]
	if value == "" {
		return "", fmt.Errorf("the manifests hold no Secret %s with the entry %q", name, p.SecretKey)
	}
	return value, nil
}

// deliverCredentials hands every client its credentials and collects the hashes
// for each authorization server. It names the clients that got none because there
// is no folder to write to.
func deliverCredentials(m *dir.Manifests, result *compiler.Result, folder data) (byServer map[types.NamespacedName]*secrets, withheld []string, err error) {
	byServer = make(map[types.NamespacedName]*secrets)
	for name := range result.Catalogs {
		byServer[name] = &secrets{namespace: name.Namespace, clients: make(map[string][]credential.Hash), manifests: m.Secrets}
	}
	for _, object := range m.Input.OAuthClients {
		name := types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
		client := result.Clients[name]
		if client == nil || !wantsSecret(object) {
			continue
		}
		given, err := referenced(m, object)
		if err != nil {
			return nil, nil, err
		}
		secret, err := folder.deliver(name, client, given)
		if err != nil {
			return nil, nil, err
		}
		if secret == "" {
			withheld = append(withheld, name.String())
			continue
		}
		server := byServer[client.AuthorizationServer]
		server.clients[client.ID] = append(server.clients[client.ID], credential.HashOf(secret))
	}
	return byServer, withheld, nil
}

// referenced is the secret that a manifest holds for a client of mode Reference.
func referenced(m *dir.Manifests, object *v1alpha1.OAuthClient) (string, error) {
	if object.Spec.Secret.Mode != v1alpha1.SecretReference {
		return "", nil
	}
	secret := types.NamespacedName{Namespace: object.Namespace, Name: object.Spec.Secret.Name}
	value := m.Secrets[secret][v1alpha1.SecretClientSecret]
	if len(value) < credential.MinSecretLength {
		id := compiler.Object{Kind: compiler.KindOAuthClient, NamespacedName: types.NamespacedName{Namespace: object.Namespace, Name: object.Name}}
		return "", &dir.ManifestError{
			Origin: m.Origin[id], Object: id.String(), Field: "spec.secret",
			Message: fmt.Sprintf("the manifests must hold a Secret %s whose %s has at least %d characters", secret, v1alpha1.SecretClientSecret, credential.MinSecretLength),
		}
	}
	return value, nil
}
