package controllers

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
	"github.com/mcpauth/mcpauth/controllers/status"
	"github.com/mcpauth/mcpauth/injector"
	"github.com/mcpauth/mcpauth/policy"
)

// writePolicy puts the compiled policy where the sidecars mount it, with the keys
// that they start from while the authorization server is away. The policy of a
// server that is not accepted any more stays as it was: what runs goes on.
func (r *MCPServerReconciler) writePolicy(ctx context.Context, s *mcpServer) error {
	if s.compiled == nil {
		s.report.Add(notAccepted())
		return nil
	}
	jwks, err := r.bootstrapKeys(ctx, s)
	if err != nil {
		return err
	}
	if jwks == nil {
		s.report.Add(status.False(v1alpha1.ConditionProgrammed, v1alpha1.ReasonPending,
			"waits for the keys of AuthorizationServer %s, which its own status tells about", s.compiled.AuthorizationServer))
		return nil
	}
	p := *s.compiled.Policy
	p.JWKS = jwks
	encoded, err := p.Encode()
	if err != nil {
		return err
	}
	return apply(ctx, r.Client, mcpServerManager, &corev1.ConfigMap{}, manifests.PolicyConfigMap(s.object, encoded), corev1ac.ExtractConfigMap)
}

// bootstrapKeys are those that the authorization server publishes or, while its
// key Secret cannot be read, those that the policy has already.
func (r *MCPServerReconciler) bootstrapKeys(ctx context.Context, s *mcpServer) (json.RawMessage, error) {
	jwks, err := r.keys.of(ctx, s.compiled.AuthorizationServer)
	if jwks != nil || err != nil {
		return jwks, err
	}
	var written corev1.ConfigMap
	key := client.ObjectKey{Namespace: s.object.Namespace, Name: injector.ConfigMapName(s.object.Name)}
	if err := r.Get(ctx, key, &written); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read ConfigMap %s: %w", key, err)
	}
	p, err := policy.Decode([]byte(written.Data[policy.FileName]))
	if err != nil || len(p.JWKS) == 0 || string(p.JWKS) == "null" {
		return nil, nil // not written yet, or damaged by hand: there are no keys to keep
	}
	var compact json.RawMessage
	if compact, err = json.Marshal(p.JWKS); err != nil {
		return nil, fmt.Errorf("read the keys in ConfigMap %s: %w", key, err)
	}
	return compact, nil
}
