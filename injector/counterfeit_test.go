package injector

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// injectedBy is a ready pod as admission made it with a configuration.
func injectedBy(t testing.TB, cfg Config) *corev1.Pod {
	t.Helper()
	raw, pod := readPod(t, "testdata/plain/in.yaml")
	patch, err := Inject(pod, cfg)
	if err != nil {
		t.Fatal(err)
	}
	pod = decodePod(t, apply(t, raw, patch))
	pod.Namespace, pod.Name = "apps", "todo"
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, InitContainerStatuses: []corev1.ContainerStatus{{Name: ContainerName, Ready: true}}}
	return pod
}

func TestASidecarOfAnEarlierConfigurationIsOutdated(t *testing.T) {
	now := testConfig()
	now.TLSSecret = "todo-tls"
	const fix = "restart it (kubectl rollout restart), or let spec.sidecar.rollout: Automatic do so"
	for _, test := range []struct {
		name    string
		earlier func(*Config)
		says    string
	}{
		{"another tag", func(c *Config) { c.Image = "mcpauth/sidecar:older" }, "it is mcpauth/sidecar:older instead of mcpauth/sidecar:test"},
		{"a digest", func(c *Config) { c.Image = "mcpauth/sidecar@sha256:" + strings.Repeat("a", 64) }, "instead of mcpauth/sidecar:test"},
		{"the same repository by its full name", func(c *Config) { c.Image = "docker.io/mcpauth/sidecar:test" }, "it is docker.io/mcpauth/sidecar:test"},
		{"another port", func(c *Config) { c.Port = 16080 }, `its args are ["--policy=/etc/mcpauth/policy.json" "--listen=:16080"`},
		{"another port for probes", func(c *Config) { c.HealthPort = 16081 }, "--health-listen=:16081"},
		{"no certificate yet", func(c *Config) { c.TLSSecret = "" }, `does not serve with the certificate of Secret "todo-tls"`},
		{"another Secret", func(c *Config) { c.TLSSecret = "older-tls" }, `does not serve with the certificate of Secret "todo-tls"`},
		{"other resources", func(c *Config) { c.Resources = memory("1Gi") }, "its configuration has changed since the pod was created"},
	} {
		t.Run(test.name, func(t *testing.T) {
			earlier := now
			test.earlier(&earlier)
			findings := Assess(injectedBy(t, earlier), now)
			compareFindings(t, findings, reasons(v1alpha1.ReasonOutdated), test.says)
			if !strings.HasPrefix(findings[0].Message, "pod apps/todo: ") || !strings.HasSuffix(findings[0].Message, fix) {
				t.Errorf("the finding %q does not begin with the pod and end with the fix", findings[0].Message)
			}
			if patch, err := Inject(injectedBy(t, earlier), now); err == nil {
				t.Errorf("admission let it in with the patch %v", patch)
			}
		})
	}
	t.Run("a certificate that is asked for no more", func(t *testing.T) {
		compareFindings(t, Assess(injectedBy(t, now), testConfig()), reasons(v1alpha1.ReasonOutdated), "--tls-dir=/etc/mcpauth-tls")
	})
}

func TestWhatNoVersionEverWroteIsCounterfeit(t *testing.T) {
	yes := true
	now := testConfig()
	now.TLSSecret = "todo-tls"
	for _, test := range []struct {
		name string
		edit func(*corev1.Pod)
		says string
	}{
		{"an image of another repository", func(p *corev1.Pod) { findSidecar(p).Image = "example.com/mcpauth/sidecar:test" }, "is of another repository"},
		{"an image whose name only begins like it", func(p *corev1.Pod) { findSidecar(p).Image = "mcpauth/sidecar-open:test" }, "is of another repository"},
		{"an image that is none", func(p *corev1.Pod) { findSidecar(p).Image = "NOT AN IMAGE" }, "is of another repository"},
		{"a command", func(p *corev1.Pod) { findSidecar(p).Command = []string{"/bin/sleep"} }, "does not write command so"},
		{"an upstream elsewhere", func(p *corev1.Pod) { findSidecar(p).Args[0] = "--policy=/tmp/open.json" }, `the argument "--policy=/tmp/open.json"`},
		{"an address of one interface", func(p *corev1.Pod) { findSidecar(p).Args[1] = "--listen=:15080,:80" }, `the argument "--listen=:15080,:80"`},
		{"no policy", func(p *corev1.Pod) { findSidecar(p).Args = findSidecar(p).Args[1:] }, "--policy=/etc/mcpauth/policy.json is missing"},
		{"a root user", func(p *corev1.Pod) { findSidecar(p).SecurityContext.RunAsUser = new(int64) }, "allows more"},
		{"a privileged container", func(p *corev1.Pod) { findSidecar(p).SecurityContext.Privileged = &yes }, "allows more"},
		{"a capability", func(p *corev1.Pod) {
			findSidecar(p).SecurityContext.Capabilities.Add = []corev1.Capability{"NET_ADMIN"}
		}, "allows more"},
		{"no security context", func(p *corev1.Pod) { findSidecar(p).SecurityContext = nil }, "allows more"},
		{"a certificate that is no Secret", func(p *corev1.Pod) {
			p.Spec.Volumes[1].VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
		}, `the volume "mcpauth-tls" is no Secret`},
		{"a policy of another server", func(p *corev1.Pod) { p.Spec.Volumes[0].ConfigMap.Name = "mcpauth-other-policy" }, "is not the policy"},
		{"a mount over the policy", func(p *corev1.Pod) {
			findSidecar(p).VolumeMounts = append(findSidecar(p).VolumeMounts, corev1.VolumeMount{Name: "mine", MountPath: "/etc/mcpauth/policy.json", SubPath: "x"})
		}, "its volumeMounts"},
		{"a mount over the program", func(p *corev1.Pod) {
			findSidecar(p).VolumeMounts = append(findSidecar(p).VolumeMounts, corev1.VolumeMount{Name: "mine", MountPath: "sidecar"})
		}, "its volumeMounts"},
		{"a mount over everything", func(p *corev1.Pod) {
			findSidecar(p).VolumeMounts = append(findSidecar(p).VolumeMounts, corev1.VolumeMount{Name: "mine", MountPath: "//"})
		}, "its volumeMounts"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := injectedBy(t, now)
			test.edit(pod)
			findings := Assess(pod, now)
			if len(findings) == 0 || findings[0].Reason != v1alpha1.ReasonCounterfeit || !strings.Contains(findings[0].Message, test.says) {
				t.Fatalf("findings = %+v, want Counterfeit first, which says %q", findings, test.says)
			}
			if !strings.Contains(findings[0].Message, "find out who wrote it") {
				t.Errorf("the finding %q does not say what to do", findings[0].Message)
			}
			if patch, err := Inject(pod, now); err == nil {
				t.Errorf("admission let it in with the patch %v", patch)
			}
		})
	}
}

func TestWhatTheClusterLegitimatelyChangesIsNoDifference(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*corev1.Container)
	}{
		{"a resize in place", func(c *corev1.Container) {
			c.Resources = memory("2Gi")
			c.ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceMemory, RestartPolicy: corev1.RestartContainer}}
		}},
		{"a label of SELinux", func(c *corev1.Container) {
			c.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{Level: "s0:c26,c5"}
		}},
		{"a pull policy", func(c *corev1.Container) { c.ImagePullPolicy = corev1.PullAlways }},
		{"a probe of a mesh", func(c *corev1.Container) { c.ReadinessProbe.HTTPGet.Path = "/app-health/mcpauth-sidecar/readyz" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := injectedBy(t, testConfig())
			test.edit(findSidecar(pod))
			compareFindings(t, Assess(pod, testConfig()), nil, "")
			if patch, err := Inject(pod, testConfig()); err != nil || len(patch) > 0 {
				t.Errorf("Inject = %v, %v; want no operation and no error", patch, err)
			}
		})
	}
}

func TestAForgedMarkHidesNothingThatCounts(t *testing.T) {
	earlier := testConfig()
	earlier.Image = "mcpauth/sidecar:older"
	pod := injectedBy(t, earlier)
	pod.Annotations[v1alpha1.SidecarAnnotation] = testConfig().Shape()
	compareFindings(t, Assess(pod, testConfig()), reasons(v1alpha1.ReasonOutdated), "older")
}

func TestAMarkFromThePodTemplateGivesWayToWhatWasInjected(t *testing.T) {
	_, pod := readPod(t, "testdata/plain/in.yaml")
	pod.Annotations = map[string]string{v1alpha1.SidecarAnnotation: "of-the-template"}
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := Inject(pod, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	if got := decodePod(t, apply(t, raw, patch)).Annotations[v1alpha1.SidecarAnnotation]; got != testConfig().Shape() {
		t.Errorf("the pod is marked %q, want the shape that it was given", got)
	}
}
