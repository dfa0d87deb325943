package dev

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/compiler/dir"
)

// openStore opens an authorization server's database: the PostgreSQL one that its
// manifest names, or a SQLite file in the data folder, or in memory.
func (in buildInput) openStore(ctx context.Context, object *v1alpha1.AuthorizationServer) (store.Store, error) {
	name := types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
	postgresql := object.Spec.Storage.PostgreSQL
	if postgresql == nil {
		database, err := store.OpenSQLite(ctx, store.Config{Path: in.folder.database(name), Logger: in.logger})
		if err != nil {
			return nil, fmt.Errorf("open the database of %s: %w", name, err)
		}
		return database, nil
	}
	url, err := databaseURL(in.manifests, name, postgresql.URLSecretRef)
	if err != nil {
		return nil, err
	}
	database, err := store.OpenPostgreSQL(ctx, store.PostgreSQLConfig{URL: url, Logger: in.logger})
	if err != nil {
		return nil, fmt.Errorf("open the database of %s: %w", name, err)
	}
	return database, nil
}

// databaseURL reads what a cluster would mount.
func databaseURL(m *dir.Manifests, server types.NamespacedName, ref v1alpha1.SecretKeyReference) (string, error) {
	secret := types.NamespacedName{Namespace: server.Namespace, Name: ref.Name}
	url := strings.TrimSpace(m.Secrets[secret][ref.Key])
	if url == "" {
		id := compiler.Object{Kind: compiler.KindAuthorizationServer, NamespacedName: server}
		return "", &dir.ManifestError{
			Origin: m.Origin[id], Object: id.String(), Field: "spec.storage.postgresql.urlSecretRef",
			Message: fmt.Sprintf("the manifests must hold a Secret %s with the database's connection URL in its entry %q; or use storage of type SQLite", secret, ref.Key),
		}
	}
	return url, nil
}
