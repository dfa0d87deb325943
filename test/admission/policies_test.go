package admission

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/injector"
)

// Whoever could write what a sidecar enforces could name keys of their own.
func TestNobodyButTheOperatorWritesWhatASidecarEnforces(t *testing.T) {
	c := start(t)
	const operator = "system:serviceaccount:mcpauth-system:mcpauth-operator"
	configMap := func(name string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string]string{"policy.json": "{}"}}
	}
	// Policies take a moment to take hold.
	if err := wait("the policy to decide", func() error {
		if err := c.Create(t.Context(), configMap(injector.ConfigMapName("probe")), client.DryRunAll); !apierrors.IsForbidden(err) {
			return fmt.Errorf("a foreign policy was answered with: %w", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	name := injector.ConfigMapName("todo")
	written := configMap(name)
	if err := c.as(t, operator).Create(t.Context(), written); err != nil {
		t.Fatalf("the operator cannot write it: %v", err)
	}
	written.Data["policy.json"] = `{"jwks":{}}`
	for _, user := range []string{"alice", "system:serviceaccount:apps:mcpauth-operator", "system:serviceaccount:mcpauth-system:default"} {
		err := c.as(t, user).Update(t.Context(), written.DeepCopy())
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "only the operator of mcpauth writes them") {
			t.Errorf("%s: %v", user, err)
		}
	}
	if err := c.as(t, operator).Update(t.Context(), written); err != nil {
		t.Errorf("the operator cannot change it: %v", err)
	}
	for _, other := range []string{"my-policy", "mcpauth-notes"} {
		if err := c.as(t, "alice").Create(t.Context(), configMap(other)); err != nil {
			t.Errorf("%s: %v", other, err)
		}
	}
}
