package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// hashesKey is the entry of a mirrored credential: one hash a line.
const hashesKey = "hashes"

// secrets follows the Secrets of the server's own namespace: its key ring and the
// hashes of its clients' secrets. What is damaged leaves the last good state in
// use. It is safe for concurrent use.
type secrets struct {
	namespace string
	// server is the AuthorizationServer's name, and keys the name of its key Secret.
	server string
	keys   string
	reader cache.Cache
	logger *slog.Logger
	// signing is how the keys of rings sign.
	signing keyring.Options

	ring atomic.Pointer[keyring.Ring]

	mu       sync.RWMutex
	clients  map[string][]credential.Hash
	clientOf map[types.NamespacedName]string
}

func newSecrets(reader cache.Cache, namespace, server, keys string, logger *slog.Logger) *secrets {
	return &secrets{
		namespace: namespace, server: server, keys: keys, reader: reader, logger: logger,
		clients:  make(map[string][]credential.Hash),
		clientOf: make(map[types.NamespacedName]string),
	}
}

// watch begins to follow; the cache fills when it is started. It returns a
// function that says whether everything that was there at first has been seen.
func (s *secrets) watch(ctx context.Context) (func() bool, error) {
	informer, err := s.reader.GetInformer(ctx, &corev1.Secret{})
	if err != nil {
		return nil, fmt.Errorf("watch Secrets: %w", err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { s.changed(o) },
		UpdateFunc: func(_, o any) { s.changed(o) },
		DeleteFunc: func(o any) { s.deleted(o) },
	})
	if err != nil {
		return nil, fmt.Errorf("watch Secrets: %w", err)
	}
	return registration.HasSynced, nil
}

func (s *secrets) changed(object any) {
	secret, ok := object.(*corev1.Secret)
	if !ok || secret.Namespace != s.namespace {
		return
	}
	switch {
	case secret.Name == s.keys:
		s.keysChanged(secret)
	case secret.Labels[v1alpha1.AuthorizationServerLabel] == s.server && secret.Annotations[v1alpha1.ClientIDAnnotation] != "":
		s.clientChanged(secret)
	}
}

func (s *secrets) keysChanged(secret *corev1.Secret) {
	ring, err := s.signing.Decode(secret.Data[keyring.SecretKey])
	if err != nil {
		s.logger.Error("the key Secret is damaged; the last good keys stay in use", "secret", secret.Name, "error", err)
		return
	}
	s.ring.Store(ring)
	s.logger.Info("keys loaded", "active", ring.Active().KeyID(), "published", len(ring.Keys()), "signer", ring.Active().Backend())
}

func (s *secrets) clientChanged(secret *corev1.Secret) {
	client := secret.Annotations[v1alpha1.ClientIDAnnotation]
	var hashes []credential.Hash
	for line := range strings.Lines(string(secret.Data[hashesKey])) {
		hash, err := credential.ParseHash(strings.TrimSpace(line))
		if err != nil {
			s.logger.Error("a mirrored credential is damaged; the last good one stays in use", "secret", secret.Name, "error", err)
			return
		}
		hashes = append(hashes, hash)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[client] = hashes
	s.clientOf[types.NamespacedName{Namespace: secret.Namespace, Name: secret.Name}] = client
}

// deleted forgets a client's credentials. The ring stays: without keys nobody
// could be served, and the operator says what is to be done.
func (s *secrets) deleted(object any) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	secret, ok := object.(*corev1.Secret)
	if !ok {
		return
	}
	name := types.NamespacedName{Namespace: secret.Namespace, Name: secret.Name}
	s.mu.Lock()
	defer s.mu.Unlock()
	if client, ok := s.clientOf[name]; ok {
		delete(s.clients, client)
		delete(s.clientOf, name)
	}
}

// Ring is the newest good key ring, or nil before the first.
func (s *secrets) Ring() *keyring.Ring { return s.ring.Load() }

// ClientSecrets are the hashes of a client's live secrets.
func (s *secrets) ClientSecrets(clientID string) []credential.Hash {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.clients[clientID]
}

// ProviderSecret is the client secret for an upstream provider.
func (s *secrets) ProviderSecret(ctx context.Context, p *catalog.OIDCProvider) (string, error) {
	if p.SecretName == "" {
		return "", nil
	}
	var secret corev1.Secret
	if err := s.reader.Get(ctx, types.NamespacedName{Namespace: s.namespace, Name: p.SecretName}, &secret); err != nil {
		return "", fmt.Errorf("read the identity provider's Secret: %w", err)
	}
	value := strings.TrimSpace(string(secret.Data[p.SecretKey]))
	if value == "" {
		return "", errors.New("the identity provider's Secret " + p.SecretName + " has no entry " + p.SecretKey)
	}
	return value, nil
}
