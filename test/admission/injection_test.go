package admission

import (
	"context"
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/injector"
)

// TestAPodOfAnyKindIsInjectedAndStored has pods as Deployments, Jobs, CronJobs and
// people make them.
func TestAPodOfAnyKindIsInjectedAndStored(t *testing.T) {
	c := start(t)
	restart := func(policy corev1.RestartPolicy) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.RestartPolicy = policy }
	}
	deadline := int64(60)
	for _, test := range []struct {
		name  string
		edits []func(*corev1.Pod)
	}{
		{"a Deployment's", []func(*corev1.Pod){labelled, restart(corev1.RestartPolicyAlways)}},
		{"a Job's that is not tried again", []func(*corev1.Pod){labelled, restart(corev1.RestartPolicyNever)}},
		{"a Job's that is tried again", []func(*corev1.Pod){annotated, restart(corev1.RestartPolicyOnFailure), func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = &deadline }}},
		{"a bare one", []func(*corev1.Pod){annotated}},
		{"one with settings of its own", []func(*corev1.Pod){labelled, func(p *corev1.Pod) {
			root := int64(0)
			p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: &root, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}}
		}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := c.stored(t, pod("todo", test.edits...))
			cfg := injector.Config{Server: "todo", Image: sidecarImage, AppPort: 8080}
			p.Status = corev1.PodStatus{Phase: corev1.PodRunning, InitContainerStatuses: []corev1.ContainerStatus{{Name: injector.ContainerName, Ready: true}}}
			if findings := injector.Assess(p, cfg); len(findings) > 0 {
				t.Errorf("the stored pod is not protected: %+v", findings)
			}
			if p.Annotations[v1alpha1.SidecarAnnotation] != cfg.Shape() {
				t.Errorf("the pod is marked %q, want %q", p.Annotations[v1alpha1.SidecarAnnotation], cfg.Shape())
			}
		})
	}
}

func TestAPodThatCannotBeProtectedIsRefusedInWords(t *testing.T) {
	c := start(t)
	for _, test := range []struct {
		name string
		edit func(*corev1.Pod)
		says string
	}{
		{"on the node's network", func(p *corev1.Pod) { p.Spec.HostNetwork = true }, "set hostNetwork: false"},
		{"on Windows", func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }, "run the server on Linux"},
		{"with the sidecar's port", func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "other", Image: "other:1", Ports: []corev1.ContainerPort{{ContainerPort: injector.DefaultPort}}})
		}, `container "other" declares port 15080, which the sidecar needs; let it listen on another`},
		{"with the key in the app", func(p *corev1.Pod) {
			p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: injector.TLSVolumeName, MountPath: "/tls"}}
		}, "remove that volumeMount"},
	} {
		t.Run(test.name, func(t *testing.T) {
			refused(t, c.Create(t.Context(), pod("todo", labelled, test.edit)),
				`admission webhook "pods-that-ask-for-a-sidecar-need-the-mcpauth-operator.by-label.mcpauth.dev" denied the request`,
				`MCPServer "todo" cannot protect the pod`, test.says)
		})
	}
}

func TestAttack41_WhileTheOperatorIsAwayNoPodThatAsksIsStored(t *testing.T) {
	c := start(t)
	c.withHooks(t, func(hooks []admissionv1.MutatingWebhook) []admissionv1.MutatingWebhook {
		nobody := "https://127.0.0.1:1" + injector.Path
		for i := range hooks {
			hooks[i].ClientConfig.URL = &nobody
		}
		return hooks
	})
	for name, ask := range map[string]func(*corev1.Pod){"by-label": labelled, "by-annotation": annotated} {
		t.Run(name, func(t *testing.T) {
			err := c.Create(t.Context(), pod("todo", ask))
			hook := `failed calling webhook "pods-that-ask-for-a-sidecar-need-the-mcpauth-operator.` + name + `.mcpauth.dev"`
			if !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), hook) {
				t.Errorf("the API server answered %v, want an internal error that says %q", err, hook)
			}
		})
	}
	if err := c.Create(t.Context(), pod("plain"), client.DryRunAll); err != nil {
		t.Errorf("a pod that asks for nothing was refused: %v", err)
	}
}

func TestAttack41_WithoutItsWebhookInstalledNoPodThatAsksIsStored(t *testing.T) {
	c := start(t)
	c.withHooks(t, func([]admissionv1.MutatingWebhook) []admissionv1.MutatingWebhook { return nil })
	for name, ask := range map[string]func(*corev1.Pod){"label": labelled, "annotation": annotated} {
		t.Run(name, func(t *testing.T) {
			refused(t, c.Create(t.Context(), pod("todo", ask)), `protected by MCPServer "todo" and was not given the sidecar`,
				"is the MutatingWebhookConfiguration mcpauth-injector installed")
		})
	}
}

// withHooks has other webhooks in place until the test ends, and waits until the API
// server has noticed, both times: a pod that asks is refused, then let in.
func (c *cluster) withHooks(t *testing.T, edit func([]admissionv1.MutatingWebhook) []admissionv1.MutatingWebhook) {
	t.Helper()
	installed := c.setHooks(t, edit)
	t.Cleanup(func() {
		c.setHooks(t, func([]admissionv1.MutatingWebhook) []admissionv1.MutatingWebhook { return installed })
		c.waitFor(t, "the webhook to be back", func(err error) bool { return err == nil })
	})
	c.waitFor(t, "the webhook to be gone", func(err error) bool { return err != nil })
}

// setHooks returns the webhooks that were in place before.
func (c *cluster) setHooks(t *testing.T, edit func([]admissionv1.MutatingWebhook) []admissionv1.MutatingWebhook) []admissionv1.MutatingWebhook {
	t.Helper()
	var config admissionv1.MutatingWebhookConfiguration
	if err := c.Get(context.Background(), client.ObjectKey{Name: "mcpauth-injector"}, &config); err != nil {
		t.Fatal(err)
	}
	before := config.DeepCopy().Webhooks
	config.Webhooks = edit(config.Webhooks)
	if err := c.Update(context.Background(), &config); err != nil {
		t.Fatal(err)
	}
	return before
}

// waitFor waits until both ways of asking are answered as wanted.
func (c *cluster) waitFor(t *testing.T, what string, wanted func(error) bool) {
	t.Helper()
	for _, ask := range []func(*corev1.Pod){labelled, annotated} {
		err := wait(what, func() error {
			if err := c.Create(context.Background(), pod("todo", ask), client.DryRunAll); !wanted(err) {
				return fmt.Errorf("a pod that asks was answered with: %w", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
