package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/controllers/manifests"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// publicKeys knows the key sets that authorization servers publish. It reads a
// key Secret once for each of its versions, so that ten thousand policies cost
// one read, and keeps nothing of it but the public halves. It is safe for
// concurrent use.
type publicKeys struct {
	secrets  client.Reader // reads Secrets from the API server
	metadata client.Reader // reads their metadata from the cache

	mu   sync.Mutex
	seen map[types.NamespacedName]publishedKeys
}

type publishedKeys struct {
	version string // the Secret's resourceVersion
	jwks    json.RawMessage
}

func newPublicKeys(secrets, metadata client.Reader) *publicKeys {
	return &publicKeys{secrets: secrets, metadata: metadata, seen: make(map[types.NamespacedName]publishedKeys)}
}

// of returns the key set of an authorization server as JSON (RFC 7517). It is nil
// where there is no readable key Secret and there never was.
func (k *publicKeys) of(ctx context.Context, server types.NamespacedName) (json.RawMessage, error) {
	key := types.NamespacedName{Namespace: server.Namespace, Name: manifests.KeySecretName(server.Name)}
	known := k.last(server)
	head := secretMetadata()
	if err := k.metadata.Get(ctx, key, head); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read the metadata of Secret %s: %w", key, err)
	} else if err == nil && head.ResourceVersion == known.version {
		return known.jwks, nil
	}
	var secret corev1.Secret
	if err := k.secrets.Get(ctx, key, &secret); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read Secret %s: %w", key, err)
	} else if err != nil {
		return known.jwks, nil
	}
	ring, err := keyring.Decode(secret.Data[keyring.SecretKey])
	if err != nil {
		return known.jwks, nil // the AuthorizationServer's own condition says so
	}
	jwks, err := json.Marshal(ring.JWKS())
	if err != nil {
		return nil, fmt.Errorf("encode the key set of AuthorizationServer %s: %w", server, err)
	}
	k.remember(server, publishedKeys{version: secret.ResourceVersion, jwks: jwks})
	return jwks, nil
}

func (k *publicKeys) last(server types.NamespacedName) publishedKeys {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.seen[server]
}

func (k *publicKeys) remember(server types.NamespacedName, keys publishedKeys) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen[server] = keys
}
