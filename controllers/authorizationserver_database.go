package controllers

import (
	"context"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/status"
)

// checkDatabase finds out whether the URL of a PostgreSQL database is there. The
// other phases go on where it is not: the kubelet starts the pods as soon as it
// is, and those that run have read it. What it finds quotes nothing of the URL,
// which holds a password.
func (r *AuthorizationServerReconciler) checkDatabase(ctx context.Context, s *authorizationServer) error {
	postgresql := s.object.Spec.Storage.PostgreSQL
	if s.object.Spec.Storage.Type != v1alpha1.StoragePostgreSQL || postgresql == nil {
		return nil
	}
	ref := postgresql.URLSecretRef
	key := client.ObjectKey{Namespace: s.object.Namespace, Name: ref.Name}
	var secret corev1.Secret
	found, err := get(ctx, r.Client, key, &secret)
	if err != nil {
		return err
	}
	s.again = missingSecretCheck
	value := strings.TrimSpace(string(secret.Data[ref.Key]))
	switch {
	case !found:
		s.report.Add(status.False(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonNotFound,
			"Secret %s does not exist; create it with the database's connection URL in its entry %q", key, ref.Key))
	case value == "":
		s.report.Add(status.False(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonNotFound,
			"Secret %s has no entry %q; add it with the database's connection URL, or correct storage.postgresql.urlSecretRef.key", key, ref.Key))
	case !isPostgreSQLURL(value):
		s.report.Add(status.False(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonInvalid,
			"the entry %q of Secret %s is not a connection URL, such as postgresql://USER:PASSWORD@HOST:5432/DATABASE", ref.Key, key))
	default:
		s.again = presentSecretCheck
	}
	return nil
}

func isPostgreSQLURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "postgresql" || u.Scheme == "postgres")
}
