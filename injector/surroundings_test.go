package injector

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

func TestAPodThatNoSidecarCanGuardIsRefusedWithWhatToDo(t *testing.T) {
	yes, own, other := true, user, int64(1000)
	withTLS := testConfig()
	withTLS.TLSSecret = "todo-tls"
	for _, test := range []struct {
		name   string
		edit   func(*corev1.Pod)
		reason v1alpha1.Reason
		says   string
	}{
		{"a static pod", func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }, v1alpha1.ReasonNotInjected, "let a Deployment run it"},
		{"a Windows pod", func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }, v1alpha1.ReasonNotInjected, "run the server on Linux"},
		{"a pod for Windows nodes", func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{corev1.LabelOSStable: "windows"} }, v1alpha1.ReasonNotInjected, "run the server on Linux"},
		{"the node's network", func(p *corev1.Pod) { p.Spec.HostNetwork = true }, v1alpha1.ReasonBypassed, "set hostNetwork: false"},
		{"a hosts file that misleads the sidecar", func(p *corev1.Pod) {
			p.Spec.HostAliases = []corev1.HostAlias{{IP: "10.1.2.3", Hostnames: []string{"db", "Main-AuthServer.auth.svc."}}}
		}, v1alpha1.ReasonBypassed, "remove that alias"},
		{"shared processes and an unknown user", func(p *corev1.Pod) { p.Spec.ShareProcessNamespace = &yes }, v1alpha1.ReasonBypassed, "set runAsUser of the container to another user"},
		{"shared processes and the sidecar's user", func(p *corev1.Pod) {
			p.Spec.ShareProcessNamespace, p.Spec.SecurityContext = &yes, &corev1.PodSecurityContext{RunAsUser: &own}
		}, v1alpha1.ReasonBypassed, "may run as the same user, 65532"},
		{"shared processes and the sidecar's user over another one's", func(p *corev1.Pod) {
			p.Spec.ShareProcessNamespace, p.Spec.SecurityContext = &yes, &corev1.PodSecurityContext{RunAsUser: &other}
			appOf(p).SecurityContext = &corev1.SecurityContext{RunAsUser: &own}
		}, v1alpha1.ReasonBypassed, "may run as the same user, 65532"},
		{"shared processes and tracing", func(p *corev1.Pod) {
			p.Spec.ShareProcessNamespace = &yes
			appOf(p).SecurityContext = &corev1.SecurityContext{RunAsUser: &other, Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"CAP_SYS_PTRACE"}}}
		}, v1alpha1.ReasonBypassed, "remove shareProcessNamespace and hostPID, or the container's privileges"},
		{"the node's processes and privileges", func(p *corev1.Pod) {
			p.Spec.HostPID = true
			appOf(p).SecurityContext = &corev1.SecurityContext{RunAsUser: &other, Privileged: &yes}
		}, v1alpha1.ReasonBypassed, "or the container's privileges"},
		{"the key in another container", func(p *corev1.Pod) {
			appOf(p).VolumeMounts = []corev1.VolumeMount{{Name: TLSVolumeName, MountPath: "/tls"}}
		}, v1alpha1.ReasonBypassed, "remove that volumeMount"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, pod := readPod(t, "testdata/plain/in.yaml")
			test.edit(pod)
			patch, err := Inject(pod, withTLS)
			var refusal *Refusal
			if !errors.As(err, &refusal) || !strings.Contains(refusal.Message, test.says) {
				t.Errorf("Inject = %v, %v; want a *Refusal that says %q", patch, err, test.says)
			}
			injected := injectedBy(t, withTLS)
			annotations := injected.Annotations
			test.edit(injected)
			for key, value := range annotations {
				if injected.Annotations[key] == "" {
					injected.Annotations[key] = value
				}
			}
			compareFindings(t, Assess(injected, withTLS), reasons(test.reason), test.says)
		})
	}
}

func TestAPodThatIsOnlyOddIsLetIn(t *testing.T) {
	yes, other := true, int64(1000)
	for _, test := range []struct {
		name string
		edit func(*corev1.Pod)
	}{
		{"shared processes of another user", func(p *corev1.Pod) {
			p.Spec.ShareProcessNamespace, p.Spec.SecurityContext = &yes, &corev1.PodSecurityContext{RunAsUser: &other}
		}},
		{"a privileged app", func(p *corev1.Pod) { appOf(p).SecurityContext = &corev1.SecurityContext{Privileged: &yes} }},
		{"an app that may change its network", func(p *corev1.Pod) {
			appOf(p).SecurityContext = &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN", "NET_RAW"}}}
		}},
		{"an app of the sidecar's user", func(p *corev1.Pod) { uid := user; appOf(p).SecurityContext = &corev1.SecurityContext{RunAsUser: &uid} }},
		{"an app that reads the policy", func(p *corev1.Pod) {
			appOf(p).VolumeMounts = []corev1.VolumeMount{{Name: VolumeName, MountPath: "/policy"}}
		}},
		{"names of other hosts", func(p *corev1.Pod) {
			p.Spec.HostAliases = []corev1.HostAlias{{IP: "10.1.2.3", Hostnames: []string{"db.example.com", "svc"}}}
		}},
		{"a Job's pod", func(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyNever }},
		{"a pod for Linux", func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Linux} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, pod := readPod(t, "testdata/plain/in.yaml")
			test.edit(pod)
			if _, err := Inject(pod, testConfig()); err != nil {
				t.Errorf("Inject: %v", err)
			}
			injected := injectedBy(t, testConfig())
			test.edit(injected)
			compareFindings(t, Assess(injected, testConfig()), nil, "")
		})
	}
}
