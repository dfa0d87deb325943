package injector

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// inject is the pod as admission makes it.
func inject(t testing.TB, pod *corev1.Pod, cfg Config) *corev1.Pod {
	t.Helper()
	patch, err := Inject(pod, cfg)
	if err != nil {
		t.Fatalf("Inject: %v", err)
	}
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	return decodePod(t, apply(t, raw, patch))
}

// everyContainer calls visit for the containers of a pod but one.
func everyContainer(pod *corev1.Pod, except string, visit func(*corev1.Container)) {
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			if list[i].Name != except {
				visit(&list[i])
			}
		}
	}
}

func hasContainer(pod *corev1.Pod, name string) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == name })
}

// mesh does what Istio's injector does with native sidecars: an init container and a
// proxy first, and its own address in all HTTP probes.
func mesh(pod *corev1.Pod) {
	const proxy = "istio-proxy"
	if !hasContainer(pod, proxy) {
		always := corev1.ContainerRestartPolicyAlways
		pod.Spec.InitContainers = append([]corev1.Container{
			{Name: "istio-init", Image: "istio/proxyv2:1"},
			{Name: proxy, Image: "istio/proxyv2:1", RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: "http-envoy-prom", ContainerPort: 15090}}},
		}, pod.Spec.InitContainers...)
		pod.Spec.Volumes = append([]corev1.Volume{{Name: "istio-envoy"}}, pod.Spec.Volumes...)
	}
	everyContainer(pod, proxy, func(c *corev1.Container) {
		for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
			if probe != nil && probe.HTTPGet != nil && !strings.HasPrefix(probe.HTTPGet.Path, "/app-health/") {
				probe.HTTPGet.Path, probe.HTTPGet.Port = "/app-health/"+c.Name+"/readyz", intstr.FromInt32(15020)
			}
		}
	})
}

// identity does what the injectors of cloud identities do: variables and a token for
// all containers.
func identity(pod *corev1.Pod) {
	everyContainer(pod, "", func(c *corev1.Container) {
		if slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "AWS_ROLE_ARN" }) {
			return
		}
		c.Env = append(c.Env, corev1.EnvVar{Name: "AWS_ROLE_ARN", Value: "arn:aws:iam::1:role/todo"})
		c.VolumeMounts = append([]corev1.VolumeMount{{Name: "aws-iam-token", MountPath: "/var/run/secrets/eks.amazonaws.com/serviceaccount", ReadOnly: true}}, c.VolumeMounts...)
	})
	if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == "aws-iam-token" }) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "aws-iam-token"})
	}
}

// vault does what a secrets agent does: files for all containers and an agent last.
func vault(pod *corev1.Pod) {
	if !hasContainer(pod, "vault-agent") {
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{Name: "vault-agent", Image: "vault:1"})
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "vault-secrets"})
	}
	everyContainer(pod, "vault-agent", func(c *corev1.Container) {
		if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == "vault-secrets" }) {
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "vault-secrets", MountPath: "/vault/secrets"})
		}
	})
}

// TestInjectionHoldsBesideOtherInjectorsInWhateverOrder plays the API server's rounds:
// all mutating webhooks in some order, then all once more.
func TestInjectionHoldsBesideOtherInjectorsInWhateverOrder(t *testing.T) {
	others := map[string]func(*corev1.Pod){"mesh": mesh, "identity": identity, "vault": vault}
	for _, order := range []string{
		"us mesh", "mesh us", "us identity", "identity us", "us vault", "vault us",
		"us mesh identity vault", "mesh us identity vault", "mesh identity us vault", "mesh identity vault us",
		"vault identity mesh us", "vault us mesh identity", "identity us vault mesh", "us vault identity mesh",
	} {
		t.Run(order, func(t *testing.T) {
			for _, in := range []string{"named-probes", "two-containers", "native-sidecars", "restricted-security-context"} {
				_, pod := readPod(t, "testdata/"+in+"/in.yaml")
				rounds := append(strings.Fields(order), strings.Fields(order)...)
				for i, step := range rounds {
					if step != "us" {
						others[step](pod)
						continue
					}
					if patch, err := Inject(pod, testConfig()); i >= len(rounds)/2 && (err != nil || len(patch) > 0) {
						t.Errorf("%s: Inject in the second round = %v, %v; want no operation and no error", in, patch, err)
					}
					pod = inject(t, pod, testConfig())
				}
				pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: ContainerName, Ready: true}}
				compareFindings(t, Assess(pod, testConfig()), nil, "")
			}
		})
	}
}
