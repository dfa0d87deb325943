package controllers

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
	"github.com/mcpauth/mcpauth/controllers/status"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// maxKeys bounds how many keys status names.
const maxKeys = 16

// ensureKeys makes the key ring where there is none. A ring that is there is used
// as it is; one that cannot be read is never replaced, because every token in use
// was signed by it and the running server still has it.
func (r *AuthorizationServerReconciler) ensureKeys(ctx context.Context, s *authorizationServer) error {
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: s.object.Namespace, Name: manifests.KeySecretName(s.object.Name)}
	err := r.Get(ctx, key, &secret)
	if apierrors.IsNotFound(err) {
		err = r.createKeys(ctx, s, &secret)
	}
	if err != nil {
		return fmt.Errorf("read Secret %s: %w", key, err)
	}
	ring, err := keyring.Decode(secret.Data[keyring.SecretKey])
	if err != nil {
		s.report.Add(status.False(v1alpha1.ConditionProgrammed, v1alpha1.ReasonInvalid,
			"Secret %s holds no usable key ring in its entry %q: %s; restore the Secret from a backup. "+
				"The running server goes on with the keys that it has, so do not restart it before; "+
				"deleting the Secret has new keys made and makes every token in use invalid", key, keyring.SecretKey, err))
		return nil
	}
	s.object.Status.Keys = keyStatus(ring)
	return nil
}

// createKeys makes a ring of the wished algorithm and reads the Secret that holds it, which is another's
// where somebody was faster.
func (r *AuthorizationServerReconciler) createKeys(ctx context.Context, s *authorizationServer, secret *corev1.Secret) error {
	ring, err := keyring.New(signingAlgorithm(s.object), r.Now())
	if err != nil {
		return err
	}
	encoded, err := ring.Encode()
	if err != nil {
		return err
	}
	*secret = *manifests.KeySecret(s.object, encoded)
	key := client.ObjectKeyFromObject(secret)
	err = r.Create(ctx, secret, authorizationServerManager)
	if apierrors.IsAlreadyExists(err) {
		return r.Get(ctx, key, secret)
	}
	if err != nil {
		return err
	}
	r.Recorder.Eventf(s.object, nil, corev1.EventTypeNormal, "KeysCreated", "CreateKeys",
		"made the first signing key, %s, in Secret %s", ring.Active().ID, key.Name)
	return nil
}

func signingAlgorithm(object *v1alpha1.AuthorizationServer) keyring.Algorithm {
	return keyring.Algorithm(cmp.Or(object.Spec.SigningAlgorithm, v1alpha1.SigningRS256))
}

func keyStatus(ring *keyring.Ring) []v1alpha1.SigningKeyStatus {
	keys := ring.Keys()
	if len(keys) > maxKeys {
		keys = keys[len(keys)-maxKeys:]
	}
	out := make([]v1alpha1.SigningKeyStatus, len(keys))
	for i, key := range keys {
		out[i] = v1alpha1.SigningKeyStatus{
			ID: string(key.ID), Algorithm: string(key.Algorithm), Phase: string(key.Phase), Created: metav1.NewTime(key.Created),
		}
	}
	return out
}
