package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/controllers/manifests"
)

// writeMirror tells the authorization server the hash of the client's secret.
// Where the secret cannot be read at the moment, the last hash stays.
func (r *OAuthClientReconciler) writeMirror(ctx context.Context, s *oauthClient) error {
	if len(s.live) == 0 {
		return nil
	}
	return apply(ctx, r.Client, oauthClientManager, &corev1.Secret{},
		manifests.Mirror(s.object, s.compiled, s.live...), corev1ac.ExtractSecret)
}

// dropStaleMirrors removes the mirrors of an authorization server that the client
// has left, and all of them when it has no secret any more.
func (r *OAuthClientReconciler) dropStaleMirrors(ctx context.Context, s *oauthClient) error {
	var keep types.NamespacedName
	if s.object.Spec.Secret != nil {
		keep = types.NamespacedName{Namespace: s.compiled.AuthorizationServer.Namespace, Name: manifests.MirrorName(s.object.UID)}
	}
	return r.dropMirrors(ctx, client.ObjectKeyFromObject(s.object), keep)
}

// dropMirrors removes the mirrors made for a client, in whatever namespace, except
// the one to keep. A mirror that the cache has not seen yet is removed when it
// has: its annotation leads back here.
func (r *OAuthClientReconciler) dropMirrors(ctx context.Context, owner, keep types.NamespacedName) error {
	var mirrors metav1.PartialObjectMetadataList
	mirrors.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := r.Metadata.List(ctx, &mirrors, client.MatchingFields{ownerIndex: owner.String()}); err != nil {
		return fmt.Errorf("list the credential mirrors of OAuthClient %s: %w", owner, err)
	}
	var failures []error
	for i := range mirrors.Items {
		mirror := &mirrors.Items[i]
		if !manifests.IsMirror(mirror.Name) || client.ObjectKeyFromObject(mirror) == keep {
			continue
		}
		unchanged := client.Preconditions{UID: &mirror.UID}
		if err := r.Delete(ctx, mirror, unchanged); client.IgnoreNotFound(err) != nil {
			failures = append(failures, fmt.Errorf("delete credential mirror %s/%s: %w", mirror.Namespace, mirror.Name, err))
		}
	}
	return errors.Join(failures...)
}
