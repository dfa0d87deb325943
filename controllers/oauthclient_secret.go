package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
	"github.com/mcpauth/mcpauth/controllers/status"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// readCredential finds the client's secret, and makes it where that is wished.
func (r *OAuthClientReconciler) readCredential(ctx context.Context, s *oauthClient) error {
	spec := s.object.Spec.Secret
	switch {
	case spec == nil:
		return nil // a public client, or one that proves itself by what it signs
	case spec.Mode == v1alpha1.SecretReference:
		return r.readReference(ctx, s)
	default:
		return r.deliver(ctx, s)
	}
}

// readReference uses a secret that somebody else made. Such Secrets are not
// watched, so it is looked at now and then.
func (r *OAuthClientReconciler) readReference(ctx context.Context, s *oauthClient) error {
	key := client.ObjectKey{Namespace: s.object.Namespace, Name: s.object.Spec.Secret.Name}
	var secret corev1.Secret
	found, err := get(ctx, r.Client, key, &secret)
	if err != nil {
		return err
	}
	s.again = missingSecretCheck
	value := string(secret.Data[v1alpha1.SecretClientSecret])
	switch {
	case !found:
		s.report.Add(status.False(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonNotFound,
			"Secret %s does not exist; create it with the client secret in its entry %q, or set secret.mode to Generate", key, v1alpha1.SecretClientSecret))
	case value == "":
		s.report.Add(status.False(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonNotFound,
			"Secret %s has no entry %q; add it with the client secret", key, v1alpha1.SecretClientSecret))
	case len(value) < credential.MinSecretLength:
		s.report.Add(status.False(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonInvalid,
			"the entry %q of Secret %s has %d characters; it must have at least %d, all of them random",
			v1alpha1.SecretClientSecret, key, len(value), credential.MinSecretLength))
	default:
		s.again = presentSecretCheck
		s.live = []credential.Hash{credential.HashOf(value)}
	}
	return nil
}

// deliver makes the Secret with the client's credentials, and repairs one that it
// made before. The client secret itself is made once and stays as long as the
// Secret does. A Secret that the client does not own is never touched: its name
// is not enough to overwrite what somebody else relies on.
func (r *OAuthClientReconciler) deliver(ctx context.Context, s *oauthClient) error {
	key := client.ObjectKey{Namespace: s.object.Namespace, Name: s.object.Spec.Secret.Name}
	var secret corev1.Secret
	err := r.Get(ctx, key, &secret)
	if apierrors.IsNotFound(err) {
		return r.create(ctx, s)
	}
	if err != nil {
		return fmt.Errorf("read Secret %s: %w", key, err)
	}
	if !metav1.IsControlledBy(&secret, s.object) {
		s.again = missingSecretCheck
		s.report.Add(status.False(v1alpha1.ConditionProgrammed, v1alpha1.ReasonConflict,
			"Secret %s exists and is not this OAuthClient's, so it is left alone; choose another secret.name, delete the Secret, or use its secret with secret.mode: Reference", key))
		return nil
	}
	return r.repair(ctx, s, &secret)
}

func (r *OAuthClientReconciler) create(ctx context.Context, s *oauthClient) error {
	value := credential.NewSecret()
	secret := manifests.CredentialSecret(s.object, s.compiled, value)
	// Create, not apply: it fails where somebody was faster.
	if err := r.Create(ctx, secret, oauthClientManager); err != nil {
		return fmt.Errorf("create Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	r.Recorder.Eventf(s.object, secret, corev1.EventTypeNormal, "CredentialsDelivered", "DeliverCredentials",
		"made a client secret and delivered it in Secret %s", secret.Name)
	s.live = []credential.Hash{credential.HashOf(value)}
	return nil
}

func (r *OAuthClientReconciler) repair(ctx context.Context, s *oauthClient, secret *corev1.Secret) error {
	value := string(secret.Data[v1alpha1.SecretClientSecret])
	if len(value) < credential.MinSecretLength {
		value = credential.NewSecret() // the entry was removed or damaged by hand
	}
	repaired := secret.DeepCopy()
	manifests.FillCredentialSecret(repaired, s.object, s.compiled, value)
	s.live = []credential.Hash{credential.HashOf(value)}
	if equality.Semantic.DeepEqual(secret, repaired) {
		return nil
	}
	patch := client.MergeFromWithOptions(secret, client.MergeFromWithOptimisticLock{})
	if err := r.Patch(ctx, repaired, patch, oauthClientManager); err != nil {
		return fmt.Errorf("repair Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	r.Recorder.Eventf(s.object, repaired, corev1.EventTypeNormal, "CredentialsRepaired", "RepairCredentials",
		"brought Secret %s up to date", secret.Name)
	return nil
}
