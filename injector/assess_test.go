package injector

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// protectedPod is an injected pod that runs and is ready, changed by the edits.
func protectedPod(t testing.TB, edits ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	_, pod := readPod(t, "testdata/already-injected/in.yaml")
	pod.Namespace = "apps"
	pod.Status = corev1.PodStatus{
		Phase:                 corev1.PodRunning,
		InitContainerStatuses: []corev1.ContainerStatus{{Name: ContainerName, Ready: true}},
	}
	for _, edit := range edits {
		edit(pod)
	}
	return pod
}

func appOf(pod *corev1.Pod) *corev1.Container { return &pod.Spec.Containers[0] }

func TestAssess(t *testing.T) {
	never := corev1.ContainerRestartPolicy("Never")
	for _, test := range []struct {
		name string
		edit func(*corev1.Pod)
		want []v1alpha1.Reason
		says string
	}{
		{"believes a pod that runs what is injected", func(*corev1.Pod) {}, nil, ""},
		{"believes it without any mark", func(p *corev1.Pod) { p.Annotations, p.Labels = nil, nil }, nil, ""},
		{"believes it whatever a LimitRange set", func(p *corev1.Pod) { findSidecar(p).Resources = corev1.ResourceRequirements{} }, nil, ""},
		{"believes it with variables that steer nothing", func(p *corev1.Pod) {
			findSidecar(p).Env = []corev1.EnvVar{{Name: "AWS_REGION", Value: "eu-west-1"}}
		}, nil, ""},
		{"has nothing to say of a pod that has ended", func(p *corev1.Pod) {
			p.Spec.InitContainers, p.Status.Phase = nil, corev1.PodSucceeded
		}, nil, ""},

		{"misses the sidecar, whatever the annotation says", func(p *corev1.Pod) { p.Spec.InitContainers = nil }, reasons(v1alpha1.ReasonNotInjected), "runs without the sidecar"},
		{"does not take a container of the name for the sidecar", func(p *corev1.Pod) {
			p.Spec.Containers, p.Spec.InitContainers = append(p.Spec.Containers, *findSidecar(p)), nil
		}, reasons(v1alpha1.ReasonCounterfeit), "is not the sidecar, which is an init container"},
		{"sees another image", func(p *corev1.Pod) { findSidecar(p).Image = "mcpauth/sidecar:older" }, reasons(v1alpha1.ReasonOutdated), "it is mcpauth/sidecar:older instead of mcpauth/sidecar:test"},
		{"sees another command", func(p *corev1.Pod) { findSidecar(p).Command = []string{"/bin/sleep"} }, reasons(v1alpha1.ReasonCounterfeit), "does not write command so"},
		{"sees other arguments", func(p *corev1.Pod) { findSidecar(p).Args[0] = "--policy=/tmp/mine.json" }, reasons(v1alpha1.ReasonCounterfeit), `the argument "--policy=/tmp/mine.json" is none`},
		{"sees an argument too many", func(p *corev1.Pod) {
			findSidecar(p).Args = append(findSidecar(p).Args, "--upstream-url=http://elsewhere")
		}, reasons(v1alpha1.ReasonCounterfeit), `the argument "--upstream-url=http://elsewhere" is none`},
		{"sees an init container that ends", func(p *corev1.Pod) { findSidecar(p).RestartPolicy = nil }, reasons(v1alpha1.ReasonCounterfeit), "an init container that ends"},
		{"sees a restart policy that is not Always", func(p *corev1.Pod) { findSidecar(p).RestartPolicy = &never }, reasons(v1alpha1.ReasonCounterfeit), "an init container that ends"},
		{"sees a policy mount that is missing", func(p *corev1.Pod) { findSidecar(p).VolumeMounts = findSidecar(p).VolumeMounts[1:] }, reasons(v1alpha1.ReasonCounterfeit), "its volumeMounts are none that the webhook writes"},
		{"sees a mount over the trusted certificates", func(p *corev1.Pod) {
			findSidecar(p).VolumeMounts = append(findSidecar(p).VolumeMounts, corev1.VolumeMount{Name: "mine", MountPath: "/etc/ssl/certs"})
		}, reasons(v1alpha1.ReasonCounterfeit), "its volumeMounts are none that the webhook writes"},
		{"sees a mount whose path only begins like a credential's", func(p *corev1.Pod) {
			findSidecar(p).VolumeMounts = append(findSidecar(p).VolumeMounts, corev1.VolumeMount{Name: "mine", MountPath: "/var/run/secrets/../../../etc/mcpauth"})
		}, reasons(v1alpha1.ReasonCounterfeit), "its volumeMounts are none that the webhook writes"},
		{"sees a variable that steers", func(p *corev1.Pod) {
			findSidecar(p).Env = []corev1.EnvVar{{Name: "HTTPS_PROXY", Value: "http://127.0.0.1:1"}}
		}, reasons(v1alpha1.ReasonCounterfeit), "does not write env so"},
		{"sees variables from elsewhere", func(p *corev1.Pod) { findSidecar(p).EnvFrom = []corev1.EnvFromSource{{Prefix: "X"}} }, reasons(v1alpha1.ReasonCounterfeit), "does not write envFrom so"},
		{"sees a hook", func(p *corev1.Pod) {
			findSidecar(p).Lifecycle = &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{}}
		}, reasons(v1alpha1.ReasonCounterfeit), "does not write lifecycle so"},
		{"sees privileges", func(p *corev1.Pod) { *findSidecar(p).SecurityContext.AllowPrivilegeEscalation = true }, reasons(v1alpha1.ReasonCounterfeit), "allows more than the webhook ever does"},
		{"names all differences", func(p *corev1.Pod) { findSidecar(p).Image, findSidecar(p).TTY = "x", true }, reasons(v1alpha1.ReasonCounterfeit), `the image "x" is of another repository than "mcpauth/sidecar:test"; the webhook does not write tty so`},
		{"sees another ConfigMap", func(p *corev1.Pod) { p.Spec.Volumes[0].ConfigMap.Name = "mine" }, reasons(v1alpha1.ReasonCounterfeit), `not the policy in ConfigMap "mcpauth-todo-policy"`},
		{"sees a volume of another kind", func(p *corev1.Pod) {
			p.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
		}, reasons(v1alpha1.ReasonCounterfeit), "not the policy"},
		{"sees entries of the ConfigMap exchanged", func(p *corev1.Pod) {
			p.Spec.Volumes[0].ConfigMap.Items = []corev1.KeyToPath{{Key: "other.json", Path: "policy.json"}}
		}, reasons(v1alpha1.ReasonCounterfeit), "not the policy"},
		{"sees that the app's port is another by now", func(p *corev1.Pod) { appOf(p).Ports[0].ContainerPort = 9999 }, reasons(v1alpha1.ReasonOutdated), "no container declares port 8080"},

		{"sees a sidecar that holds no name", func(p *corev1.Pod) { findSidecar(p).Ports[0].Name = "" }, reasons(v1alpha1.ReasonCounterfeit), "has not taken over the name"},
		{"sees a sidecar without ports", func(p *corev1.Pod) { findSidecar(p).Ports = nil }, reasons(v1alpha1.ReasonCounterfeit, v1alpha1.ReasonOutdated), "differs in ports"},
		{"sees an app that has kept a name", func(p *corev1.Pod) { appOf(p).Ports[0].Name = "web" }, reasons(v1alpha1.ReasonBypassed), `still calls port 8080 "web"`},
		{"sees a name that another container holds too", func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "other", Ports: []corev1.ContainerPort{{Name: "mcp", ContainerPort: 9090}}})
		}, reasons(v1alpha1.ReasonBypassed), `named "mcp" too`},
		{"sees an app port on the node", func(p *corev1.Pod) { appOf(p).Ports[0].HostPort = 30080 }, reasons(v1alpha1.ReasonBypassed), "remove the hostPort"},
		{"sees the node's network", func(p *corev1.Pod) { p.Spec.HostNetwork = true }, reasons(v1alpha1.ReasonBypassed), "set hostNetwork: false"},

		{"waits for a sidecar that starts", func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} }, reasons(v1alpha1.ReasonPending), "not ready yet"},
		{"sees a sidecar that is no longer ready", func(p *corev1.Pod) { p.Status.InitContainerStatuses[0].Ready = false }, reasons(v1alpha1.ReasonNotReady), "kubectl logs -n apps todo -c mcpauth-sidecar"},
		{"sees a sidecar without a status", func(p *corev1.Pod) { p.Status.InitContainerStatuses = nil }, reasons(v1alpha1.ReasonNotReady), "is not ready"},
	} {
		t.Run(test.name, func(t *testing.T) {
			findings := Assess(protectedPod(t, test.edit), testConfig())
			compareFindings(t, findings, test.want, test.says)
			for _, f := range findings {
				if !strings.Contains(f.Message, "apps/todo") {
					t.Errorf("the finding %q does not name the pod", f.Message)
				}
			}
		})
	}
}

func reasons(r ...v1alpha1.Reason) []v1alpha1.Reason { return r }

func compareFindings(t *testing.T, got []Finding, want []v1alpha1.Reason, says string) {
	t.Helper()
	var found []v1alpha1.Reason
	var messages []string
	for _, f := range got {
		found, messages = append(found, f.Reason), append(messages, f.Message)
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("reasons (-want +got):\n%s\nfindings: %q", diff, messages)
	}
	if text := strings.Join(messages, "\n"); !strings.Contains(text, says) {
		t.Errorf("the findings do not say %q:\n%s", says, text)
	}
}

func TestAssessBelievesWhatInjectMadeOfEveryPod(t *testing.T) {
	for _, name := range cases(t) {
		raw, pod := readPod(t, "testdata/"+name+"/in.yaml")
		patch, err := Inject(pod, testConfig())
		if err != nil {
			continue // TestAttack40 has the pods that are refused.
		}
		t.Run(name, func(t *testing.T) {
			injected := decodePod(t, apply(t, raw, patch))
			injected.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: ContainerName, Ready: true}}
			compareFindings(t, Assess(injected, testConfig()), nil, "")
		})
	}
}

func TestAttack40_NoMimicIsInjectedAsItIsNorBelieved(t *testing.T) {
	for _, name := range cases(t) {
		if !strings.HasPrefix(name, "mimic-") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			_, pod := readPod(t, "testdata/"+name+"/in.yaml")
			if patch, err := Inject(pod, testConfig()); err == nil {
				t.Errorf("Inject let the mimic in, with the patch %v", patch)
			}
			pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: ContainerName, Ready: true}}
			if findings := Assess(pod, testConfig()); len(findings) == 0 {
				t.Error("Assess believes the mimic")
			}
		})
	}
}

func BenchmarkAssess(b *testing.B) {
	pod, cfg := protectedPod(b), testConfig()
	b.ReportAllocs()
	for b.Loop() {
		if findings := Assess(pod, cfg); len(findings) > 0 {
			b.Fatal(findings)
		}
	}
}
