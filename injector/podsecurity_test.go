package injector

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// oddPods are pods whose own settings the sidecar must not suffer from.
func oddPods() map[string]func(*corev1.Pod) {
	yes, no, root, procs := true, false, int64(0), corev1.UnmaskedProcMount
	security := func(edit func(*corev1.PodSecurityContext)) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.SecurityContext = &corev1.PodSecurityContext{}
			edit(p.Spec.SecurityContext)
		}
	}
	return map[string]func(*corev1.Pod){
		"nothing said": func(*corev1.Pod) {},
		"root":         security(func(c *corev1.PodSecurityContext) { c.RunAsUser, c.RunAsGroup = &root, &root }),
		"root allowed": security(func(c *corev1.PodSecurityContext) { c.RunAsNonRoot = &no }),
		"not root":     security(func(c *corev1.PodSecurityContext) { c.RunAsNonRoot = &yes }),
		"groups":       security(func(c *corev1.PodSecurityContext) { c.FSGroup, c.SupplementalGroups = &root, []int64{0} }),
		"seccomp off":  security(func(c *corev1.PodSecurityContext) { c.SeccompProfile = seccomp(corev1.SeccompProfileTypeUnconfined) }),
		"seccomp on": security(func(c *corev1.PodSecurityContext) {
			c.SeccompProfile = seccomp(corev1.SeccompProfileTypeRuntimeDefault)
		}),
		"SELinux": security(func(c *corev1.PodSecurityContext) { c.SELinuxOptions = &corev1.SELinuxOptions{Type: "spc_t"} }),
		"AppArmor off": security(func(c *corev1.PodSecurityContext) {
			c.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
		}),
		"sysctls": security(func(c *corev1.PodSecurityContext) { c.Sysctls = []corev1.Sysctl{{Name: "kernel.msgmax", Value: "1"}} }),
		"Windows options": security(func(c *corev1.PodSecurityContext) {
			c.WindowsOptions = &corev1.WindowsSecurityContextOptions{HostProcess: &yes}
		}),
		"the node's users":  func(p *corev1.Pod) { p.Spec.HostUsers = &yes },
		"users of its own":  func(p *corev1.Pod) { p.Spec.HostUsers = &no },
		"the node's IPC":    func(p *corev1.Pod) { p.Spec.HostIPC = true },
		"a volume of nodes": func(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{hostPath()} },
		"a privileged app":  func(p *corev1.Pod) { appOf(p).SecurityContext = &corev1.SecurityContext{Privileged: &yes} },
		"unmasked proc":     func(p *corev1.Pod) { appOf(p).SecurityContext = &corev1.SecurityContext{ProcMount: &procs} },
		"another host port": func(p *corev1.Pod) {
			appOf(p).Ports = append(appOf(p).Ports, corev1.ContainerPort{ContainerPort: 9, HostPort: 9})
		},
		"a probe of the node": func(p *corev1.Pod) { appOf(p).LivenessProbe = probeOf("169.254.169.254") },
		"restricted": func(p *corev1.Pod) {
			appOf(p).SecurityContext = restricted()
		},
	}
}

func seccomp(kind corev1.SeccompProfileType) *corev1.SeccompProfile {
	return &corev1.SeccompProfile{Type: kind}
}

func hostPath() corev1.Volume {
	return corev1.Volume{Name: "node", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}
}

func probeOf(host string) *corev1.Probe {
	probe := testConfig().withDefaults().probe(1, 1)
	probe.HTTPGet.Host = host
	return probe
}

func TestInjectionAddsNoViolationOfAnyPodSecurityStandard(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg, newest := testConfig(), api.GetAPIVersion()
	cfg.TLSSecret = "todo-tls"
	for name, edit := range oddPods() {
		t.Run(name, func(t *testing.T) {
			_, before := readPod(t, "testdata/plain/in.yaml")
			edit(before)
			after := inject(t, before, cfg)
			for _, level := range []api.Level{api.LevelBaseline, api.LevelRestricted} {
				for minor := range newest.Minor() + 1 {
					standard := api.LevelVersion{Level: level, Version: api.MajorMinorVersion(1, minor)}
					if diff := cmp.Diff(violations(evaluator, standard, before), violations(evaluator, standard, after)); diff != "" {
						t.Errorf("violations of %s (-without +with the sidecar):\n%s", standard, diff)
					}
				}
			}
		})
	}
}

func TestARestrictedPodStaysRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, pod := readPod(t, "testdata/plain/in.yaml")
	appOf(pod).SecurityContext = restricted()
	latest := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	if found := violations(evaluator, latest, inject(t, pod, testConfig())); len(found) > 0 {
		t.Errorf("the injected pod violates %s: %q", latest, found)
	}
}

func violations(evaluator policy.Evaluator, standard api.LevelVersion, pod *corev1.Pod) []string {
	var found []string
	for _, result := range evaluator.EvaluatePod(standard, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			found = append(found, fmt.Sprintf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail))
		}
	}
	return found
}

// TestTheSidecarInheritsNothingThatItsPodSays holds of every setting that pod and
// container both have, also of those that a later Kubernetes adds.
func TestTheSidecarInheritsNothingThatItsPodSays(t *testing.T) {
	// What the sidecar leaves to its pod, and why.
	inherited := map[string]string{
		"seLinuxOptions":  "the label is the node's and the cluster's affair",
		"appArmorProfile": "a node without AppArmor refuses a pod that names a profile",
		"windowsOptions":  "a Windows pod is refused",
	}
	own := reflect.ValueOf(*restricted())
	ofPod := reflect.TypeFor[corev1.PodSecurityContext]()
	for i := range ofPod.NumField() {
		field := ofPod.Field(i)
		setting, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		value := own.FieldByName(field.Name)
		if _, left := inherited[setting]; left || !value.IsValid() {
			continue
		}
		if value.IsNil() {
			t.Errorf("the sidecar does not set %s, so it is as the pod says", setting)
		}
	}
}
