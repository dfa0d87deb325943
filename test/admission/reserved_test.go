package admission

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/injector"
)

func TestAttack40_NamesOfTheWebhookAreRefusedInPodsThatItDoesNotSee(t *testing.T) {
	c := start(t)
	always := corev1.ContainerRestartPolicyAlways
	mimic := corev1.Container{Name: injector.ContainerName, Image: sidecarImage, RestartPolicy: &always}
	for _, test := range []struct {
		name string
		edit func(*corev1.Pod)
		says string
	}{
		{"a native sidecar", func(p *corev1.Pod) { p.Spec.InitContainers = []corev1.Container{mimic} }, "the container mcpauth-sidecar: only the webhook of mcpauth may write that"},
		{"an ordinary container", func(p *corev1.Pod) {
			plain := mimic
			plain.RestartPolicy = nil
			p.Spec.Containers = append(p.Spec.Containers, plain)
		}, "the container mcpauth-sidecar"},
		{"the volume of the policy", withClaim, "the volume mcpauth-policy"},
		{"the volume of the key", func(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{{Name: injector.TLSVolumeName}} }, "the volume mcpauth-tls"},
		{"the annotation", func(p *corev1.Pod) { p.Annotations = map[string]string{v1alpha1.InjectedAnnotation: sidecarImage} }, "the annotation mcpauth.dev/injected"},
		{"several of them", func(p *corev1.Pod) {
			withClaim(p)
			p.Spec.InitContainers = []corev1.Container{mimic}
		}, "the container mcpauth-sidecar and the volume mcpauth-policy: only"},
	} {
		t.Run(test.name, func(t *testing.T) {
			refused(t, c.Create(t.Context(), pod("mimic", test.edit)), "ValidatingAdmissionPolicy 'mcpauth-reserved-names'", test.says, "label it mcpauth.dev/server")
		})
	}
}

func TestPodsThatAskForNothingAndClaimNothingPass(t *testing.T) {
	c := start(t)
	for name, edit := range map[string]func(*corev1.Pod){
		"bare": func(*corev1.Pod) {},
		"with all fields": func(p *corev1.Pod) {
			p.Labels, p.Annotations = map[string]string{"app": "x"}, map[string]string{"note": "x"}
		},
		"with similar names": func(p *corev1.Pod) {
			p.Spec.Containers[0].Name = "mcpauth-sidecar-2"
			p.Spec.Volumes = []corev1.Volume{{Name: "mcpauth"}}
		},
		"with an init container": func(p *corev1.Pod) { p.Spec.InitContainers = []corev1.Container{{Name: "setup", Image: "setup:1"}} },
	} {
		t.Run(name, func(t *testing.T) {
			p := c.stored(t, pod("plain", edit))
			p.Labels = map[string]string{"app": "renamed"}
			if err := c.Update(t.Context(), p); err != nil {
				t.Errorf("update: %v", err)
			}
		})
	}
}

func TestAnInjectedPodStaysAsItWasInjected(t *testing.T) {
	c := start(t)
	for _, test := range []struct {
		name string
		edit func(*corev1.Pod)
		says string
	}{
		{"its label changes", func(p *corev1.Pod) { p.Labels[v1alpha1.ServerLabel] = "other" }, "its label mcpauth.dev/server stays as it is"},
		{"its label is removed", func(p *corev1.Pod) { delete(p.Labels, v1alpha1.ServerLabel) }, "change the annotation mcpauth.dev/server of the Deployment"},
		{"its annotation changes", func(p *corev1.Pod) { p.Annotations[v1alpha1.InjectedAnnotation] = "another" }, "annotation mcpauth.dev/injected says what admission did"},
		{"its annotation is removed", func(p *corev1.Pod) { delete(p.Annotations, v1alpha1.InjectedAnnotation) }, "annotation mcpauth.dev/injected says what admission did"},
		{"its sidecar becomes another image", func(p *corev1.Pod) { p.Spec.InitContainers[0].Image = "example.com/lets-everybody-in" }, "the image of the container mcpauth-sidecar"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := c.stored(t, pod("todo", labelled))
			test.edit(p)
			refused(t, c.Update(t.Context(), p), "ValidatingAdmissionPolicy 'mcpauth-injected-pods'", test.says)
		})
	}
	t.Run("while everything else may change", func(t *testing.T) {
		p := c.stored(t, pod("todo", labelled))
		p.Labels["app"], p.Annotations["note"], p.Spec.Containers[0].Image = "x", "x", "todo:2"
		if err := c.Update(t.Context(), p); err != nil {
			t.Error(err)
		}
	})
}

func TestAPodThatWasNeverInjectedCannotBeMarkedSo(t *testing.T) {
	c := start(t)
	p := c.stored(t, pod("plain"))
	p.Annotations = map[string]string{v1alpha1.InjectedAnnotation: sidecarImage}
	refused(t, c.Update(t.Context(), p), "annotation mcpauth.dev/injected")

	// The label alone hides nothing: the pod shows as NotInjected in the server's status.
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(p), p); err != nil {
		t.Fatal(err)
	}
	labelled(p)
	if err := c.Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	findings := injector.Assess(p, injector.Config{Server: "todo", Image: sidecarImage, AppPort: 8080})
	if len(findings) != 1 || findings[0].Reason != v1alpha1.ReasonNotInjected {
		t.Errorf("findings = %+v, want NotInjected", findings)
	}
}

func TestAnEphemeralContainerNeitherPassesForTheSidecarNorReadsItsKey(t *testing.T) {
	c := start(t)
	debugger := func(name string, mounts ...corev1.VolumeMount) corev1.EphemeralContainer {
		return corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: name, Image: "debug:1", VolumeMounts: mounts, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		}}
	}
	server := &v1alpha1.MCPServer{}
	server.Namespace, server.Name = namespace, "with-tls"
	server.Spec = v1alpha1.MCPServerSpec{
		AuthorizationServerRef: v1alpha1.AuthorizationServerReference{Name: "main"}, URL: "https://tls.example.com/mcp",
		Workload: &v1alpha1.Workload{Port: 8080}, TLS: &v1alpha1.SidecarTLS{SecretName: "tls"},
	}
	if err := c.Create(t.Context(), server); err != nil {
		t.Fatal(err)
	}
	p := pod("with-tls", func(p *corev1.Pod) { p.Labels = map[string]string{v1alpha1.ServerLabel: "with-tls"} })
	if err := wait("the webhook to know the server", func() error { return c.Create(t.Context(), p.DeepCopy(), client.DryRunAll) }); err != nil {
		t.Fatal(err)
	}
	plain, injected := c.stored(t, pod("plain")), c.stored(t, p)
	for _, test := range []struct {
		name string
		into *corev1.Pod
		add  corev1.EphemeralContainer
		says string
	}{
		{"the name", plain, debugger(injector.ContainerName), "may not be called mcpauth-sidecar"},
		{"the key", injected, debugger("debug", corev1.VolumeMount{Name: injector.TLSVolumeName, MountPath: "/tls"}), "nor mount the volume mcpauth-tls"},
		{"anything else", injected, debugger("debug"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := test.into.DeepCopy()
			changed.Spec.EphemeralContainers = append(changed.Spec.EphemeralContainers, test.add)
			err := c.SubResource("ephemeralcontainers").Update(t.Context(), changed)
			if test.says == "" {
				if err != nil {
					t.Errorf("update: %v", err)
				}
				return
			}
			refused(t, err, test.says)
		})
	}
}
